import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeUrl, urlProblem } from './public-url.ts';

const faultOf = (url: string, rules = {}) => {
  const judged = judgeUrl(url, rules);
  return 'fault' in judged ? judged.fault : null;
};

/** Each way of writing a place that is not public, as the host of a URL. */
const INSIDE: readonly string[] = [
  '127.0.0.1',
  '127.0.0.2',
  '127.255.255.254',
  '127.1',
  '127.0.1',
  '2130706433',
  '017700000001',
  '0x7f000001',
  '0x7F.0x0.0x0.0x1',
  '0177.0.0.01',
  '00000177.0.0.1',
  '127.0.0.1.',
  '１２７．０．０．１',
  '①②⑦.⓪.⓪.①',
  '%31%32%37.0.0.1',
  '0',
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '0xa000001',
  '012.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '192.168.65535',
  '3232235521',
  '169.254.169.254',
  '2852039166',
  '0xA9FEA9FE',
  '0251.0376.0251.0376',
  '169.254.170.2',
  '169.254.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '192.0.2.1',
  '198.18.0.1',
  '203.0.113.9',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '4294967295',
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::FFFF:169.254.169.254]',
  '[::ffff:0:127.0.0.1]',
  '[::127.0.0.1]',
  '[64:ff9b::169.254.169.254]',
  '[64:ff9b:1::10.0.0.1]',
  '[2002:7f00:1::]',
  '[2001:0:4136:e378:8000:63bf:3fff:fdd2]',
  '[fd00:ec2::254]',
  '[fd12:3456:789a::1]',
  '[fc00::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[2001:db8::1]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'api.localhost',
  'ｌocalhost',
  'localhost.localdomain',
  'printer.local',
  'metadata.google.internal',
  'vault.corp',
  'router.home.arpa',
  'nas.lan',
  'redis',
  'kubernetes',
];

describe('judgeUrl', () => {
  it.each(INSIDE)('https://%s/ is not public', (host) => {
    expect(faultOf(`https://${host}/`)).toBe('address_not_public');
    expect(faultOf(`https://${host}:8443/x?y#z`)).toBe('address_not_public');
    expect(faultOf(`http://${host}/`, { plainHttp: true })).toBe('address_not_public');
  });

  it.each([
    'https://example.com/',
    'https://example.com.:8443/a/b?c=d',
    'https://bücher.example/',
    'https://8.8.8.8/',
    'https://[2606:4700::1111]/',
    'https://localhost.example.com/',
    'https://notlocal.com/',
    'HTTPS://EXAMPLE.COM/',
  ])('%s is', (url) => {
    expect(urlProblem(url)).toBeNull();
  });

  it.each([
    ['', 'malformed_url'],
    ['example.com', 'malformed_url'],
    ['//example.com/', 'malformed_url'],
    ['https://', 'malformed_url'],
    ['https:// example.com/', 'malformed_url'],
    ['https://example.com/a b', 'malformed_url'],
    ['https://example.com\n.evil.test/', 'malformed_url'],
    ['https://example.com\\@127.0.0.1/', 'malformed_url'],
    ['https://exa\tmple.com/', 'malformed_url'],
    ['https://a..b/', 'malformed_url'],
    ['https://1.2.3.4.5/', 'malformed_url'],
    ['https://[::1', 'malformed_url'],
    ['https://example.com:99999/', 'malformed_url'],
    ['http://example.com/', 'scheme_not_allowed'],
    ['ftp://example.com/', 'scheme_not_allowed'],
    ['file:///etc/passwd', 'scheme_not_allowed'],
    ['data:text/plain,x', 'scheme_not_allowed'],
    ['javascript:alert(1)', 'scheme_not_allowed'],
    ['gopher://example.com/', 'scheme_not_allowed'],
    ['ws://example.com/', 'scheme_not_allowed'],
    ['https://user@example.com/', 'credentials_in_url'],
    ['https://user:word@example.com/', 'credentials_in_url'],
    ['https://example.com@127.0.0.1/', 'credentials_in_url'],
    ['https://example.com%2f@127.0.0.1/', 'credentials_in_url'],
    ['https://example.com:0/', 'port_not_allowed'],
    ['https://example.com:22/', 'port_not_allowed'],
    ['https://example.com:25/', 'port_not_allowed'],
    ['https://example.com:445/', 'port_not_allowed'],
  ])('%j is refused as %s', (url, kind) => {
    expect(faultOf(url)).toBe(kind);
  });

  it('drops the fragment and keeps the rest', () => {
    const judged = judgeUrl('https://EXAMPLE.com:443/a?b=c#d');
    expect('url' in judged && judged.url.href).toBe('https://example.com/a?b=c');
  });

  it('lets an exempted place be what it is, at its own port alone', () => {
    const rules = { allowPrivate: ['127.0.0.1:5000', 'localhost:6000', '[::1]:7000'] };
    for (const url of [
      'http://127.0.0.1:5000/x',
      'http://2130706433:5000/',
      'http://localhost:6000/',
      'http://[::1]:7000/',
    ])
      expect(judgeUrl(url, rules)).toMatchObject({ exempt: true });
    for (const url of [
      'http://127.0.0.1:5001/',
      'http://127.0.0.2:5000/',
      'http://localhost:5000/',
      'https://127.0.0.1/',
    ])
      expect(judgeUrl(url, rules)).toHaveProperty('fault');
    expect(faultOf('http://user@127.0.0.1:5000/', rules)).toBe('credentials_in_url');
    expect(judgeUrl('https://example.com/', rules)).toMatchObject({ exempt: false });
  });

  it('takes http where it is as good as https', () => {
    expect(faultOf('http://example.com/', { plainHttp: true })).toBeNull();
    expect(faultOf('http://example.com:8080/', { plainHttp: true })).toBeNull();
  });

  it('never throws, whatever it is given', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 });
    fc.assert(
      fc.property(text, text, (before, after) => {
        for (const given of [before, `https://${before}`, `https://${before}@${after}`]) {
          const judged = judgeUrl(given);
          if ('url' in judged) expect(judged.url.protocol).toBe('https:');
        }
      }),
    );
  });
});
