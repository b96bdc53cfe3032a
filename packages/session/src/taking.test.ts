import { describe, expect, it } from 'vitest';
import { sizeOfContent } from './content-size.ts';
import type { Input } from './state.ts';
import { dueInput, sizeOfInput, take } from './taking.ts';
import { Machine } from './testing/machine.ts';

const content = [{ type: 'text' as const, text: 'hello' }];
const stamp = { now: 4_000, newId: () => 'sevt_new' };

function said(id: string, type: 'user.message' | 'system.message' = 'user.message'): Input {
  return { kind: 'event', id, event: { type, id, processed_at: null, content } };
}

describe('what is due with a model call', () => {
  const queue = [said('a'), said('b', 'system.message'), said('c'), said('d')];
  const due = (change: { unanswered?: boolean; unseen?: boolean; steps?: number }, waiting = queue) => {
    const thread = { ...new Machine().primary, queue: waiting, ...change };
    return dueInput(thread).map(({ id }) => id);
  };

  it('is one message, with what the system says of it', () => {
    expect(due({})).toEqual(['a', 'b']);
    expect(due({ steps: 3 })).toEqual(['a', 'b']);
    expect(due({}, [said('c'), said('d')])).toEqual(['c']);
    expect(due({}, [])).toEqual([]);
  });

  it('is only what the system says, where something is to be replied to already', () => {
    expect(due({ unanswered: true })).toEqual([]);
    expect(due({ unanswered: true }, queue.slice(1))).toEqual(['b']);
  });

  it.each([{ unanswered: true }, { unseen: true }])('is all of it within a tool loop: %j', (change) => {
    expect(due({ ...change, steps: 1 })).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('input that is taken', () => {
  const { primary } = new Machine();

  it('is the event that waited, processed now', () => {
    const entries = take(primary, [said('a')], stamp);
    expect(entries).toEqual([
      { event: { type: 'user.message', id: 'a', processed_at: '1970-01-01T00:00:04.000Z', content } },
    ]);
  });

  it('is what another thread said, and whose it was', () => {
    const spill = [{ key: 'blob', field: 'content' as const, bytes: 9 }];
    const message = { kind: 'message' as const, id: 'sevt_sent', from: 'sthr_2', fromName: 'scout', content };
    const received = {
      type: 'agent.thread_message_received',
      from_session_thread_id: 'sthr_2',
      from_agent_name: 'scout',
      content,
    };
    const [plain, spilled] = take(primary, [message, { ...message, spill }], stamp);
    expect(plain).toMatchObject({ event: received });
    expect(plain?.note).toEqual({ delivers: 'sevt_sent' });
    expect(spilled?.note).toEqual({ delivers: 'sevt_sent', spill });
  });
});

it('input is as large as its content, with what stands elsewhere', () => {
  const size = sizeOfContent(content);
  const spill = [
    { key: 'one', field: 'content' as const, bytes: 500 },
    { key: 'two', field: 'content' as const, bytes: 900, chars: 70 },
  ];
  const message = { kind: 'message' as const, id: 'sevt_sent', from: 'sthr_2', fromName: null, content };
  for (const input of [said('a'), message]) {
    expect(sizeOfInput(input)).toBe(size);
    expect(sizeOfInput({ ...input, spill })).toBe(size + 570);
  }
});
