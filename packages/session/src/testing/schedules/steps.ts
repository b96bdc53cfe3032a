// What may happen in a play: by clients, models, tools, time, and everything that fails.
import type { Budget } from '@capstan/schema/budgets';
import { isApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';
import type { OpenCall, State } from '../../state.ts';
import { blocking } from '../../thread.ts';
import type { Dice } from './dice.ts';
import { firstWords } from './log-witness.ts';
import { Play, type Setting } from './play.ts';
import { PlayedReader } from './played-reader.ts';

/** How often each happens. */
export const WEIGHTS = {
  goOn: 60,
  model: 20,
  send: 10,
  sendToThread: 4,
  sendAny: 5,
  answer: 4,
  answerAll: 6,
  tool: 16,
  lateTools: 1,
  zombies: 1,
  interrupt: 4,
  ring: 8,
  clock: 3,
  crash: 2,
  crashAndBack: 2,
  kill: 2,
  storage: 1,
  storageBack: 2,
  control: 2,
  blobs: 1,
  sandboxes: 1,
  replace: 2,
  deltas: 2,
  update: 3,
  archiveThread: 2,
  archive: 1,
  remove: 1,
  photograph: 1,
  read: 4,
  unread: 1,
  catchUp: 1,
  again: 1,
  fork: 1,
};

export type ActName = keyof typeof WEIGHTS;

type Act = (play: Play, dice: Dice) => unknown;

const ACTS: Record<ActName, Act> = {
  /** Whatever the session waits for, happens; or it is given something to do. */
  goOn: (play, dice) => {
    const { state } = play.witness;
    if (play.harness.waitingModels.length > 0) return act(play, 'model', dice);
    if (play.harness.waitingTools.length > 0) return act(play, 'tool', dice);
    if (state.status === 'rescheduling' && dice.roll(2) === 0) return play.ring();
    if (state.threads.some((thread) => blocking(thread).length > 0)) return act(play, 'answer', dice);
    return act(play, dice.rarely(4) ? 'sendToThread' : 'send', dice);
  },
  model: (play, dice) => {
    const call = dice.of(play.harness.waitingModels);
    const threads = play.witness.state.threads.map(({ id }) => id);
    if (call) play.harness.answer(call, dice, threads.slice(1));
  },
  send: (play, dice) => {
    const events = [message(play, dice)];
    if (dice.rarely(2)) events.push(...more(play, dice));
    return send(play, events);
  },
  sendToThread: (play, dice) => {
    const thread = dice.of(play.witness.state.threads.slice(1));
    return thread && send(play, [{ ...messageTo(play, dice), session_thread_id: thread.id }]);
  },
  sendAny: (play, dice) => send(play, [...more(play, dice), ...(dice.rarely(2) ? more(play, dice) : [])]),
  answer: (play, dice) => answer(play, dice),
  answerAll: (play, dice) => {
    const calls = play.witness.state.threads.flatMap(blocking);
    return calls.length === 0
      ? undefined
      : send(
          play,
          calls.map((call) => reply(call, dice)),
        );
  },
  tool: (play, dice) => {
    const call = dice.of(play.harness.waitingTools);
    if (call) play.harness.finish(call, `result${'.'.repeat(dice.rarely(6) ? 5_000 : 0)}`);
  },
  lateTools: (play) => {
    for (const call of play.harness.tools) if (!call.done) play.harness.finish(call, 'late');
  },
  zombies: (play) => {
    for (const call of play.harness.models) if (!call.done) play.harness.please(call);
  },
  interrupt: (play, dice) => {
    const threads = play.witness.state.threads.map(({ id }) => id);
    const to = dice.roll(2) === 0 ? {} : { session_thread_id: dice.of(threads) ?? null };
    return send(play, [{ type: 'user.interrupt', ...to }]);
  },
  ring: (play) => play.ring(),
  clock: (play, dice) => play.pass(dice.of([1_000, 35_000, 3 * 3_600_000, -3_000]) ?? 0),
  crash: (play) => play.crash(),
  crashAndBack: async (play) => {
    play.crash();
    await play.live();
  },
  kill: (play) => play.kill(),
  storage: (play, dice) => {
    play.world.appendFails = dice.roll(2) === 0;
    play.syncFails = dice.roll(2) === 1;
  },
  storageBack: (play) => {
    play.world.appendFails = false;
    play.syncFails = false;
  },
  control: (play, dice) => {
    play.world.indexFails = dice.roll(2) === 0;
  },
  blobs: (play, dice) => {
    play.blobs.fails = dice.roll(2) === 0;
  },
  sandboxes: (play, dice) => {
    play.harness.cancelFails = dice.roll(2) === 0;
    play.harness.releaseFails = dice.roll(2) === 1;
    play.harness.careFails = dice.rarely(2);
  },
  replace: (play, dice) => {
    const id = `sevt_news${play.news.length}_${play.world.spec.sessionId}`;
    play.news.push(id);
    const files = dice.of(['none', 'since_snapshot', 'all'] as const) ?? 'all';
    const replacement = { restored: null, lost: { files, processes: dice.roll(2) === 0 } };
    play.harness.replace(id, replacement);
  },
  deltas: (play, dice) => {
    play.harness.deltas = ['Once ', 'upon ', 'a time'].slice(0, dice.roll(4));
  },
  update: (play, dice) => play.ask((runtime) => runtime.update(change(play, dice))),
  archiveThread: (play, dice) => {
    const thread = dice.of(play.witness.state.threads.slice(1));
    return thread && play.ask((runtime) => runtime.archiveThread(thread.id));
  },
  archive: (play) => play.ask((runtime) => runtime.archive()),
  remove: (play) => play.ask((runtime) => runtime.delete()),
  photograph: (play) => play.photograph(),
  read: (play, dice) => read(play, dice),
  unread: (play, dice) => dice.of(play.readers)?.leave(),
  catchUp: (play) => {
    for (const reader of play.readers) if (reader.slow) reader.read();
  },
  again: (play, dice) => again(play, dice),
  fork: (play, dice) => fork(play, dice),
};

export async function act(play: Play, name: ActName, dice: Dice): Promise<void> {
  await ACTS[name](play, dice);
}

function message(play: Play, dice: Dice): EventParam {
  const text = `message ${++play.said};${'.'.repeat(dice.of([0, 0, 0, 6_000]) ?? 0)}`;
  return { type: 'user.message', content: [{ type: 'text', text }] };
}

/** One event of any kind, with what it needs before it. */
function more(play: Play, dice: Dice): EventParam[] {
  const { state } = play.witness;
  const threads = state.threads.map(({ id }) => id);
  const call = dice.of(state.threads.flatMap(blocking));
  switch (dice.roll(11)) {
    case 0:
      return [message(play, dice), { type: 'system.message', content: [{ type: 'text', text: 'a rule' }] }];
    case 1:
      return [{ ...messageTo(play, dice), session_thread_id: dice.of(threads) ?? null }];
    case 2:
      return [{ ...messageTo(play, dice), session_thread_id: 'sthr_nobody' }];
    case 3:
      return [outcome(dice)];
    case 4:
      return [{ type: 'user.interrupt' }, message(play, dice)];
    case 5:
      return [message(play, dice), { type: 'user.interrupt' }];
    case 6:
      return call
        ? [reply(call, dice), { type: 'system.message', content: [{ type: 'text', text: 'so' }] }]
        : [];
    case 7:
      return [{ type: 'user.custom_tool_result', custom_tool_use_id: call?.id ?? 'sevt_none', content: [] }];
    case 8:
      return [{ type: 'user.tool_result', tool_use_id: call?.id ?? 'sevt_none' }];
    case 9:
      return dice.rarely(6)
        ? [large(play)]
        : [{ type: 'user.tool_confirmation', tool_use_id: 'sevt_no', result: 'allow' }];
    default:
      return [message(play, dice), message(play, dice)];
  }
}

function messageTo(play: Play, dice: Dice): Extract<EventParam, { type: 'user.message' }> {
  const made = message(play, dice);
  return made.type === 'user.message' ? made : { type: 'user.message', content: [] };
}

function large(play: Play): EventParam {
  const text = `message ${++play.said};${'x'.repeat(300_000)}`;
  return { type: 'user.message', content: [{ type: 'text', text }] };
}

function outcome(dice: Dice): EventParam {
  const max_iterations = dice.of([1, 2, null]) ?? null;
  const rubric = dice.rarely(5)
    ? { type: 'file' as const, file_id: 'file_1' }
    : { type: 'text' as const, content: 'it is good' };
  return { type: 'user.define_outcome', description: 'a thing', rubric, max_iterations };
}

async function send(play: Play, events: readonly EventParam[]): Promise<void> {
  if (events.length === 0) return;
  const sent = await play.ask((runtime) => runtime.send(events));
  keepPromise(play, events, sent);
}

type Answer = Awaited<ReturnType<Play['ask']>>;

function keepPromise(play: Play, events: readonly EventParam[], sent: Answer): void {
  if ('refusal' in sent) {
    if (sent.refusal === 'unavailable') return;
    for (const event of events) if (event.type === 'user.message') play.refused.push(firstWords(event));
    return;
  }
  const { events: echoes } = sent.value as { events: { id: string; type: string }[] };
  if (echoes.length !== events.length) play.broken.push('a send is answered with all its events');
  for (const { id, type } of echoes) if (type !== 'user.interrupt') play.promised.push(id);
}

function answer(play: Play, dice: Dice): Promise<void> | undefined {
  const call = dice.of(play.witness.state.threads.flatMap(blocking));
  return call && send(play, [reply(call, dice)]);
}

function reply(call: OpenCall, dice: Dice): EventParam {
  const confirmation = { type: 'user.tool_confirmation' as const, tool_use_id: call.id };
  if (call.waitsFor === 'client' && !dice.rarely(8))
    return { type: 'user.custom_tool_result', custom_tool_use_id: call.id, content: [] };
  switch (dice.roll(6)) {
    case 0:
      return { ...confirmation, result: 'allow' };
    case 1:
      return { ...confirmation, result: 'allow', ...(call.hash ? { input_sha256: call.hash } : {}) };
    case 2:
      return { ...confirmation, result: 'deny', deny_message: 'no' };
    case 3:
      return { ...confirmation, result: 'deny' };
    case 4:
      return { ...confirmation, result: 'allow', input_sha256: '0'.repeat(64) };
    default:
      return { ...confirmation, result: 'allow', deny_message: 'but no' };
  }
}

function change(play: Play, dice: Dice) {
  switch (dice.roll(4)) {
    case 0:
      return { title: dice.of(['a', 'b', null]) ?? null };
    case 1:
      return { metadata: { key: dice.of(['x', 'y', null]) ?? null } };
    default:
      return { budget: budgetAbove(play.witness.state, dice) };
  }
}

function budgetAbove({ spent }: State, dice: Dice): Budget | null {
  const type = 'limit' as const;
  switch (dice.roll(4)) {
    case 0:
      return null;
    case 1:
      return { type, max_tokens: spent.tokens + (dice.of([10_000, 2_500, 0]) ?? 0) };
    case 2:
      return { type, max_model_calls: spent.modelCalls + (dice.of([2, 1, 0]) ?? 0) };
    default: {
      const cents = Math.ceil(spent.nanoUsd / 1e7) + (dice.of([20, 3, 0]) ?? 0);
      return { type, max_list_cost: { amount: String(Math.max(1, cents)), currency: 'USD' } };
    }
  }
}

async function read(play: Play, dice: Dice): Promise<void> {
  const runtime = await play.live();
  if (runtime === null || play.witness.state.deleted) return;
  await play.witness.follow(play.world);
  const [, ...children] = play.witness.state.threads;
  const thread = dice.rarely(3) ? dice.of(children)?.id : undefined;
  const after = dice.of([0, play.witness.seq, Math.floor(play.witness.seq / 2)]) ?? 0;
  const place = thread === undefined ? { after } : { after, thread };
  try {
    play.readers.push(new PlayedReader(runtime, place, dice.rarely(4)));
  } catch (error) {
    // Deleted meanwhile.
    if (!isApiError(error)) play.broken.push(`a stream is refused: ${String(error)}`);
  }
}

/** A client repeats a send with its key: it is answered as before. */
async function again(play: Play, dice: Dice): Promise<void> {
  const name = `key ${dice.roll(2)}`;
  const claim = { name, by: 'key' as const, fingerprint: name, mayRepeat: true };
  const events = [{ type: 'user.message' as const, content: [{ type: 'text' as const, text: name }] }];
  for (let tries = 0; tries < 2; tries++) {
    const sent = await play.ask((runtime) => runtime.send(events, claim));
    if ('refusal' in sent) continue;
    keepPromise(play, events, sent);
    const told = JSON.stringify(sent.value.events);
    const before = play.answered.get(name);
    if (before !== undefined && (before !== told || !sent.value.replayed))
      play.broken.push('X1: a repetition is answered as the first was');
    play.answered.set(name, told);
  }
}

/** The session is forked at some event, and the play goes on with the fork. */
async function fork(play: Play, dice: Dice): Promise<void> {
  const runtime = await play.live();
  const { world } = play;
  const taken = world.sql.all<{ id: string }>('SELECT id FROM events WHERE processed_at IS NOT NULL', []);
  const at = taken[Math.floor((taken.length * dice.roll(16)) / 16)];
  if (runtime === null || at === undefined || play.witness.state.deleted || play.blobs.fails) return;
  const setting: Setting = { coordinator: false, budget: null, narrow: false, initial: false };
  const next = new Play(setting, {
    agent: world.spec.agent,
    sessionId: `${world.spec.sessionId}_fork`,
    threadId: `${world.spec.threadId}_fork`,
    origin: { sessionId: world.spec.sessionId, eventId: at.id },
  });
  next.harness.choice = play.harness.choice;
  next.world.now = world.now;
  next.world.ids = world.ids;
  next.world.others.set(world.spec.sessionId, runtime);
  next.said = play.said;
  play.successor = next;
  const forked = await next.live();
  // Of a session that is deleted, perhaps at this very moment, there is nothing left to begin with.
  const gone = world.erased || (await world.types()).includes('session.deleted');
  const wanted = gone ? ['idle', 'terminated'] : ['idle'];
  if (forked && !wanted.includes(forked.view.status)) next.broken.push(`a fork is ${forked.view.status}`);
}
