import { describe, expect, it } from 'vitest';
import { reachFrom } from './reach-config.ts';

describe('reachFrom', () => {
  it('reaches nothing private and looks names up, when nothing is said', () => {
    const { reach, problems } = reachFrom({});
    expect(reach.allowPrivate).toEqual([]);
    expect(reach.resolve).toBeTypeOf('function');
    expect(problems).toEqual([]);
  });

  it('reaches the private places that are named, in their one spelling', () => {
    const { reach } = reachFrom({ PRIVATE_HOSTS: ' LOCALHOST:3000, 127.1:80 ,[0:0::1]:9,' });
    expect(reach.allowPrivate).toEqual(['localhost:3000', '127.0.0.1:80', '[::1]:9']);
  });

  it('leaves out what names no place, and says so', () => {
    const { reach, problems } = reachFrom({ PRIVATE_HOSTS: 'localhost,http://a:1,b:0,c:2' });
    expect(reach.allowPrivate).toEqual(['c:2']);
    expect(problems).toHaveLength(3);
    expect(problems[0]).toBe('PRIVATE_HOSTS: "localhost" is not host:port');
  });

  it('looks nothing up in development, or where that is switched off', () => {
    expect(reachFrom({ ENVIRONMENT: 'development' }).reach.resolve).toBeUndefined();
    expect(reachFrom({ DNS_OVER_HTTPS_URL: 'off' }).reach.resolve).toBeUndefined();
    const told = { ENVIRONMENT: 'development', DNS_OVER_HTTPS_URL: 'http://127.0.0.1:1/q' };
    expect(reachFrom(told).reach.resolve).toBeTypeOf('function');
  });

  it('still looks names up where the resolver is misspelt', () => {
    const { reach, problems } = reachFrom({ DNS_OVER_HTTPS_URL: 'cloudflare' });
    expect(reach.resolve).toBeTypeOf('function');
    expect(problems).toHaveLength(1);
  });
});
