import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.ts';

const complete = { MODAL_TOKEN_ID: 'ak', MODAL_TOKEN_SECRET: 'as', CAPSTAN_GATEWAY_SECRET: 's'.repeat(32) };

describe('readSettings', () => {
  it('listens on loopback unless it is told otherwise', () => {
    expect(readSettings(complete)).toMatchObject({
      host: '127.0.0.1',
      port: 8790,
      secrets: ['s'.repeat(32)],
    });
    const told = { ...complete, CAPSTAN_GATEWAY_HOST: '::', CAPSTAN_GATEWAY_PORT: '0' };
    expect(readSettings(told)).toMatchObject({ host: '::', port: 0 });
  });

  it('accepts the previous secret after the current one', () => {
    const rotating = { ...complete, CAPSTAN_GATEWAY_SECRET_PREVIOUS: 'p'.repeat(32) };
    expect(readSettings(rotating).secrets).toEqual(['s'.repeat(32), 'p'.repeat(32)]);
  });

  it.each([
    [{ MODAL_TOKEN_ID: '' }, /^MODAL_TOKEN_ID is missing: set it/],
    [{ MODAL_TOKEN_SECRET: undefined }, /^MODAL_TOKEN_SECRET is missing/],
    [{ CAPSTAN_GATEWAY_SECRET: undefined }, /^CAPSTAN_GATEWAY_SECRET is missing/],
    [
      { CAPSTAN_GATEWAY_SECRET: 's'.repeat(31) },
      /^CAPSTAN_GATEWAY_SECRET has 31 characters: it needs at least 32/,
    ],
    [{ CAPSTAN_GATEWAY_SECRET_PREVIOUS: 'short' }, /^CAPSTAN_GATEWAY_SECRET_PREVIOUS has 5 characters/],
    [{ CAPSTAN_GATEWAY_PORT: '65536' }, /^CAPSTAN_GATEWAY_PORT is "65536"/],
    [{ CAPSTAN_GATEWAY_PORT: 'http' }, /^CAPSTAN_GATEWAY_PORT is "http"/],
  ])('refuses %o in one line', (change, problem) => {
    expect(() => readSettings({ ...complete, ...change })).toThrow(problem);
  });

  it('never tells a secret', () => {
    const secret = 'hunter2';
    expect(() => readSettings({ ...complete, CAPSTAN_GATEWAY_SECRET: secret })).not.toThrow(secret);
  });
});
