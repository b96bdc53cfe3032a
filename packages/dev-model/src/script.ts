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
  let parallel = false;
  for (const directive of directives) {
    const step = parseStep(directive);
    if (step.kind === 'parallel') parallel = true;
    else if (step.kind === 'calls') addCalls(replies, step, parallel);
    else setStep(openReply(replies), step);
  }
  return { replies, rest, unknown };
}

function addCalls(replies: ScriptedReply[], step: Step & { kind: 'calls' }, parallel: boolean): void {
  const joined = parallel ? replies.at(-1) : undefined;
  const first = joined ?? openReply(replies);
  if (parallel || step.atOnce) first.calls.push(...step.calls);
  else for (const call of step.calls) openReply(replies).calls.push(call);
}

function setStep(reply: ScriptedReply, step: Exclude<Step, { kind: 'calls' | 'parallel' }>): void {
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
  };
  replies.push(reply);
  return reply;
}
