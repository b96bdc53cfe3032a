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

  it('takes what a local Modal promises from its announcement, and otherwise as nothing', () => {
    const local = { ...complete, MODAL_SERVER_URL: 'http://127.0.0.1:1' };
    expect(readSettings(complete).capabilities).toBeUndefined();
    expect(readSettings(local).capabilities).toMatchObject({ isolation: 'none', gpu: false });
    const announced = {
      isolation: 'container',
      limits: { cpu: true, memory: true, pids: true, disk: false },
      snapshots: true,
      gpu: false,
    };
    const told = { ...local, CAPSTAN_SANDBOX_CAPABILITIES: JSON.stringify(announced) };
    expect(readSettings(told).capabilities).toEqual(announced);
  });

  it.each([
    [{ CAPSTAN_GATEWAY_DRAIN_MS: '1s' }, /^CAPSTAN_GATEWAY_DRAIN_MS is "1s"/],
    [{ CAPSTAN_SANDBOX_CAPABILITIES: 'strong' }, /^CAPSTAN_SANDBOX_CAPABILITIES cannot be read/],
    [{ CAPSTAN_SANDBOX_CAPABILITIES: '{}' }, /^CAPSTAN_SANDBOX_CAPABILITIES cannot be read/],
    [{ MODAL_TOKEN_ID: '' }, /^MODAL_TOKEN_ID is missing: set it/],
    [{ MODAL_TOKEN_SECRET: undefined }, /^MODAL_TOKEN_SECRET is missing/],
    [{ CAPSTAN_GATEWAY_SECRET: undefined }, /^CAPSTAN_GATEWAY_SECRET is missing/],
    [
      { CAPSTAN_GATEWAY_SECRET: 's'.repeat(31) },
      /^CAPSTAN_GATEWAY_SECRET has 31 characters: it needs at least 32/,
    ],
    [{ CAPSTAN_GATEWAY_SECRET_PREVIOUS: 'short' }, /^CAPSTAN_GATEWAY_SECRET_PREVIOUS has 5 characters/],
    [{ CAPSTAN_GATEWAY_PORT: '65536' }, /^CAPSTAN_GATEWAY_PORT is "65536"/],
    [{ CAPSTAN_EGRESS_PORT: 'http' }, /^CAPSTAN_EGRESS_PORT is "http"/],
    [{ CAPSTAN_EGRESS_PORT: '1', CAPSTAN_EGRESS_HOST: '::' }, /^CAPSTAN_EGRESS_PUBLIC_URL is missing/],
    [
      { CAPSTAN_EGRESS_PORT: '1', CAPSTAN_EGRESS_PUBLIC_URL: 'http://a/b' },
      /^CAPSTAN_EGRESS_PUBLIC_URL cannot be read/,
    ],
    [
      { CAPSTAN_EGRESS_PORT: '1', CAPSTAN_EGRESS_PUBLIC_URL: 'proxy:80' },
      /^CAPSTAN_EGRESS_PUBLIC_URL cannot be read/,
    ],
    [{ CAPSTAN_GATEWAY_PORT: 'http' }, /^CAPSTAN_GATEWAY_PORT is "http"/],
  ])('refuses %o in one line', (change, problem) => {
    expect(() => readSettings({ ...complete, ...change })).toThrow(problem);
  });

  it('has an egress proxy where it is given a port', () => {
    expect(readSettings(complete).egress).toBeNull();
    expect(readSettings({ ...complete, CAPSTAN_EGRESS_PORT: '8792' }).egress).toEqual({
      ...{ host: '127.0.0.1', port: 8792, publicUrl: null, stateDir: null, builds: false },
    });
    const told = {
      CAPSTAN_EGRESS_PORT: '0',
      CAPSTAN_EGRESS_HOST: '0.0.0.0',
      CAPSTAN_EGRESS_PUBLIC_URL: 'http://198.51.100.7:8792',
      CAPSTAN_EGRESS_STATE: '/var/lib/capstan',
      CAPSTAN_EGRESS_BUILDS: '1',
    };
    expect(readSettings({ ...complete, ...told }).egress).toEqual({
      ...{ host: '0.0.0.0', port: 0, publicUrl: 'http://198.51.100.7:8792' },
      ...{ stateDir: '/var/lib/capstan', builds: true },
    });
  });

  it('never tells a secret', () => {
    const secret = 'hunter2';
    expect(() => readSettings({ ...complete, CAPSTAN_GATEWAY_SECRET: secret })).not.toThrow(secret);
  });
});
