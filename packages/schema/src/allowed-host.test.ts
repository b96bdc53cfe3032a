import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedHost } from './allowed-host.ts';

const read = (host: string) => allowedHost.safeParse(host).data;

describe('an allowed host', () => {
  it.each([
    ['api.example.com', 'api.example.com'],
    [' API.Example.COM. ', 'api.example.com'],
    ['*.example.com', '*.example.com'],
    ['*.example.com:08443', '*.example.com:8443'],
    ['https://api.example.com', 'api.example.com'],
    ['http://api.example.com:8080/', 'api.example.com:8080'],
    ['10.0.0.1', '10.0.0.1'],
    ['[2001:db8::1]:443', '[2001:db8::1]:443'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ])('%s is %s', (given, host) => expect(read(given)).toBe(host));

  it.each([
    '',
    '*',
    '*.',
    '*example.com',
    'a.*.example.com',
    'api.example.com/path',
    'https://',
    'ftp://a.example',
    'user@a.example',
    'a..example',
    '-a.example',
    'a.example:0',
    'a.example:65536',
    'a.example:',
    '[::g]',
    '2001:db8::1',
    'bücher.example',
    'a b',
    'a\nb',
    `${'a'.repeat(64)}.example`,
  ])('%j is none', (given) => expect(read(given)).toBeUndefined());

  it('means the same when read again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.domain(), fc.ipV4(), fc.string()), (given) => {
        const host = read(given);
        if (host !== undefined) expect(read(host)).toBe(host);
      }),
    );
  });
});
