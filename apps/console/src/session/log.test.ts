import type { SessionEvent } from '@capstan/schema/events';
import { describe, expect, it } from 'vitest';
import { SessionLog } from './log.ts';

const at = '2026-11-20T10:00:00Z';
const message = (id: string, text: string): SessionEvent => ({
  id,
  type: 'agent.message',
  processed_at: at,
  content: [{ type: 'text', text }],
});
const asked = (id: string, processed: boolean): SessionEvent => ({
  id,
  type: 'user.message',
  processed_at: processed ? at : null,
  content: [{ type: 'text', text: id }],
});
const ids = (log: SessionLog) => log.snapshot().events.map((event) => event.id);

describe('SessionLog', () => {
  it('puts history before what the stream already brought, each event once', () => {
    const log = new SessionLog();
    log.take(message('c', 'C'));
    log.prepend([message('a', 'A'), message('b', 'B'), message('c', 'C')]);
    expect(ids(log)).toEqual(['a', 'b', 'c']);
  });

  it('moves a queued message to where the agent took it', () => {
    const log = new SessionLog();
    log.take(asked('q', false));
    log.take(message('a', 'A'));
    log.take(asked('q', true));
    expect(ids(log)).toEqual(['a', 'q']);
  });

  it('keeps the processed copy when the reply to the send comes last', () => {
    const log = new SessionLog();
    log.take(asked('q', true));
    log.take(asked('q', false));
    expect(log.snapshot().events[0]?.processed_at).toBe(at);
  });

  it('grows a preview by deltas until its event replaces it', () => {
    const log = new SessionLog();
    log.take({ type: 'event_start', event: { type: 'agent.message', id: 'm' } });
    for (const text of ['He', 'llo'])
      log.take({
        type: 'event_delta',
        event_id: 'm',
        delta: { type: 'content_delta', index: 0, content: { type: 'text', text } },
      });
    expect(log.snapshot().previews).toEqual([{ id: 'm', type: 'agent.message', text: 'Hello' }]);
    log.take(message('m', 'Hello.'));
    expect(log.snapshot().previews).toEqual([]);
    expect(ids(log)).toEqual(['m']);
  });

  it('drops a preview whose request ended without its event', () => {
    const log = new SessionLog();
    log.take({ type: 'event_start', event: { type: 'agent.message', id: 'm' } });
    log.take({
      id: 's',
      type: 'session.status_idle',
      processed_at: at,
      stop_reason: { type: 'end_turn' },
      stop_details: null,
    });
    expect(log.snapshot().previews).toEqual([]);
  });

  it('answers the same snapshot until something changes', () => {
    const log = new SessionLog();
    log.take(message('a', 'A'));
    expect(log.snapshot()).toBe(log.snapshot());
  });
});
