import { describe, expect, it } from 'vitest';
import { announcementsOf } from './announcements.ts';
import { type Entry, made, noted } from './entry.ts';
import { say } from './scripted-harness.ts';
import { hello, Stage } from './testing/stage.ts';
import { quiesce, until } from './testing.ts';

const stamp = { now: Date.UTC(2026, 0, 1), newId: () => 'sevt_7' };
const named = { session_thread_id: 'sthr_1', agent_name: 'tester' };
const idle = (reason: 'end_turn' | 'budget_reached') =>
  made(stamp, 'session.status_idle', { stop_reason: { type: reason }, stop_details: null });
const waiting = { stop_reason: { type: 'requires_action' as const, event_ids: [] }, stop_details: null };
const terminated = made(stamp, 'session.status_terminated', {});
const evaluation = {
  outcome_id: 'outc_1',
  outcome_evaluation_start_id: '',
  iteration: 0,
  result: 'satisfied' as const,
  explanation: '',
  usage: { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
};

describe('what webhooks tell of a session', () => {
  it.each<[Entry, string[]]>([
    [made(stamp, 'session.status_running', {}), ['session.status_run_started']],
    [idle('end_turn'), ['session.status_idled']],
    [idle('budget_reached'), ['session.status_idled', 'session.budget_reached']],
    [made(stamp, 'session.status_idle', waiting), ['session.status_idled', 'session.requires_action']],
    [made(stamp, 'session.status_rescheduled', {}), ['session.status_rescheduled']],
    [terminated, ['session.status_terminated']],
    [noted(terminated, { archived: true }), ['session.status_terminated', 'session.archived']],
    [made(stamp, 'session.updated', { title: 'New' }), ['session.updated']],
    [noted(made(stamp, 'session.updated', {}), { fork: { into: 'sesn_2' } }), []],
    [made(stamp, 'session.deleted', {}), ['session.deleted']],
    [made(stamp, 'session.thread_created', { ...named, workflow_run_id: null }), ['session.thread_created']],
    [made(stamp, 'session.thread_status_idle', { ...named, ...waiting }), ['session.thread_idled']],
    [made(stamp, 'session.thread_status_terminated', named), ['session.thread_terminated']],
    [noted(made(stamp, 'session.thread_status_terminated', named), { again: true }), []],
    [made(stamp, 'session.thread_status_running', named), []],
    [made(stamp, 'span.outcome_evaluation_end', evaluation), ['session.outcome_evaluation_ended']],
  ])('%o', (entry, types) => {
    const told = announcementsOf(entry, 'sesn_1');
    expect(told.map(({ type }) => type)).toEqual(types);
    expect(new Set(told.map(({ eventId }) => eventId)).size).toBe(types.length);
    for (const one of told) {
      expect(one).toMatchObject({ id: 'sesn_1', now: stamp.now, eventId: expect.stringMatching(/^whe_7/) });
      expect('threadId' in one).toBe(one.type.startsWith('session.thread_'));
    }
  });
});

describe('the run of a deployment', () => {
  it.each<[Entry, string | undefined]>([
    [idle('end_turn'), 'succeeded'],
    [idle('budget_reached'), 'failed'],
    [made(stamp, 'session.status_idle', waiting), undefined],
    [terminated, 'failed'],
    [made(stamp, 'session.status_running', {}), undefined],
  ])('ends with %o: %s', (entry, how) => {
    expect(announcementsOf(entry, 'sesn_1')[0]?.ends).toBe(how);
  });
});

describe('a session', () => {
  it('has told of its turn when it is idle, of its end before it is erased, and of each once', async () => {
    const stage = await Stage.open();
    await stage.send(hello);
    await stage.replies([say('done')]);
    await until(() => stage.world.index?.status === 'idle');
    await stage.runtime.delete();
    await until(() => stage.world.erased);
    expect([...stage.world.announced.values()].map(({ type }) => type)).toEqual([
      'session.status_run_started',
      'session.thread_idled',
      'session.status_idled',
      'session.deleted',
    ]);
  });

  it('tells what happened while the control plane was away once that is back, in another process', async () => {
    const stage = await Stage.open();
    const { world } = stage;
    world.indexFails = true;
    await stage.send(hello);
    await stage.replies([say('done')]);
    await stage.rests();
    await quiesce();
    expect(world.announced.size).toBe(0);
    world.indexFails = false;
    await stage.restart();
    await until(() => world.announced.size === 3);
    expect(world.marks.get('announced')).toBe(String((await world.events()).length));
  });
});
