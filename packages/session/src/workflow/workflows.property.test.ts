// Random plans under random schedules of models, interrupts, stops, alarms and crashes. Whatever happens, each run that is
// created ends once and as the last of its events, its phases pair up, no step has two threads, and no more threads are at
// work than may be.
import { workflowPlan } from '@capstan/schema/workflow-plans';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LoggedEntry } from '../entry.ts';
import { evolve } from '../evolve.ts';
import { foldOf } from '../fold.ts';
import { ModelFailure, type ModelOutput } from '../harness.ts';
import { readEntries } from '../log-reader.ts';
import { outcome, say, use } from '../scripted-harness.ts';
import type { State } from '../state.ts';
import { message, PRIMARY } from '../testing/crew.ts';
import { Flows } from '../testing/flows.ts';
import { quiesce } from '../testing.ts';
import { blocking } from '../thread.ts';
import { MAX_AT_ONCE, MAX_OPEN_RUNS } from './run.ts';

interface Sketch {
  /** Of each phase, its steps: how many items each is for; 0: it has none, -1: the list that the first step made. */
  phases: number[][];
}

/** Most are short, a few have more than may be at work at once. */
const items = fc.oneof(
  { weight: 25, arbitrary: fc.integer({ min: -1, max: 3 }) },
  { weight: 1, arbitrary: fc.constant(70) },
);

const sketch: fc.Arbitrary<Sketch> = fc.record({
  phases: fc.array(fc.array(items, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  }),
});

/** A plan of that sketch: every phase refers to the one before it, and lists to what the first step has made. */
function planOf({ phases }: Sketch) {
  return {
    phases: phases.map((steps, at) => ({
      name: `Phase ${at}`,
      steps: steps.map((items, index) => {
        const single = at === 0 && index === 0;
        const list = single ? {} : listOf(items, at);
        const before = at === 0 ? '' : ` {{steps.s${at - 1}x0}}`;
        const item = Object.keys(list).length === 0 ? '' : ' {{item}}';
        const agent = index % 2 === 0 ? 'scout' : 'scribe';
        return { id: `s${at}x${index}`, agent, message: `Do ${at}.${index}${before}${item}`, ...list };
      }),
    })),
  };
}

function listOf(items: number, phase: number) {
  if (items > 0) return { for_each: many(items) };
  return items < 0 && phase > 0 ? { for_each_of: 's0x0' } : {};
}

const many = (count: number) => Array.from({ length: count }, (_, index) => `item ${index}`);

type Step =
  | { do: 'start'; sketch: Sketch }
  | { do: 'model' | 'answer' | 'interrupt' | 'tool'; pick: number; how: number }
  | { do: 'all' | 'stop' | 'send' | 'crash' | 'ring' | 'day' }
  | { do: 'storage'; fails: boolean };

const chosen = fc.record({
  do: fc.constantFrom(
    'model' as const,
    'model' as const,
    'model' as const,
    'answer' as const,
    'interrupt' as const,
    'tool' as const,
  ),
  pick: fc.nat(200),
  how: fc.nat(9),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: chosen },
  { weight: 3, arbitrary: sketch.map((one): Step => ({ do: 'start', sketch: one })) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>(
      { do: 'all' },
      { do: 'stop' },
      { do: 'send' },
      { do: 'crash' },
      { do: 'crash' },
      { do: 'ring' },
      { do: 'day' },
    ),
  },
  { weight: 1, arbitrary: fc.boolean().map((fails): Step => ({ do: 'storage', fails })) },
);

const at = <T>(list: readonly T[], pick: number): T | undefined =>
  list.length === 0 ? undefined : list[pick % list.length];

class Play {
  flows: Flows;
  #crashed = false;

  constructor(flows: Flows) {
    this.flows = flows;
  }

  get down(): boolean {
    return this.#crashed || this.flows.runtime.dead;
  }

  async revive(): Promise<boolean> {
    this.#crashed = await this.flows.restart().then(
      () => false,
      () => true,
    );
    return !this.down;
  }

  async take(next: Step): Promise<void> {
    const { flows } = this;
    if (this.down && !(await this.revive())) return;
    const quietly = (work: Promise<unknown>) => work.catch(() => undefined);
    switch (next.do) {
      case 'start':
        return this.agentCalls(use('start_workflow', planOf(next.sketch)));
      case 'stop': {
        const [run] = (await flows.world.state()).runs;
        return this.agentCalls(use('stop_workflow', { workflow_run_id: run?.id ?? 'wrun_none' }));
      }
      case 'model':
        return this.model(next.pick, next.how);
      case 'tool':
        at(flows.world.harness.waitingTools, next.pick)?.settle(outcome('ok'));
        return;
      case 'answer':
        await this.answer(next.pick, next.how);
        return;
      case 'interrupt': {
        const session_thread_id = at(flows.runtime.threads, next.pick)?.id ?? PRIMARY;
        await quietly(flows.send({ type: 'user.interrupt', session_thread_id }));
        return;
      }
      case 'all':
        await quietly(flows.send({ type: 'user.interrupt' }));
        return;
      case 'send':
        await quietly(flows.send(message('more')));
        return;
      case 'crash':
        await this.revive();
        return;
      case 'day':
        flows.world.now += 25 * 60 * 60_000;
        return this.ring();
      case 'ring':
        return this.ring();
      case 'storage':
        flows.world.appendFails = next.fails;
    }
  }

  async ring(): Promise<void> {
    const { world, runtime } = this.flows;
    if (world.alarmAt !== null) await world.ring(runtime).catch(() => undefined);
    if (this.down) world.alarmAt = world.now + 1_000;
  }

  /** The session's agent is asked, and makes the call. */
  async agentCalls(call: ModelOutput): Promise<void> {
    await this.flows.send(message('go on')).catch(() => undefined);
    await quiesce();
    if (!this.down && this.flows.asks(PRIMARY)) (await this.flows.model(PRIMARY)).settle([call]);
  }

  model(pick: number, how: number): void {
    const call = at(this.flows.waiting, pick);
    if (call === undefined) return;
    const replies: (ModelOutput[] | ModelFailure)[] = [
      [say('words')],
      [say('["one", "two", "three"]')],
      [say('words {{steps.s0x0}}')],
      [use('bash')],
      [use('write')],
      [use('write')],
      [say('writing'), use('write'), use('bash')],
      [use('check_workflow')],
      new ModelFailure('unknown_error', 'busy', { retryable: true }),
      new ModelFailure('unknown_error', 'broken', { retryable: false }),
    ];
    const reply = replies[how] ?? [say('["four"]')];
    if (reply instanceof ModelFailure) call.fail(reply);
    else call.settle(reply);
  }

  async answer(pick: number, how: number): Promise<void> {
    const { threads } = await this.flows.world.state();
    const call = at(threads.flatMap(blocking), pick);
    if (call === undefined) return;
    const result = how % 3 === 0 ? ('deny' as const) : ('allow' as const);
    await this.flows
      .send({ type: 'user.tool_confirmation', tool_use_id: call.id, result })
      .catch(() => undefined);
  }
}

async function logOf({ flows }: Play): Promise<LoggedEntry[]> {
  const entries: LoggedEntry[] = [];
  for await (const entry of readEntries(flows.world.log, 0)) entries.push(entry);
  return entries;
}

interface Course {
  created: number;
  ended: number;
  phase: string | null;
  started: string[];
  status: string | null;
  tasks: string[];
}

/** Holds at every row of the log; the state after it. */
async function check(play: Play): Promise<State> {
  const courses = new Map<string, Course>();
  let state: State = foldOf(play.flows.world.spec).initial;
  for (const entry of await logOf(play)) {
    follow(courses, entry);
    if (entry.event.type === 'workflow_run.phase_started') {
      const { workflow_run_id: id } = entry.event;
      const before = state.threads.filter(({ step: of }) => of?.runId === id);
      expect(before.every(({ status }) => status === 'terminated')).toBe(true);
    }
    state = evolve(state, entry);
  }
  expect(state.runs.length).toBeLessThanOrEqual(MAX_OPEN_RUNS);
  const working = state.threads.filter(({ step: of, status }) => of && status !== 'terminated');
  expect(working.length).toBeLessThanOrEqual(MAX_AT_ONCE);
  for (const run of state.runs) {
    // An open run waits for a thread of it, or for the others' to make room.
    const own = working.some(({ step: of }) => of?.runId === run.id);
    expect(own || working.length === MAX_AT_ONCE, JSON.stringify(run)).toBe(true);
    const runs = working.some(({ step: of, status }) => of?.runId === run.id && status !== 'idle');
    expect(run.status).toBe(runs ? 'running' : 'idle');
  }
  for (const [id, { created, ended }] of courses) {
    expect([created, ended], id).toEqual([1, state.runs.some((run) => run.id === id) ? 0 : 1]);
  }
  // Nobody works for a run that has ended.
  for (const { step: of } of working) expect(state.runs.some(({ id }) => id === of?.runId)).toBe(true);
  return state;
}

function follow(courses: Map<string, Course>, { event, note }: LoggedEntry): void {
  if (!('workflow_run_id' in event) || event.workflow_run_id === null) return;
  const id = event.workflow_run_id;
  const course = courses.get(id) ?? {
    created: 0,
    ended: 0,
    phase: null,
    started: [],
    status: null,
    tasks: [],
  };
  courses.set(id, course);
  expect(course.ended, `${event.type} after the end`).toBe(0);
  expect(course.created).toBe(event.type === 'workflow_run.created' ? 0 : 1);
  switch (event.type) {
    case 'workflow_run.created':
      course.created += 1;
      return;
    case 'workflow_run.status_running':
    case 'workflow_run.status_idle':
      expect(event.type).not.toBe(course.status);
      course.status = event.type;
      return;
    case 'workflow_run.phase_started':
      expect(course.status).not.toBeNull();
      expect(course.phase).toBeNull();
      expect(course.started).not.toContain(event.workflow_run_phase_id);
      course.phase = event.id;
      course.started.push(event.workflow_run_phase_id);
      return;
    case 'workflow_run.phase_ended':
      expect(event.phase_started_id).toBe(course.phase);
      course.phase = null;
      return;
    case 'workflow_run.status_ended':
      expect(course.phase).toBeNull();
      course.ended += 1;
      return;
    case 'session.thread_created': {
      const { stepId, index } = note?.created?.step ?? {};
      expect(course.phase).not.toBeNull();
      expect(course.tasks).not.toContain(`${stepId}#${index}`);
      course.tasks.push(`${stepId}#${index}`);
    }
  }
}

async function finish(play: Play): Promise<void> {
  play.flows.world.appendFails = false;
  for (let round = 0; round < 400; round++) {
    if (play.down) await play.revive();
    await quiesce();
    const { status, threads, runs } = await play.flows.world.state();
    if (status === 'idle' && runs.length === 0 && threads.every((thread) => blocking(thread).length === 0))
      return;
    if (play.flows.waiting.length === 0) await play.ring();
    for (const _ of play.flows.waiting.slice()) play.model(0, 0);
    for (const call of play.flows.world.harness.waitingTools) call.settle(outcome('ok'));
    await play.answer(0, 1);
  }
  throw new Error(`never came to rest: ${JSON.stringify(await play.flows.world.state())}`);
}

it('takes every plan that refers to nothing but what is before it', () => {
  fc.assert(
    fc.property(sketch, (one) => {
      expect(workflowPlan.safeParse(planOf(one)).error).toBeUndefined();
    }),
  );
});

it('ends every run once, under any schedule', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(sketch, fc.array(step, { maxLength: 40 }), async (first, steps) => {
      const play = new Play(await Flows.begin());
      await play.take({ do: 'start', sketch: first });
      for (const next of steps) {
        await play.take(next);
        await quiesce();
        await check(play);
      }
      await finish(play);
      const { threads } = await check(play);
      runs += new Set(threads.map(({ step: of }) => of?.runId)).size - 1;
    }),
    { numRuns: Number(process.env.RUNS ?? 60) },
  );
  expect(runs).toBeGreaterThan(0);
}, 120_000);
