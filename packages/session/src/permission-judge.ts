// The judge of tool calls whose policy is `auto`: asked once a reply is whole, before any of it is on the log. One request
// judges all such calls of the reply, by the agent's own model. It never throws: what goes wrong is a call to be asked about.
import type { ModelUsage } from '@capstan/schema/usage';
import type { Took } from './bill.ts';
import { OVERHEAD_TOKENS } from './content-size.ts';
import { engineTools } from './engine-tools.ts';
import { isModelFailure, type ModelCall, type ModelChoice } from './harness.ts';
import type { Judged } from './judgements.ts';
import { type CallToJudge, INSTRUCTIONS, JUDGE_TOOL, judgeable, question } from './permission-question.ts';
import { permit } from './permit.ts';
import type { IdentifiedOutput } from './reply.ts';
import type { ThreadState } from './state.ts';
import { textSize, tokensOf } from './text-size.ts';
import { agentNow, agentOf, threadById } from './thread.ts';
import type { Desk, Turn } from './turn.ts';
import { indeterminate, type Verdict, verdictsOf } from './verdicts.ts';

/** Of the judge's reply: what it thinks before it says anything, and a sentence for each call. */
const REPLY_TOKENS = 8_000;
const TOKENS_PER_CALL = 200;
/** A person who can be asked is not kept waiting for a judge. */
const WITHIN_MS = 90_000;

const TOO_LONG = indeterminate('It is too long, or one of too many, to be judged.');
const FAILED = indeterminate('The judge did not answer.');
const UNFUNDED: Verdict = {
  verdict: 'deny',
  unfunded: true,
  reason: 'the budget of the session has no room to judge the call.',
};

interface Reply {
  thread: ThreadState;
  outputs: readonly IdentifiedOutput[];
  usage: ModelUsage;
}

export interface JudgedReply {
  /** Those under `auto` with their verdicts. */
  outputs: IdentifiedOutput[];
  /** Null: nobody was asked. */
  judged: Judged | null;
}

export async function judge(turn: Turn, desk: Desk, reply: Reply): Promise<JudgedReply> {
  const doubtful = reply.outputs.filter((output) => isDoubtful(output, desk, reply.thread));
  if (doubtful.length === 0) return { outputs: [...reply.outputs], judged: null };
  const shown = judgeable(doubtful.flatMap(toCall));
  const judged = shown.length === 0 ? null : await ask(turn, desk, { ...reply, calls: shown });
  const verdicts = new Map(shown.map(({ id }, index) => [id, judged?.verdicts[index] ?? UNFUNDED]));
  const outputs = reply.outputs.map((output) =>
    doubtful.includes(output) ? { ...output, verdict: verdicts.get(output.id) ?? TOO_LONG } : output,
  );
  return { outputs, judged };
}

type IdentifiedCall = CallToJudge & { id: string };

function isDoubtful(output: IdentifiedOutput, desk: Desk, thread: ThreadState): boolean {
  if (output.type !== 'tool_call' || output.input === null) return false;
  const known = { spec: desk.spec, state: desk.state() };
  if (engineTools(agentNow(known), thread).some(({ name }) => name === output.name)) return false;
  return permit(agentOf(known, thread), output) === 'auto';
}

function toCall(output: IdentifiedOutput): IdentifiedCall[] {
  if (output.type !== 'tool_call' || output.input === null) return [];
  const { id, name, server, input } = output;
  return [{ id, name, input, ...(server === undefined ? {} : { server }) }];
}

interface Asking extends Reply {
  calls: readonly IdentifiedCall[];
}

/** Null: the budget has no room for it, or the turn is over. */
async function ask(turn: Turn, desk: Desk, { thread, usage, calls }: Asking): Promise<Judged | null> {
  const agent = agentOf({ spec: desk.spec, state: desk.state() }, thread);
  const choice = shortReply(desk.harness.choose(agent.model), calls.length);
  const items = await desk.context(thread.id).items();
  const text = question({ agent, spec: desk.spec, items, calls });
  const inputTokens = tokensOf(textSize(text) + textSize(INSTRUCTIONS)) + OVERHEAD_TOKENS;
  const begun = await desk.submit(turn.id, {
    kind: 'begin_judging',
    calls: calls.map(({ name, server }) => ({ name, ...(server === undefined ? {} : { server }) })),
    usage,
    estimate: { choice, inputTokens },
  });
  if (begun.length === 0) return null;
  const { effort } = agent.model;
  const model = effort === undefined ? agent.model : { ...agent.model, effort: { type: 'low' as const } };
  const call: ModelCall = {
    sessionId: desk.spec.sessionId,
    threadId: thread.id,
    turnId: turn.id,
    agent: { ...agent, model, system: INSTRUCTIONS, tools: [], mcp_servers: [], skills: [] },
    context: [{ type: 'user', content: [{ type: 'text', text }] }],
    tools: [JUDGE_TOOL],
    builtIn: false,
    maxOutputTokens: threadById(desk.state(), thread.id)?.judging?.reserved.output ?? choice.maxOutputTokens,
    withinMs: WITHIN_MS,
    mediaFrom: 0,
  };
  return answer(turn, desk, { call, count: calls.length });
}

function shortReply(choice: ModelChoice, calls: number): ModelChoice {
  const most = REPLY_TOKENS + TOKENS_PER_CALL * calls;
  return { ...choice, maxOutputTokens: Math.min(choice.maxOutputTokens, most) };
}

async function answer(
  turn: Turn,
  desk: Desk,
  { call, count }: { call: ModelCall; count: number },
): Promise<Judged> {
  try {
    for await (const part of desk.harness.call(call, turn.signal)) {
      if (part.type !== 'end') continue;
      return { verdicts: verdictsOf(part.outputs, count), took: part.usage, failed: false };
    }
    throw new Error('a model call ends with its end');
  } catch (error) {
    if (!turn.signal.aborted && !isModelFailure(error)) desk.logger.error('judge.failed', {}, error);
    const took: Took = isModelFailure(error) && error.usage !== undefined ? error.usage : 'untold';
    return { verdicts: Array.from({ length: count }, () => FAILED), took, failed: true };
  }
}
