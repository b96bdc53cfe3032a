// Refuses a conversation that is longer than the model holds, as the vendors do: `model:N` holds N tokens, and
// `[[toolong N]]` refuses until the whole conversation has N characters at most.
import type { Conversation } from './conversation.ts';
import { CHARS_PER_TOKEN, promptTokens, saidIn } from './usage.ts';
import { badRequest } from './vendor-error.ts';

/** Throws RequestError. */
export function checkWindow(conversation: Conversation): void {
  const digits = /:(\d{3,8})$/.exec(conversation.model)?.[1];
  if (digits !== undefined) refuseOver(promptTokens(conversation), Number(digits));
}

/** Throws RequestError. */
export function checkLength({ entries }: Conversation, maxChars: number): void {
  const chars = entries.reduce((sum, entry) => sum + saidIn(entry).length, 0);
  if (chars > maxChars)
    refuseOver(Math.ceil(chars / CHARS_PER_TOKEN), Math.floor(maxChars / CHARS_PER_TOKEN));
}

function refuseOver(tokens: number, most: number): void {
  if (tokens <= most) return;
  throw badRequest(
    `prompt is too long: ${tokens} tokens > ${most} maximum`,
    'messages',
    'context_length_exceeded',
  );
}
