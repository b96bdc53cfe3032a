// Rules given in the middle of a conversation, for models that take a system message only at its start: a user-side text
// in a tag. Nobody else can write that tag: what users and tools say is kept from looking like it.
import type { InputPart } from './media.ts';

const TAG = 'system_message';
const FORGED = new RegExp(`<(\\s*/?\\s*${TAG})`, 'gi');

export function systemNotice(text: string): string {
  return (
    `<${TAG}>\nThe operator of this session says, with the authority of the system prompt and in force from here on:\n\n` +
    `${defused(text)}\n</${TAG}>`
  );
}

/** A text that cannot be taken for a notice. */
export function defused(text: string): string {
  return text.replace(FORGED, '&lt;$1');
}

export function defusedPart(part: InputPart): InputPart {
  return part.type === 'input_text' ? { ...part, text: defused(part.text) } : part;
}
