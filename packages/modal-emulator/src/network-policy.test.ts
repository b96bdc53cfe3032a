import { describe, expect, it } from 'vitest';
import { NetworkPolicyError, networkPolicy, parseForwards } from './network-policy.ts';
import { NetworkAccessType } from './wire.ts';

const allowlist = (allowedCidrs: string[], allowedDomains: string[] = []) =>
  networkPolicy({ networkAccessType: NetworkAccessType.allowlist, allowedCidrs, allowedDomains });

describe('networkPolicy', () => {
  it('opens forwards to an open network, as to one that says nothing, and closes them to a blocked one', () => {
    const policy = (networkAccessType: number) =>
      networkPolicy({ networkAccessType, allowedCidrs: [], allowedDomains: [] }).allowsForwards;
    expect([undefined, policy(NetworkAccessType.unspecified), policy(NetworkAccessType.open)]).toEqual([
      undefined,
      true,
      true,
    ]);
    expect(networkPolicy(undefined).allowsForwards).toBe(true);
    expect(policy(NetworkAccessType.blocked)).toBe(false);
  });

  it.each([
    [['127.0.0.1/32'], [], true],
    [['127.0.0.0/8'], [], true],
    [['0.0.0.0/0'], [], true],
    [['10.0.0.0/8', '127.0.0.1/32'], [], true],
    [[], ['localhost'], true],
    [[], ['LocalHost'], true],
    [[], ['127.0.0.1'], true],
    [[], ['*'], true],
    [[], [], false],
    [['127.0.0.2/32'], [], false],
    [['10.0.0.0/8'], ['example.com'], false],
    [['::1/128'], [], false],
    [['::/0'], [], false],
    [[], ['*.localhost'], false],
    [[], ['notlocalhost'], false],
  ])('decides by the addresses and names of the list: %j %j', (cidrs, domains, allowed) => {
    expect(allowlist(cidrs, domains).allowsForwards).toBe(allowed);
  });

  it.each([
    ['127.0.0.1'],
    ['127.0.0.1/33'],
    ['127.0.0.1/'],
    ['127.0.0.1/8/8'],
    ['::1/129'],
    ['localhost/8'],
    [''],
  ])('grants nothing for %j, which is no CIDR', (cidr) => {
    expect(() => allowlist(['127.0.0.1/32', cidr])).toThrow(NetworkPolicyError);
    expect(() => allowlist(['127.0.0.1/32', cidr])).toThrow(/is no CIDR/);
  });

  it.each([['**'], ['a..b'], ['http://localhost'], ['localhost:8080'], ['']])(
    'grants nothing for %j, which is no domain',
    (domain) => {
      expect(() => allowlist([], ['localhost', domain])).toThrow(/is no domain/);
    },
  );

  it('grants nothing for a kind of access it does not know', () => {
    const access = { networkAccessType: 4, allowedCidrs: ['0.0.0.0/0'], allowedDomains: [] };
    expect(() => networkPolicy(access)).toThrow(/networkAccessType 4/);
  });
});

describe('parseForwards', () => {
  it('gives each port once', () => {
    expect(parseForwards([])).toEqual([]);
    expect(parseForwards(['127.0.0.1:8792', '127.0.0.1:1024', '127.0.0.1:8792'])).toEqual([8792, 1024]);
  });

  it.each([
    ['127.0.0.1'],
    ['127.0.0.1:80'],
    ['127.0.0.1:65536'],
    ['127.0.0.1:8792/'],
    ['0.0.0.0:8792'],
    ['localhost:8792'],
    ['[::1]:8792'],
    ['10.0.0.1:8792'],
    ['8792'],
    [''],
  ])('refuses %j', (text) => {
    expect(() => parseForwards(['127.0.0.1:8792', text])).toThrow(TypeError);
  });

  it('refuses more than sandboxes can have', () => {
    const many = Array.from({ length: 17 }, (_, index) => `127.0.0.1:${2000 + index}`);
    expect(() => parseForwards(many)).toThrow(/the most is 16/);
  });
});
