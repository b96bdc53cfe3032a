import { createLogger } from '@capstan/shared/logger';
import { describe, expect, it } from 'vitest';
import {
  answerOf,
  createDenialLog,
  DENIALS,
  type DenialReason,
  EgressRefusal,
  isDenialReason,
} from './denial.ts';

describe('denials', () => {
  const reasons = Object.keys(DENIALS).filter(isDenialReason);

  it.each(reasons)('%s has an answer that any client can read', (reason: DenialReason) => {
    const target = { host: { kind: 'name', text: 'api.test' }, port: 443 } as const;
    const { status, statusText, headers, body } = answerOf(new EgressRefusal(reason, 'DETAIL'), target);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(statusText + body).toMatch(/^[\x20-\x7e\n]+$/);
    expect(JSON.parse(body).error).toEqual({
      type: 'egress_denied',
      reason,
      message: expect.stringMatching(/^api\.test:443: .* \(DETAIL\)$/),
    });
    expect(headers).toContainEqual(['Content-Length', String(body.length)]);
  });

  it('are told up to a hundred in a minute for each sandbox, then counted', () => {
    const lines: Record<string, unknown>[] = [];
    let now = 0;
    const log = createDenialLog({
      log: createLogger((line) => lines.push(JSON.parse(line))),
      now: () => now,
    });
    const tell = (sandbox: string) => log.tell({ sandbox, target: null }, 'network_blocked');
    for (let i = 0; i < 120; i++) tell('one');
    tell('two');
    expect(lines.map(({ sandbox }) => sandbox)).toEqual([...Array(100).fill('one'), 'two']);
    now = 60_000;
    tell('two');
    expect(lines.slice(101)).toMatchObject([
      { event: 'egress.denied_more', sandbox: 'one', count: 20 },
      { event: 'egress.denied', sandbox: 'two' },
    ]);
  });
});
