// Random schedules of a coordinator, its agents, clients, alarms, crashes and failing storage. After every step the
// invariants hold; in the end no message between threads was lost or read twice, and no thread is left waiting.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Entry } from './entry.ts';
import { evolve } from './evolve.ts';
import { foldOf } from './fold.ts';
import { ModelFailure, type ModelOutput } from './harness.ts';
import { readEntries } from './log-reader.ts';
import { outcome, say, use } from './scripted-harness.ts';
import type { State } from './state.ts';
import { Crew, delegate, message, PRIMARY } from './testing/crew.ts';
import { quiesce } from './testing.ts';
import { blocking, statusOf } from './thread.ts';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 150);
const TIMEOUT = 60_000 + RUNS * 1_000;

type Kind = 'send' | 'interrupt' | 'archive' | 'answer' | 'tool' | 'model';
type Step =
  /** `pick`: which of those there are, threads or calls. */
  | { do: Kind; pick: number; how: number }
  | { do: 'ring' | 'crash' | 'all' }
  | { do: 'storage'; fails: boolean };

const chosen = (kind: Kind) =>
  fc.record({ do: fc.constant(kind), pick: fc.nat(4), how: fc.nat(11) }) as fc.Arbitrary<Step>;

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: chosen('model') },
  { weight: 3, arbitrary: chosen('send') },
  { weight: 3, arbitrary: chosen('tool') },
  { weight: 3, arbitrary: chosen('answer') },
  { weight: 1, arbitrary: chosen('interrupt') },
  { weight: 1, arbitrary: chosen('archive') },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ do: 'ring' }, { do: 'crash' }, { do: 'all' }) },
  { weight: 1, arbitrary: fc.boolean().map((fails): Step => ({ do: 'storage', fails })) },
);

class Play {
  crew: Crew;
  accepted: string[] = [];
  #crashed = false;
  #said = 0;

  constructor(crew: Crew) {
    this.crew = crew;
  }

  get world() {
    return this.crew.world;
  }

  async take(next: Step): Promise<void> {
    if (this.down && !(await this.revive())) return;
    switch (next.do) {
      case 'send':
        return this.send(next.how % 2 === 0 ? undefined : this.thread(next.pick));
      case 'all':
        return this.quietly(this.crew.send({ type: 'user.interrupt' }));
      case 'interrupt':
        return this.quietly(
          this.crew.send({ type: 'user.interrupt', session_thread_id: this.thread(next.pick) }),
        );
      case 'archive':
        return this.quietly(this.crew.runtime.archiveThread(this.thread(next.pick)));
      case 'answer':
        return this.answer(next.pick, next.how);
      case 'tool':
        at(this.world.harness.waitingTools, next.pick)?.settle(outcome('ok'));
        return;
      case 'model':
        return this.model(next.pick, next.how);
      case 'ring':
        return this.ring();
      case 'crash':
        await this.revive();
        return;
      case 'storage':
        this.world.appendFails = next.fails;
    }
  }

  async revive(): Promise<boolean> {
    this.#crashed = await this.crew.restart().then(
      () => false,
      () => true,
    );
    return !this.down;
  }

  /** There is no process that could answer. */
  get down(): boolean {
    return this.#crashed || this.crew.runtime.dead;
  }

  thread(pick: number): string {
    return at(this.crew.runtime.threads, pick)?.id ?? PRIMARY;
  }

  async quietly(work: Promise<unknown>): Promise<void> {
    await work.catch(() => undefined);
  }

  async send(to: string | undefined): Promise<void> {
    const sent = await this.crew.send(message(`message ${++this.#said}`, to)).catch(() => null);
    for (const { id } of sent?.events ?? []) this.accepted.push(id);
  }

  async ring(): Promise<void> {
    if (this.world.alarmAt !== null) await this.quietly(this.world.ring(this.crew.runtime));
    if (this.down) this.world.alarmAt = this.world.now + 1_000;
  }

  async answer(pick: number, how: number): Promise<void> {
    const state = await this.world.state();
    const call = at(
      state.threads.flatMap((thread) => blocking(thread)),
      pick,
    );
    if (call === undefined) return;
    const result = how % 3 === 0 ? ('deny' as const) : ('allow' as const);
    const event =
      call.waitsFor === 'client'
        ? { type: 'user.custom_tool_result' as const, custom_tool_use_id: call.id, content: [] }
        : { type: 'user.tool_confirmation' as const, tool_use_id: call.id, result };
    await this.quietly(this.crew.send(event));
  }

  model(pick: number, how: number): void {
    const call = at(this.crew.waiting, pick);
    if (call === undefined) return;
    const known = at(this.crew.children(), how);
    const write: ModelOutput[] = [delegate({ ...(known ? { thread_id: known } : {}), message: 'more' })];
    const two = [delegate({ agent: 'scout', message: 'a' }), delegate({ agent: 'scribe', message: 'b' })];
    const replies: (ModelOutput[] | ModelFailure)[] = [
      [say('words')],
      [say('more words')],
      [delegate({ agent: 'scout', message: 'look' })],
      write,
      [...two, use('bash')],
      [use('bash'), use('read')],
      [use('write'), use('bash')],
      [use('ticket')],
      [use('grep')],
      [delegate({ agent: 'nobody', message: 'x' }), ...write],
      new ModelFailure('unknown_error', 'busy', { retryable: true }),
      new ModelFailure('unknown_error', 'broken', { retryable: false }),
    ];
    const reply = replies[how] ?? [say('words')];
    if (reply instanceof ModelFailure) call.fail(reply);
    else call.settle(reply);
  }
}

function at<T>(list: readonly T[], pick: number): T | undefined {
  return list.length === 0 ? undefined : list[pick % list.length];
}

async function logOf({ world }: Play): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of readEntries(world.log, 0)) entries.push(entry);
  return entries;
}

async function check(play: Play): Promise<void> {
  const { crew, world } = play;
  const entries = await logOf(play);
  let state: State = foldOf(world.spec).initial;
  for (const [index, entry] of entries.entries()) {
    state = evolve(state, entry);
    const { event } = entry;
    // The session's usage stands directly before it is idle, when no thread works.
    if (event.type === 'session.status_idle') {
      expect(entries[index - 1]?.event.type).toBe('session.usage');
      expect(statusOf(state)).toBe('idle');
    }
    // A thread only says, calls and asks while it runs.
    if (event.type === 'agent.message' || event.type === 'agent.tool_use') {
      const owner = state.threads.find(({ id }) => id === (entry.note?.thread ?? PRIMARY));
      expect(owner?.status).toBe('running');
    }
  }
  // What the session says it is, is what its threads are.
  expect(state.status).toBe(statusOf(state));
  if (!play.down) {
    expect(crew.runtime.threads.map(({ id, status }) => [id, status])).toEqual(
      state.threads.map(({ id, status }) => [id, status]),
    );
  }
  if (state.status === 'running' || state.status === 'rescheduling') expect(world.alarmAt).not.toBeNull();
  for (const thread of state.threads) {
    if (thread.status === 'running') continue;
    expect(thread.openSpan).toBeNull();
    // A thread at rest with something to read waits for an answer first.
    if (thread.status === 'idle' && blocking(thread).length === 0) expect(thread.queue).toEqual([]);
  }
  expect(new Set(world.harness.performed).size).toBe(world.harness.performed.length);
}

async function finish(play: Play): Promise<State> {
  play.world.appendFails = false;
  for (let round = 0; round < 200; round++) {
    if (play.down) await play.revive();
    await quiesce();
    const state = await play.world.state();
    const rests = state.status === 'idle' && state.threads.every((thread) => blocking(thread).length === 0);
    if (rests && play.world.alarmAt === null) return state;
    if (play.crew.waiting.length === 0) await play.ring();
    for (const _ of play.crew.waiting.slice()) play.model(0, 0);
    for (const call of play.world.harness.waitingTools) call.settle(outcome('ok'));
    await play.answer(0, 1);
  }
  throw new Error(`never came to rest: ${JSON.stringify(await play.world.state())}`);
}

async function checkEnd(play: Play, state: State): Promise<void> {
  const entries = await logOf(play);
  const ended = new Set(state.threads.flatMap(({ id, status }) => (status === 'terminated' ? [id] : [])));
  const sent = entries.flatMap(({ event }) => (event.type === 'agent.thread_message_sent' ? [event] : []));
  const delivered = entries.flatMap(({ note }) => (note?.delivers ? [note.delivers] : []));
  // Every message between threads is read, once, by the one it is for.
  expect([...delivered].sort()).toEqual(sent.map(({ id }) => id).sort());
  for (const { event, note } of entries) {
    if (note?.delivers === undefined) continue;
    const message = sent.find(({ id }) => id === note.delivers);
    expect(message?.to_session_thread_id).toBe(note.thread ?? PRIMARY);
    if (event.type !== 'agent.thread_message_received') throw new Error(`${event.type} delivers`);
    expect(event.content).toEqual(message?.content);
  }
  // Whoever was given work answers, or says why not, as often as it came to rest with it, and at least once.
  for (const { id, parentId } of state.threads) {
    if (parentId === null) continue;
    const answers = entries.filter(
      ({ event, note }) => event.type === 'agent.thread_message_sent' && note?.thread === id,
    );
    expect(answers.length, `${id} ${ended.has(id) ? 'ended' : 'rests'}`).toBeGreaterThan(0);
  }
  const taken = entries.flatMap(({ event }) =>
    event.type === 'user.message' && event.processed_at !== null ? [event.id] : [],
  );
  expect([...taken].sort()).toEqual([...play.accepted].sort());
  const uses = entries.filter(({ event }) => event.type.endsWith('tool_use')).map(({ event }) => event.id);
  const results = entries.flatMap(({ event }) => {
    if (event.type === 'agent.tool_result') return [event.tool_use_id];
    return event.type === 'user.custom_tool_result' ? [event.custom_tool_use_id] : [];
  });
  expect([...results].sort()).toEqual([...uses].sort());
  const tokens = state.threads.reduce((sum, { usage }) => sum + usage.output_tokens, 0);
  expect(tokens).toBe(state.usage.output_tokens);
}

it(
  'holds its invariants under any schedule',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
        const play = new Play(await Crew.open());
        await play.send(undefined);
        for (const next of steps) {
          await play.take(next);
          await quiesce();
          await check(play);
        }
        await checkEnd(play, await finish(play));
      }),
      { numRuns: RUNS },
    );
  },
  TIMEOUT,
);
