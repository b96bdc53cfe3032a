// Random plans under random schedules of models, interrupts, stops, alarms and crashes. Whatever happens, each run that is
// created ends once and as the last of its events, its phases pair up, no step has two threads, and no more threads are at
// work than may be.
import { workflowPlan } from '@capstan/schema/workflow-plans';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { LoggedEntry } from '../entry.ts';
import { evolve } from '../evolve.ts';
import { foldOf } from '../fold.ts';
import { readEntries } from '../log-reader.ts';
import type { State } from '../state.ts';
import { FlowPlay, finish, planOf, sketch, step } from '../testing/flow-play.ts';
import { Flows } from '../testing/flows.ts';
import { quiesce } from '../testing.ts';
import { MAX_AT_ONCE, MAX_OPEN_RUNS } from './run.ts';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 40);
const TIMEOUT = 60_000 + RUNS * 1_000;

async function logOf({ flows }: FlowPlay): Promise<LoggedEntry[]> {
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
async function check(play: FlowPlay): Promise<State> {
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
      const made = note?.created;
      const { stepId, index } = made && 'step' in made ? made.step : {};
      expect(course.phase).not.toBeNull();
      expect(course.tasks).not.toContain(`${stepId}#${index}`);
      course.tasks.push(`${stepId}#${index}`);
    }
  }
}

it('takes every plan that refers to nothing but what is before it', () => {
  fc.assert(
    fc.property(sketch, (one) => {
      expect(workflowPlan.safeParse(planOf(one)).error).toBeUndefined();
    }),
  );
});

it(
  'ends every run once, under any schedule',
  async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(sketch, fc.array(step, { maxLength: 40 }), async (first, steps) => {
        const play = new FlowPlay(await Flows.begin());
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
      { numRuns: RUNS },
    );
    expect(runs).toBeGreaterThan(0);
  },
  TIMEOUT,
);
