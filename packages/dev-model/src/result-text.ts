// What the development model says once tools have answered: it shows what they returned.
import type { ToolCall, ToolEntry, Turn } from './conversation.ts';
import { isObject, stringOf } from './json.ts';
import { kindOfTool } from './tool-call.ts';

const MAX_SHOWN_CHARS = 4000;

export function describeResults(turn: Turn): string {
  return turn.results
    .map((result) =>
      describeResult(
        result,
        turn.calls.find((call) => call.id === result.callId),
      ),
    )
    .join('\n\n');
}

function describeResult(result: ToolEntry, call: ToolCall | undefined): string {
  const text = result.text.replace(/\s+$/, '');
  const failed = result.isError || looksFailed(text);
  const shown = text === '' ? '' : `\n\n${fence(text)}`;
  const lead = failed ? failureLead(call) : successLead(call, text !== '');
  const attached =
    result.attachments.length === 0 ? '' : `\n\nAlso returned: ${result.attachments.join(', ')}.`;
  return lead + shown + attached;
}

/** OpenAI's protocols have no mark for a failed call, so its text is all there is to go by. */
function looksFailed(text: string): boolean {
  return (
    /^\s*(?:<?error\b|an error occurred|failed\b)/i.test(text) ||
    /\bexit(?:ed)?(?:\s+with)?(?:\s+(?:code|status))?\s*[:=]?\s*[1-9]\d*\b/i.test(text.slice(0, 200)) ||
    /\bexit(?:ed)?(?:\s+with)?(?:\s+(?:code|status))\s*[:=]?\s*[1-9]\d*\b/i.test(text.slice(-200))
  );
}

function failureLead(call: ToolCall | undefined): string {
  const what =
    call === undefined || kindOfTool(call.name) === 'bash' ? 'The command' : `The ${call.name} tool`;
  return `${what} failed:`;
}

function successLead(call: ToolCall | undefined, hasOutput: boolean): string {
  const path = pathOf(call);
  switch (call === undefined ? null : kindOfTool(call.name)) {
    case 'bash':
      return hasOutput ? 'The command printed:' : 'The command finished and printed nothing.';
    case 'read':
      return hasOutput ? `${path} contains:` : `${path} is empty.`;
    case 'write':
      return `I wrote ${path}.`;
    case 'edit':
      return `I edited ${path}.`;
    case 'glob':
      return hasOutput ? 'The files are:' : 'There are no such files.';
    case 'grep':
      return hasOutput ? 'The matches are:' : 'Nothing matches.';
    case null: {
      const tool = call === undefined ? 'tool' : `${call.name} tool`;
      return hasOutput ? `The ${tool} returned:` : `The ${tool} returned nothing.`;
    }
  }
}

function pathOf(call: ToolCall | undefined): string {
  try {
    const input: unknown = JSON.parse(call?.argumentsJson ?? '');
    if (isObject(input)) return stringOf(input.file_path ?? input.path ?? input.filename) || 'The file';
  } catch {
    // Arguments that are not JSON name no file.
  }
  return 'The file';
}

/** A fence longer than any run of backticks inside, so that output cannot end it. */
export function fence(text: string): string {
  const shown =
    text.length <= MAX_SHOWN_CHARS
      ? text
      : `${text.slice(0, MAX_SHOWN_CHARS)}\n… ${text.length - MAX_SHOWN_CHARS} more characters`;
  const longest = Math.max(2, ...(shown.match(/`+/g) ?? []).map((run) => run.length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}\n${shown}\n${mark}`;
}
