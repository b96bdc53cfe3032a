// Decides what a model call is answered with, from the conversation alone.
// The step of a script follows from the tool results since the user last spoke: a step with three calls needs three.

import { checkLength, checkWindow } from './context-limit.ts';
import { type Conversation, type Turn, turnOf } from './conversation.ts';
import { DirectiveError } from './directive.ts';
import { gradeCall } from './grade.ts';
import { describeHistory } from './history.ts';
import { judgeCall } from './judge.ts';
import { plainReply } from './plain-reply.ts';
import type { Block, Reply, Stop, Usage } from './reply.ts';
import { parseScript, type Script, type ScriptedReply } from './script.ts';
import type { Content, Fault, Pace, ScriptedCall } from './step.ts';
import { doneBefore, summaryOf } from './summary.ts';
import { findTool, sampleObject } from './tool-call.ts';
import { estimateUsage } from './usage.ts';
import { badRequest } from './vendor-error.ts';

export interface Play {
  reply: Reply;
  pace: Pace;
  faults: Fault[];
}

/** Throws RequestError when the user's text has a directive that cannot be played. */
export function playFor(conversation: Conversation, caching: boolean): Play {
  checkWindow(conversation);
  return readable(() => engineReply(conversation, caching) ?? scriptedReply(conversation, caching));
}

/** What the engine asks for on its own account: a grade, a verdict on calls, or a summary. No script of the user's is played for it. */
function engineReply(conversation: Conversation, caching: boolean): Play | null {
  const judged = judgeCall(conversation);
  const block = judged?.block ?? summaryBlock(conversation) ?? gradeCall(conversation);
  if (block === null) return null;
  const usage = estimateUsage(conversation, [block], caching);
  return {
    reply: { blocks: [block], stop: stopOf([block], null), usage },
    pace: { ttftMs: judged?.waitMs ?? 0, delayMs: 0 },
    faults: [],
  };
}

function summaryBlock(conversation: Conversation): Block | null {
  const summary = summaryOf(conversation);
  return summary === null ? null : { kind: 'text', text: summary };
}

function scriptedReply(conversation: Conversation, caching: boolean): Play {
  const turn = turnOf(conversation);
  const script = scriptOf(turn);
  const step = stepOf(script, turn);
  const maxChars = step?.maxChars ?? null;
  if (maxChars !== null) checkLength(conversation, maxChars);
  const plain = () => plainReply(conversation, { ...turn, texts: script.texts }, script.unknown);
  const blocks =
    step === null ? plain() : blocksOf(step, conversation, () => restOf(script, turn) ?? plain());
  const usage = usageFor(step, estimateUsage(conversation, blocks, caching));
  return {
    reply: { blocks, stop: stopOf(blocks, step), usage },
    pace: step?.pace ?? script.replies.at(-1)?.pace ?? { ttftMs: 0, delayMs: 0 },
    faults: step?.faults ?? [],
  };
}

function readable<T>(play: () => T): T {
  try {
    return play();
  } catch (error) {
    if (error instanceof DirectiveError) throw badRequest(error.message);
    throw error;
  }
}

/** The last of the user's texts that is a script, or an empty one; `texts` are the plain words around. */
function scriptOf(turn: Turn): Script & { texts: string[] } {
  const scripts = turn.texts.map(parseScript);
  const found = scripts.findLast((script) => script.replies.length > 0);
  if (found !== undefined) return { ...found, texts: [found.rest] };
  const unknown = scripts.flatMap((script) => script.unknown);
  return { replies: [], rest: '', unknown, texts: scripts.map((script) => script.rest) };
}

/** The reply this call gets, or null when the script has none left and the tool results are shown. */
function stepOf(script: Script, turn: Turn): ScriptedReply | null {
  let left = turn.results.length + doneBefore(turn);
  for (const reply of script.replies) {
    if (reply.calls.length === 0 || left < reply.calls.length) return reply;
    left -= reply.calls.length;
  }
  return null;
}

/** A script that only sets the pace around no request of its own needs some answer. */
function restOf(script: Script, turn: Turn): Block[] | null {
  return script.rest === '' && turn.results.length === 0 ? [{ kind: 'text', text: 'Done.' }] : null;
}

function blocksOf(step: ScriptedReply, conversation: Conversation, otherwise: () => Block[]): Block[] {
  const content = step.content.flatMap((part) => contentBlocks(part, conversation));
  const calls = step.calls.map((call) => callBlock(call, conversation));
  const answered = calls.length > 0 || step.content.some((part) => part.kind !== 'thinking');
  return answered ? [...content, ...calls] : [...content, ...otherwise()];
}

function contentBlocks(content: Content, conversation: Conversation): Block[] {
  switch (content.kind) {
    case 'text':
    case 'thinking':
    case 'refusal':
      return content.text === '' ? [] : [{ kind: content.kind, text: content.text }];
    case 'history':
      return [{ kind: 'text', text: describeHistory(conversation) }];
    case 'nothing':
      return [];
  }
}

function callBlock(call: ScriptedCall, { tools }: Conversation): Block {
  const shell = findTool(tools, 'bash');
  const name = call.tool ?? shell?.name ?? 'bash';
  if (call.invalidJson) return { kind: 'call', name, argumentsJson: '{"command": "echo unfinished' };
  const input =
    call.input ?? (call.tool === null ? { command: `echo ${call.number}` } : sampleInput(name, tools));
  return { kind: 'call', name, argumentsJson: JSON.stringify(input) };
}

function sampleInput(name: string, tools: Conversation['tools']) {
  const tool = tools.find((offered) => offered.name === name);
  return tool === undefined ? {} : sampleObject(tool.schema, 0);
}

function stopOf(blocks: Block[], step: ScriptedReply | null): Stop {
  if (step?.truncated) return 'length';
  if (blocks.some((block) => block.kind === 'call')) return 'calls';
  return blocks.some((block) => block.kind === 'refusal') ? 'refusal' : 'end';
}

function usageFor(step: ScriptedReply | null, estimated: Usage): Usage {
  const usage = step?.usage;
  if (usage === null || usage === undefined) return estimated;
  return { ...usage, reasoningTokens: Math.min(estimated.reasoningTokens, usage.outputTokens) };
}
