import { describe, expect, it } from 'vitest';
import { toCreateParams, toUpdateParams } from './network.ts';

const proxy = { cidrs: ['127.0.0.1/32'], domains: [] };
const limited = { type: 'limited', allowedHosts: ['a.example', '*.b.example', 'a.example:443'] } as const;

describe('a network policy, as Modal takes it', () => {
  it('is the allowlist of hosts without a proxy', () => {
    const only = { outboundCidrAllowlist: [], outboundDomainAllowlist: ['a.example', '*.b.example'] };
    expect(toCreateParams(limited)).toEqual(only);
    expect(toUpdateParams(limited)).toEqual(only);
    expect(toCreateParams({ type: 'unrestricted' })).toEqual({});
    expect(toUpdateParams({ type: 'unrestricted' }).outboundDomainAllowlist).toEqual(['*']);
  });

  it('is the proxy alone when there is one, whoever may connect to what', () => {
    const only = { outboundCidrAllowlist: ['127.0.0.1/32'], outboundDomainAllowlist: [] };
    for (const policy of [limited, { type: 'unrestricted' }] as const) {
      expect(toCreateParams(policy, proxy)).toEqual(only);
      expect(toUpdateParams(policy, proxy)).toEqual(only);
    }
  });

  it('is nothing when it is blocked or allows no host', () => {
    const nothing = { outboundCidrAllowlist: [], outboundDomainAllowlist: [] };
    expect(toCreateParams({ type: 'blocked' }, proxy)).toEqual({ blockNetwork: true });
    expect(toUpdateParams({ type: 'blocked' }, proxy)).toEqual(nothing);
    expect(toCreateParams({ type: 'limited', allowedHosts: [] })).toEqual(nothing);
  });

  it('refuses a port that Modal could not be told', () => {
    const policy = { type: 'limited', allowedHosts: ['a.example:8443'] } as const;
    expect(() => toCreateParams(policy)).toThrow(/"a.example:8443" has a port/);
    expect(toCreateParams(policy, proxy)).toMatchObject({ outboundCidrAllowlist: ['127.0.0.1/32'] });
  });
});
