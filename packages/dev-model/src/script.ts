// The directives of a text as a list of replies, to be played one per model call of a turn.
// A tool call ends a reply; what follows it belongs to the next. Pace and usage hold from where they stand on.
import { findDirectives } from './directive.ts';
import {
  type Content,
  type Fault,
  type Pace,
  parseStep,
  type ScriptedCall,
  type ScriptedUsage,
  type Step,
} from './step.ts';

export interface ScriptedReply {
  content: Content[];
  calls: ScriptedCall[];
  faults: Fault[];
  pace: Pace;
  usage: ScriptedUsage | null;
  truncated: boolean;
  /** The longest conversation that is answered, in characters. */
  maxChars: number | null;
}

export interface Script {
  replies: ScriptedReply[];
  /** The text around the directives. */
  rest: string;
  unknown: string[];
}

/** Throws DirectiveError for a directive whose arguments are wrong. */
export function parseScript(text: string): Script {
  const { directives, rest, unknown } = findDirectives(text);
  const replies: ScriptedReply[] = [];
  let group: Group = null;
  for (const directive of directives) {
    const step = parseStep(directive);
    if (step.kind === 'parallel') group = 'next';
    else if (step.kind === 'aside') continue;
    else if (step.kind === 'calls') group = addCalls(replies, step, group);
    else setStep(openReply(replies), step);
  }
  return { replies, rest, unknown };
}

/** The reply that tool calls join: none, the next to be opened, or the one the last of them joined. */
type Group = null | 'next' | ScriptedReply;

function addCalls(replies: ScriptedReply[], step: Step & { kind: 'calls' }, group: Group): Group {
  if (group === null && !step.atOnce) {
    for (const call of step.calls) openReply(replies).calls.push(call);
    return null;
  }
  const reply = group !== null && group === replies.at(-1) ? group : openReply(replies);
  reply.calls.push(...step.calls);
  return group === null ? null : reply;
}

function setStep(reply: ScriptedReply, step: Exclude<Step, { kind: 'calls' | 'parallel' | 'aside' }>): void {
  switch (step.kind) {
    case 'content':
      reply.content.push(step.content);
      break;
    case 'pace':
      reply.pace = { ...reply.pace, ...step.pace };
      break;
    case 'usage':
      reply.usage = step.usage;
      break;
    case 'truncate':
      reply.truncated = true;
      break;
    case 'limit':
      reply.maxChars = step.maxChars;
      break;
    case 'fault':
      reply.faults.push(step.fault);
      break;
  }
}

/** The reply being written: the last, or a new one of the same pace when the last has ended with a tool call. */
function openReply(replies: ScriptedReply[]): ScriptedReply {
  const last = replies.at(-1);
  if (last !== undefined && last.calls.length === 0) return last;
  const reply: ScriptedReply = {
    content: [],
    calls: [],
    faults: [],
    pace: last === undefined ? { ttftMs: 0, delayMs: 0 } : last.pace,
    usage: last?.usage ?? null,
    truncated: false,
    maxChars: last?.maxChars ?? null,
  };
  replies.push(reply);
  return reply;
}
