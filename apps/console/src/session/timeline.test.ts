import type { SessionEvent } from '@capstan/schema/events';
import { describe, expect, it } from 'vitest';
import { judgementOf, type ToolUse, toTimeline } from './timeline.ts';

const at = '2026-11-20T10:00:00Z';
const use = (id: string): SessionEvent => ({
  id,
  type: 'agent.tool_use',
  processed_at: at,
  name: 'bash',
  input: {},
});
const waitsFor = (ids: string[]): SessionEvent => ({
  id: `idle-${ids.join()}`,
  type: 'session.status_idle',
  processed_at: at,
  stop_reason: ids.length === 0 ? { type: 'end_turn' } : { type: 'requires_action', event_ids: ids },
  stop_details: null,
});
const running: SessionEvent = { id: 'run', type: 'session.status_running', processed_at: at };
const read = (...events: SessionEvent[]) => toTimeline({ events, previews: [] });

describe('toTimeline', () => {
  it('joins a use, its result and the decision about it', () => {
    const timeline = read(
      use('u'),
      { id: 'c', type: 'user.tool_confirmation', processed_at: at, tool_use_id: 'u', result: 'allow' },
      { id: 'r', type: 'agent.tool_result', processed_at: at, tool_use_id: 'u', content: [] },
    );
    expect(timeline.items).toMatchObject([
      { kind: 'tool', use: { id: 'u' }, result: { id: 'r' }, confirmation: { id: 'c' }, awaiting: false },
    ]);
  });

  it('shows a result whose use is on an earlier page', () => {
    const result: SessionEvent = { id: 'r', type: 'agent.tool_result', processed_at: at, tool_use_id: 'u' };
    expect(read(result).items).toMatchObject([{ kind: 'note', key: 'r' }]);
  });

  it('waits for the person only while the last status says so and no answer was given', () => {
    const answer: SessionEvent = {
      id: 'c',
      type: 'user.tool_confirmation',
      processed_at: null,
      tool_use_id: 'a',
      result: 'allow',
    };
    const ids = (...events: SessionEvent[]) =>
      read(use('a'), use('b'), ...events).awaiting.map(({ id }) => id);
    expect(ids(waitsFor(['a', 'b']))).toEqual(['a', 'b']);
    expect(ids(waitsFor(['a', 'b']), answer)).toEqual(['b']);
    expect(ids(waitsFor(['a', 'b']), answer, waitsFor(['b']))).toEqual(['b']);
    expect(ids(waitsFor(['a', 'b']), running)).toEqual([]);
  });

  it('knows the status by its last event, and nothing without one', () => {
    expect(read().status).toBeUndefined();
    expect(read(running).status).toBe('running');
    expect(read(running, waitsFor([])).status).toBe('idle');
  });

  it('names who answered each message', () => {
    const timeline = read(
      {
        id: 's',
        type: 'span.model_request_start',
        processed_at: at,
        capstan: { provider: 'dev', model: 'm' },
      },
      { id: 'm', type: 'agent.message', processed_at: at, content: [{ type: 'text', text: 'hi' }] },
    );
    expect(timeline.items).toMatchObject([{ kind: 'agent', text: 'hi', answerer: { provider: 'dev' } }]);
  });

  it('shows how long a sandbox took, phase by phase', () => {
    const phase = { started_after_ms: 0, repository_url: null };
    const boot: SessionEvent = {
      id: 'boot',
      type: 'span.sandbox_boot',
      processed_at: at,
      sandbox: 'restored',
      started_at: at,
      duration_ms: 1_540,
      phases: [
        { ...phase, name: 'create', duration_ms: 300 },
        { ...phase, name: 'clone', duration_ms: 1_240 },
      ],
    };
    const text = 'Sandbox restored in 1.5 s (create 0.3 s, clone 1.2 s)';
    expect(read(boot).items).toMatchObject([{ kind: 'note', text }]);
  });

  it('shows an event of a type it does not know by its name', () => {
    const unknown: SessionEvent = JSON.parse(`{"id":"x","type":"agent.dreamed","processed_at":"${at}"}`);
    expect(read(unknown).items).toMatchObject([{ kind: 'note', text: 'agent.dreamed' }]);
  });

  it('says when a workflow run began and how it ended, and not what it does in between', () => {
    const of = { processed_at: at, workflow_run_id: 'wrun_1' };
    const error = { type: 'timeout_error' as const, message: 'It took too long.' };
    const { items } = read(
      { ...of, id: 'a', type: 'workflow_run.created', name: 'Survey', description: null, phases: [] },
      { ...of, id: 'b', type: 'workflow_run.status_running' },
      { ...of, id: 'c', type: 'workflow_run.phase_started', workflow_run_phase_id: 'wphase_1' },
      { ...of, id: 'd', type: 'workflow_run.error', error },
      { ...of, id: 'e', type: 'workflow_run.status_ended', result: { type: 'error', error } },
    );
    expect(items.map((item) => item.kind === 'note' && item.text)).toEqual([
      'Workflow run "Survey" began',
      'Workflow run: It took too long.',
      'Workflow run failed',
    ]);
  });
});

describe('judgementOf', () => {
  const judged = (permission: object, judgement = 'It deletes.') =>
    ({
      ...use('u'),
      evaluation: { type: 'auto', evaluated_permission: permission },
      capstan: { judgement },
    }) as ToolUse;

  it('says what a call was judged to be, and why', () => {
    expect(judgementOf(judged({ type: 'deny', reason_code: 'high_risk' }))).toEqual({
      said: 'Judged to be high-risk.',
      why: 'It deletes.',
    });
    expect(judgementOf(judged({ type: 'ask', reason_code: 'indeterminate' }))?.said).toMatch(/^Not judged/);
    expect(judgementOf(judged({ type: 'deny', reason_code: 'indeterminate' }))?.said).toBe('Not judged.');
  });

  it('says nothing of a call that nobody judged', () => {
    expect(judgementOf({ ...use('u'), evaluation: { type: 'always_ask' } } as ToolUse)).toBeNull();
    expect(judgementOf(use('u') as ToolUse)).toBeNull();
  });
});
