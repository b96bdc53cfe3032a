import { parseAuthority, parseHost, type Target } from '@capstan/shared/hosts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkPolicy } from '../port.ts';
import { PACKAGE_HOSTS, packageHostsOf } from './package-hosts.ts';
import { type Channel, compilePolicy, judge, mayPresent, newPlaceholder, PLACEHOLDER } from './policy.ts';
import { credentialFor } from './testing.ts';

const at = (authority: string): Target => {
  const target = parseAuthority(authority);
  if (target === null) throw new RangeError(authority);
  return target;
};
const limited = (...allowedHosts: string[]): NetworkPolicy => ({ type: 'limited', allowedHosts });

describe('judge', () => {
  const policy = compilePolicy({
    network: { type: 'unrestricted' },
    credentials: [
      credentialFor(['api.example.com', '*.corp.example:8443'], { id: 'named' }),
      credentialFor(['*'], { id: 'any' }),
    ],
  });
  const verdict = (authority: string, channel: Channel = 'tunnel') => {
    const judged = judge(policy, at(authority), channel);
    return judged.allowed ? judged.credentials.map(({ id }) => id).join() : judged.reason;
  };

  it.each([
    ['api.example.com:443', 'tunnel', 'named,any'],
    ['api.example.com:80', 'plain', 'credential_needs_tls'],
    ['api.example.com:443', 'plain', 'credential_needs_tls'],
    ['api.example.com:8443', 'tunnel', 'credential_port'],
    ['api.example.com:80', 'tunnel', 'credential_port'],
    ['sub.api.example.com:443', 'tunnel', 'any'],
    ['example.com:443', 'tunnel', 'any'],
    ['a.corp.example:8443', 'tunnel', 'named'],
    ['a.corp.example:443', 'tunnel', 'any'],
    ['corp.example:8443', 'tunnel', ''],
    ['other.example:443', 'plain', ''],
    ['other.example:8080', 'tunnel', ''],
    ['other.example:22', 'tunnel', 'port_not_allowed'],
    ['other.example:25', 'tunnel', 'port_not_allowed'],
    ['other.example:445', 'tunnel', 'port_not_allowed'],
  ] as const)('%s by %s: %s', (authority, channel, expected) => {
    expect(verdict(authority, channel)).toBe(expected);
  });

  it('gives no credential to a way in the clear, whatever the rules', () => {
    const hosts = fc.constantFrom('a.test', 'b.test', '*', 'a.test:80', '*.b.test');
    const targets = fc.constantFrom('a.test:80', 'a.test:443', 'x.b.test:80', 'c.test:443');
    fc.assert(
      fc.property(fc.array(hosts, { minLength: 1 }), targets, (names, target) => {
        const rules = compilePolicy({
          network: { type: 'unrestricted' },
          credentials: [credentialFor(names)],
        });
        const judged = judge(rules, at(target), 'plain');
        if (judged.allowed) expect(judged.credentials).toEqual([]);
      }),
    );
  });

  it('never lets a credential widen a network', () => {
    const names = fc.constantFrom('a.test', '*.a.test', 'b.test:8080', '[2606:4700::1]');
    const targets = fc.constantFrom(
      'a.test:443',
      'x.a.test:80',
      'b.test:8080',
      'b.test:443',
      '[2606:4700::1]:443',
      'c.test:443',
    );
    fc.assert(
      fc.property(fc.array(names), fc.array(names, { minLength: 1 }), targets, (allowed, own, target) => {
        const network = limited(...allowed);
        const bare = judge(compilePolicy({ network, credentials: [] }), at(target), 'tunnel');
        const given = judge(
          compilePolicy({ network, credentials: [credentialFor(own)] }),
          at(target),
          'tunnel',
        );
        if (!bare.allowed) expect(given).toEqual(bare);
      }),
    );
  });

  it('lets nothing out of a blocked network', () => {
    const blocked = compilePolicy({ network: { type: 'blocked' }, credentials: [] });
    expect(judge(blocked, at('a.test:443'), 'tunnel')).toEqual({ allowed: false, reason: 'network_blocked' });
  });
});

describe('mayPresent', () => {
  it.each([
    ['a.test:443', 'a.test', true],
    ['a.test:443', null, true],
    ['a.test:443', 'b.test', false],
    ['8.8.8.8:443', 'a.test', true],
    ['8.8.8.8:443', 'evil.test', false],
    ['8.8.8.8:443', 'own.test', false],
  ])('TLS for %s to %s: %s', (target, name, expected) => {
    const rules = compilePolicy({
      network: limited('a.test', 'b.test', '8.8.8.8', 'own.test'),
      credentials: [credentialFor(['own.test'])],
    });
    expect(mayPresent(rules, at(target), name === null ? null : parseHost(name))).toBe(expected);
  });
});

describe('compilePolicy', () => {
  const network = { type: 'unrestricted' } as const;

  it.each([
    [{ placeholder: 'capstan_ph_short' }, 'placeholder of credential vcrd_1 is malformed'],
    [{ secret: '' }, 'secret of credential vcrd_1 is empty'],
    [{ hosts: [] }, 'vcrd_1 names no hosts'],
    [{ hosts: ['https://a.test'] }, 'leave out the scheme'],
  ])('refuses %j, and never tells the secret', (change, problem) => {
    const credential = credentialFor(['a.test'], change);
    expect(() => compilePolicy({ network, credentials: [credential] })).toThrow(problem);
    if (credential.secret)
      expect(() => compilePolicy({ network, credentials: [credential] })).not.toThrow(credential.secret);
  });

  it('refuses placeholders that are alike, and too many', () => {
    const credential = credentialFor(['a.test']);
    expect(() => compilePolicy({ network, credentials: [credential, credential] })).toThrow(
      'same placeholder',
    );
    const many = Array.from({ length: 101 }, () => credentialFor(['a.test']));
    expect(() => compilePolicy({ network, credentials: many })).toThrow('at most 100');
  });

  it('knows placeholders by their form', () => {
    const made = new Set(Array.from({ length: 1_000 }, newPlaceholder));
    expect(made.size).toBe(1_000);
    for (const placeholder of made) expect(placeholder).toMatch(PLACEHOLDER);
  });
});

describe('package hosts', () => {
  it('are patterns, each once, and lead where packages are', () => {
    expect(new Set(PACKAGE_HOSTS).size).toBe(PACKAGE_HOSTS.length);
    const rules = compilePolicy({ network: limited(...PACKAGE_HOSTS), credentials: [] });
    for (const host of [
      'pypi.org',
      'files.pythonhosted.org',
      'registry.npmjs.org',
      'static.crates.io',
      'rubygems.org',
      'proxy.golang.org',
      'deb.debian.org',
      'de.archive.ubuntu.com',
    ])
      expect(judge(rules, at(`${host}:443`), 'tunnel').allowed).toBe(true);
    for (const host of ['evil.pypi.org.test', 'storage.googleapis.com', 'upload.pypi.org'])
      expect(judge(rules, at(`${host}:443`), 'tunnel').allowed).toBe(false);
    expect(packageHostsOf('pip')).toEqual(['pypi.org', 'files.pythonhosted.org']);
  });
});
