import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatAuthority,
  parseAuthority,
  parseHost,
  parseHostPattern,
  patternMatches,
  WEB_PORTS,
} from './hosts.ts';

const matches = (pattern: string, authority: string) => {
  const target = parseAuthority(authority, 443);
  return target !== null && patternMatches(parseHostPattern(pattern), target, WEB_PORTS);
};

describe('parseHost', () => {
  it.each([
    ['API.Example.com', 'name', 'api.example.com'],
    ['api.example.com.', 'name', 'api.example.com'],
    ['bücher.example', 'name', 'xn--bcher-kva.example'],
    ['api。example．com', 'name', 'api.example.com'],
    ['ｅxample.com', 'name', 'example.com'],
    ['_dmarc.example.com', 'name', '_dmarc.example.com'],
    ['127.0.0.1', 'ipv4', '127.0.0.1'],
    ['2130706433', 'ipv4', '127.0.0.1'],
    ['0x7f000001', 'ipv4', '127.0.0.1'],
    ['0177.0.0.1', 'ipv4', '127.0.0.1'],
    ['127.1', 'ipv4', '127.0.0.1'],
    ['１２７.０.０.１', 'ipv4', '127.0.0.1'],
    ['127.0.0.1.', 'ipv4', '127.0.0.1'],
    ['[::1]', 'ipv6', '::1'],
    ['[0:0:0:0:0:FFFF:7F00:1]', 'ipv6', '::ffff:7f00:1'],
    ['[::ffff:127.0.0.1]', 'ipv6', '::ffff:7f00:1'],
  ])('reads %s as the %s %s', (text, kind, canonical) => {
    expect(parseHost(text)).toEqual({ kind, text: canonical });
  });

  it.each([
    '',
    '.',
    '..',
    'a..b',
    'example.com..',
    'user@example.com',
    'example.com/x',
    'example.com\\@evil',
    'exa mple.com',
    'example.com:80',
    '::1',
    '[::1',
    '[fe80::1%25eth0]',
    '256.1.1.1',
    '1.2.3.4.5',
    '%65xample.com',
    'a\0b',
    'a\nb',
    '-a.com',
    `${'a'.repeat(64)}.com`,
    `${'a.'.repeat(127)}com`,
    'exam\u00adple.com\u200b',
    'a#b',
    'a?b',
    '*.example.com',
  ])('refuses %j', (text) => {
    expect(parseHost(text)).toBeNull();
  });

  it('gives a form that reads as itself', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.domain(),
          fc.ipV4Extended(),
          fc.ipV6().map((ip) => `[${ip}]`),
        ),
        (text) => {
          const host = parseHost(text);
          if (host === null) return;
          expect(parseHost(host.kind === 'ipv6' ? `[${host.text}]` : host.text)).toEqual(host);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('parseAuthority', () => {
  it.each([
    ['example.com:8443', 'example.com', 8443],
    ['example.com', 'example.com', 443],
    ['[::1]:80', '::1', 80],
    ['0x7f.1:22', '127.0.0.1', 22],
  ])('reads %s', (text, host, port) => {
    expect(parseAuthority(text, 443)).toMatchObject({ host: { text: host }, port });
  });

  it.each([
    'example.com:',
    'example.com:0',
    'example.com:65536',
    'example.com:99999999',
    'a:b:1',
    ':80',
    'a@b:1',
    'a:+1',
    'a:1 ',
  ])('refuses %j', (text) => {
    expect(parseAuthority(text, 443)).toBeNull();
  });

  it('needs a port where there is no default', () => {
    expect(parseAuthority('example.com')).toBeNull();
  });

  it('is undone by formatAuthority', () => {
    const hosts = fc.oneof(
      fc.domain(),
      fc.ipV4(),
      fc.ipV6().map((ip) => `[${ip}]`),
    );
    fc.assert(
      fc.property(hosts, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        const target = parseAuthority(`${host}:${port}`);
        fc.pre(target !== null);
        if (target) expect(parseAuthority(formatAuthority(target))).toEqual(target);
      }),
    );
  });
});

describe('host patterns', () => {
  it.each([
    ['api.example.com', 'api.example.com', true],
    ['API.example.com.', 'api.example.com:80', true],
    ['api.example.com', 'API.EXAMPLE.COM.', true],
    ['api.example.com', 'api.example.com:8443', false],
    ['api.example.com:8443', 'api.example.com:8443', true],
    ['api.example.com:8443', 'api.example.com', false],
    ['api.example.com', 'xapi.example.com', false],
    ['api.example.com', 'api.example.com.evil.com', false],
    ['*.example.com', 'a.example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'badexample.com', false],
    ['*.example.com', 'example.com.evil.com', false],
    ['bücher.example', 'xn--bcher-kva.example', true],
    ['8.8.8.8', '0x08080808', true],
    ['[2001:4860::8888]:443', '[2001:4860:0::8888]', true],
  ])('%s and %s: %s', (pattern, authority, expected) => {
    expect(matches(pattern, authority)).toBe(expected);
  });

  it.each([
    ['https://example.com', 'leave out the scheme'],
    ['example.com/path', 'leave out the path'],
    ['*', 'a * stands only'],
    ['a.*.com', 'a * stands only'],
    ['**.example.com', 'a * stands only'],
    ['*.com', 'at least two labels'],
    ['*.127.0.0.1', 'an address has no names'],
    ['', 'write a host name'],
    ['example.com:0', 'write a host name'],
  ])('refuses %j and says how to mend it', (text, mend) => {
    expect(() => parseHostPattern(text)).toThrow(mend);
  });

  it('a suffix matches nothing but names below it', () => {
    fc.assert(
      fc.property(fc.domain(), fc.domain(), (suffix, name) => {
        expect(matches(`*.${suffix}`, `${name}.${suffix}`)).toBe(parseHost(`${name}.${suffix}`) !== null);
        expect(matches(`*.${suffix}`, suffix)).toBe(false);
        expect(matches(`*.${suffix}`, `x${suffix}`)).toBe(false);
      }),
    );
  });
});
