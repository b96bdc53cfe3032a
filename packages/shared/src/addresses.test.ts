import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classifyAddress, isPublicAddress, parseIpv4, parseIpv6 } from './addresses.ts';
import { parseHost } from './hosts.ts';

/** Every way we know of to write, or to hide, an address that no sandbox may reach. */
const REFUSED: readonly (readonly [string, string])[] = [
  ['127.0.0.1', 'loopback'],
  ['127.0.0.2', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['127.1', 'loopback'],
  ['127.0.1', 'loopback'],
  ['2130706433', 'loopback'],
  ['017700000001', 'loopback'],
  ['0x7f000001', 'loopback'],
  ['0x7F.0x0.0x0.0x1', 'loopback'],
  ['0177.0.0.01', 'loopback'],
  ['00000177.0.0.1', 'loopback'],
  ['127.0.0.1.', 'loopback'],
  ['１２７．０．０．１', 'loopback'],
  ['①②⑦.⓪.⓪.①', 'loopback'],
  ['0', 'unspecified'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['10.0.0.1', 'private'],
  ['10.255.255.255', 'private'],
  ['0xa000001', 'private'],
  ['012.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.0.1', 'private'],
  ['192.168.65535', 'private'],
  ['3232235521', 'private'],
  ['169.254.169.254', 'metadata'],
  ['2852039166', 'metadata'],
  ['0xA9FEA9FE', 'metadata'],
  ['0251.0376.0251.0376', 'metadata'],
  ['169.254.170.2', 'metadata'],
  ['169.254.0.1', 'link-local'],
  ['100.100.100.200', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['192.0.0.192', 'metadata'],
  ['100.64.0.1', 'shared'],
  ['100.127.255.255', 'shared'],
  ['192.0.0.8', 'reserved'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.9', 'documentation'],
  ['198.18.0.1', 'benchmark'],
  ['198.19.255.255', 'benchmark'],
  ['192.88.99.1', 'reserved'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.250', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['4294967295', 'broadcast'],
  ['[::]', 'unspecified'],
  ['[::1]', 'loopback'],
  ['[0:0:0:0:0:0:0:1]', 'loopback'],
  ['[::ffff:127.0.0.1]', 'embedded-ipv4'],
  ['[::ffff:7f00:1]', 'embedded-ipv4'],
  ['[::FFFF:169.254.169.254]', 'embedded-ipv4'],
  ['[0:0:0:0:0:ffff:a00:1]', 'embedded-ipv4'],
  ['[::ffff:8.8.8.8]', 'embedded-ipv4'],
  ['[::ffff:0:127.0.0.1]', 'embedded-ipv4'],
  ['[::127.0.0.1]', 'embedded-ipv4'],
  ['[64:ff9b::127.0.0.1]', 'embedded-ipv4'],
  ['[64:ff9b::8.8.8.8]', 'embedded-ipv4'],
  ['[64:ff9b:1::10.0.0.1]', 'embedded-ipv4'],
  ['[2002:7f00:1::]', 'embedded-ipv4'],
  ['[2002:a9fe:a9fe::1]', 'embedded-ipv4'],
  ['[2001:0:4136:e378:8000:63bf:3fff:fdd2]', 'embedded-ipv4'],
  ['[fd00:ec2::254]', 'metadata'],
  ['[fd20:ce::254]', 'metadata'],
  ['[fc00::1]', 'private'],
  ['[fd12:3456:789a::1]', 'private'],
  ['[fec0::1]', 'private'],
  ['[fe80::1]', 'link-local'],
  ['[febf::1]', 'link-local'],
  ['[ff02::1]', 'multicast'],
  ['[2001:db8::1]', 'documentation'],
  ['[3fff::1]', 'documentation'],
  ['[2001:2::1]', 'benchmark'],
  ['[2001:10::1]', 'reserved'],
  ['[100::1]', 'reserved'],
  ['[4000::1]', 'reserved'],
  ['[5f00::1]', 'reserved'],
];

describe('addresses', () => {
  it.each(REFUSED)('%s is %s', (text, kind) => {
    expect(classifyAddress(parseHost(text)?.text ?? 'not a host')).toBe(kind);
  });

  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '11.0.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
    '2001:4860:4860::8888',
    '2620:fe::fe',
  ])('%s is public', (text) => {
    expect(classifyAddress(text)).toBe('public');
  });

  it.each([
    '',
    'localhost',
    '127.1',
    '01.2.3.4',
    '1.2.3',
    '1.2.3.256',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1%lo',
    '12345::',
    '1.2.3.4::',
    '::1.2.3',
    'fe80:',
    ':1',
  ])('%j is no address and so not public', (text) => {
    expect(classifyAddress(text)).toBe('malformed');
    expect(isPublicAddress(text)).toBe(false);
  });

  it('agrees with Node on which IPv4 addresses lie in the private ranges', () => {
    const list = new BlockList();
    for (const [net, bits] of [
      ['10.0.0.0', 8],
      ['172.16.0.0', 12],
      ['192.168.0.0', 16],
      ['127.0.0.0', 8],
      ['169.254.0.0', 16],
      ['100.64.0.0', 10],
      ['224.0.0.0', 3],
      ['0.0.0.0', 8],
    ] as const)
      list.addSubnet(net, bits);
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        if (list.check(ip)) expect(isPublicAddress(ip)).toBe(false);
      }),
      { numRuns: 5_000 },
    );
  });

  it('reads any IPv6 address the same in every spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const groups = Array.from({ length: 8 }, (_, i) =>
          ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16),
        );
        const full = groups.join(':');
        const dotted = `${groups.slice(0, 6).join(':')}:${bytes.slice(12).join('.')}`;
        expect(parseIpv6(full)).toEqual([...bytes]);
        expect(parseIpv6(dotted)).toEqual([...bytes]);
        expect(parseIpv6(parseHost(`[${full}]`)?.text ?? '')).toEqual([...bytes]);
      }),
    );
  });

  it('never calls what carries a refused IPv4 address public', () => {
    fc.assert(
      fc.property(fc.ipV4(), (ip) => {
        const [a = 0, b = 0, c = 0, d = 0] = parseIpv4(ip) ?? [];
        const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        for (const form of [`::ffff:${hex}`, `::${hex}`, `64:ff9b::${hex}`, `2002:${hex}::`, `::ffff:${ip}`])
          expect(isPublicAddress(form)).toBe(false);
      }),
    );
  });
});
