import { describe, expect, it } from 'vitest';
import {
  KEPT_EVENT_TYPES,
  subjectOf,
  WEBHOOK_EVENT_TYPES,
  type WebhookFilter,
  wantedAs,
} from './webhook-events.ts';

describe('the names of webhook events', () => {
  it('are the 49 of the API', () => {
    expect(new Set(WEBHOOK_EVENT_TYPES).size).toBe(49);
    expect(WEBHOOK_EVENT_TYPES).toHaveLength(49);
  });

  it.each<[WebhookFilter[], (typeof KEPT_EVENT_TYPES)[number], string | null]>([
    [['session.status_idled'], 'session.status_idled', 'session.status_idled'],
    [['session.idled'], 'session.status_idled', 'session.idled'],
    [['session.idled', 'session.status_idled'], 'session.status_idled', 'session.status_idled'],
    [['session.idled', '*'], 'session.status_idled', 'session.idled'],
    [['session.running'], 'session.status_run_started', 'session.running'],
    [['session.pending'], 'session.status_rescheduled', 'session.pending'],
    [['session.*'], 'session.status_idled', 'session.status_idled'],
    [['vault.*'], 'vault_credential.created', null],
    [['vault_credential.*'], 'vault_credential.created', 'vault_credential.created'],
    [['*'], 'agent.created', 'agent.created'],
    [['agent.updated'], 'agent.created', null],
    [[], 'agent.created', null],
  ])('%j gets %s as %s', (filters, type, name) => {
    expect(wantedAs(filters, type)).toBe(name);
  });

  it('reach an endpoint that names them, whichever it is', () => {
    for (const name of WEBHOOK_EVENT_TYPES) {
      const got = KEPT_EVENT_TYPES.filter((type) => wantedAs([name], type) === name);
      expect(got).toHaveLength(1);
    }
  });
});

describe('what an event tells of its resource', () => {
  it('is its id, and whose it is', () => {
    expect(subjectOf({ type: 'agent.created', id: 'agent_1', now: 0 })).toEqual({ id: 'agent_1' });
    const thread = { type: 'session.thread_idled' as const, id: 'sesn_1', threadId: 'sthr_1', now: 0 };
    expect(subjectOf(thread)).toEqual({ id: 'sesn_1', session_thread_id: 'sthr_1' });
    const credential = { type: 'vault_credential.deleted' as const, id: 'vcrd_1', vaultId: 'vlt_1', now: 0 };
    expect(subjectOf(credential)).toEqual({ id: 'vcrd_1', vault_id: 'vlt_1' });
  });
});
