import { describe, expect, it } from 'vitest';
import { createDeniedRequests } from './denied-requests.ts';

describe('denied requests', () => {
  const denial = { sandbox: 'sbx', target: 'evil.test:443', reason: 'host_not_allowed' } as const;

  it('are told in their order, once to each who remembers the last number', () => {
    let now = 1_000;
    const denied = createDeniedRequests(() => now);
    denied.note(denial);
    denied.note({ ...denial, target: null, reason: 'network_blocked' });
    now = 500;
    denied.note({ ...denial, sandbox: 'other' });
    const [first, second, ...rest] = denied.since('sbx', 0);
    expect(first).toEqual({
      number: 1_000,
      target: 'evil.test:443',
      reason: 'host_not_allowed',
      advice: expect.stringContaining('allowed_hosts'),
    });
    expect(second).toMatchObject({ number: 1_001, target: null, reason: 'network_blocked' });
    expect(rest).toEqual([]);
    expect(denied.since('sbx', 1_000)).toEqual([second]);
    expect(denied.since('other', 0)).toMatchObject([{ number: 1_002 }]);
    denied.forget('sbx');
    expect(denied.since('sbx', 0)).toEqual([]);
  });

  it('keep the last hundred of a sandbox, of two thousand sandboxes, and nothing of nobody', () => {
    const denied = createDeniedRequests(() => 1);
    denied.note({ ...denial, sandbox: null });
    for (let i = 0; i < 150; i++) denied.note(denial);
    expect(denied.since('sbx', 0).map(({ number }) => number)).toEqual(
      Array.from({ length: 100 }, (_, i) => 51 + i),
    );
    for (let i = 0; i < 2_000; i++) denied.note({ ...denial, sandbox: `sbx-${i}` });
    expect(denied.since('sbx', 0)).toEqual([]);
    expect(denied.since('sbx-0', 0)).toHaveLength(1);
  });
});
