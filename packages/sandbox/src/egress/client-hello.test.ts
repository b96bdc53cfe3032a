import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_HELLO_BYTES, readHello } from './client-hello.ts';

/** What Node's client says first. */
function helloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) });
    connect({ socket, ...options }).on('error', () => {});
  });
}

/** The same message in records of these sizes. */
function inRecords(hello: Buffer, sizes: number[]): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0, i = 0; at < message.length; i++) {
    const part = message.subarray(at, at + (sizes[i % sizes.length] ?? 1));
    records.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
    at += part.length;
  }
  return Buffer.concat(records);
}

describe('readHello', { timeout: 120_000 }, () => {
  it('reads the name a client gives, and that it gives none', async () => {
    expect(readHello(await helloOf({ servername: 'api.example.com' }))).toEqual({
      kind: 'hello',
      serverName: { kind: 'name', text: 'api.example.com' },
    });
    expect(readHello(await helloOf({ host: '8.8.8.8' }))).toEqual({ kind: 'hello', serverName: null });
    const old = await helloOf({ servername: 'API.Example.com', maxVersion: 'TLSv1.2' });
    expect(readHello(old)).toMatchObject({ serverName: { text: 'api.example.com' } });
  });

  it('reads it the same however it is cut into records, and wants more of every part of it', async () => {
    const hello = await helloOf({ servername: 'api.example.com' });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }),
        fc.nat(),
        (sizes, cut) => {
          const records = inRecords(hello, sizes);
          expect(readHello(records)).toMatchObject({
            kind: 'hello',
            serverName: { text: 'api.example.com' },
          });
          expect(readHello(records.subarray(0, cut % records.length))).toEqual({ kind: 'partial' });
        },
      ),
    );
  });

  it('is sure of everything: a byte changed gives the name, another, or a refusal, and never an exception', async () => {
    const hello = await helloOf({ servername: 'api.example.com' });
    fc.assert(
      fc.property(fc.nat({ max: hello.length - 1 }), fc.nat({ max: 255 }), (at, byte) => {
        const changed = Buffer.from(hello);
        changed[at] = byte;
        expect(['hello', 'partial', 'malformed', 'not_tls']).toContain(readHello(changed).kind);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const { kind } = readHello(Buffer.from([22, ...bytes]));
        expect(kind).not.toBe('not_tls');
      }),
    );
  });

  it.each([
    ['two server names', (name: Buffer) => Buffer.concat([name, name])],
    ['a name that is none', (name: Buffer) => Buffer.from(name).fill('_', 3).fill(0, 5)],
    ['a name with a NUL', (name: Buffer) => Buffer.from(name).fill(0, name.length - 1)],
    ['another type of name', (name: Buffer) => Buffer.from(name).fill(1, 0, 1)],
    ['no name in the list', () => Buffer.alloc(0)],
  ])('refuses %s', async (_, change) => {
    expect(readHello(withNames(await helloOf({ servername: 'api.example.com' }), change)).kind).toBe(
      'malformed',
    );
  });

  it('refuses a name given in two places', async () => {
    const hello = await helloOf({ servername: 'api.example.com' });
    const at = hello.indexOf('api.example.com') - 9;
    const extension = hello.subarray(at, at + 9 + 'api.example.com'.length);
    const twice = Buffer.concat([hello.subarray(0, at), extension, hello.subarray(at)]);
    for (const place of [extensionsAt(hello), 7, 3])
      twice.writeUInt16BE(hello.readUInt16BE(place) + extension.length, place);
    expect(readHello(hello).kind).toBe('hello');
    expect(readHello(twice).kind).toBe('malformed');
  });

  it('refuses what is no hello, what has no end, and tells what is not TLS', async () => {
    const hello = await helloOf({ servername: 'api.example.com' });
    const serverHello = Buffer.from(hello);
    serverHello[5] = 2;
    expect(readHello(serverHello).kind).toBe('malformed');
    const endless = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x7f, 0xff]), Buffer.alloc(16_380)]);
    expect(readHello(endless)).toEqual({ kind: 'partial' });
    const more = Buffer.concat([endless, Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(16_384)]);
    expect(more.length).toBeGreaterThan(MAX_HELLO_BYTES);
    expect(['malformed', 'hello']).toContain(readHello(more).kind);
    expect(readHello(Buffer.from([22, 3, 1, 0x40, 0, 1, 1, 0, 0])).kind).toBe('malformed');
    expect(readHello(Buffer.from([22, 3, 1, 0, 0])).kind).toBe('malformed');
    for (const text of ['GET / HTTP/1.1\r\n', 'SSH-2.0-x', '\x80\x2e\x01'])
      expect(readHello(Buffer.from(text, 'latin1')).kind).toBe('not_tls');
    expect(readHello(Buffer.alloc(0))).toEqual({ kind: 'partial' });
  });
});

/** The hello with its list of server names made another, and every length around it. */
function withNames(hello: Buffer, change: (entry: Buffer) => Buffer): Buffer {
  const name = Buffer.from('api.example.com');
  const entry = Buffer.concat([Buffer.from([0, 0, name.length]), name]);
  const at = hello.indexOf(entry);
  const changed = change(entry);
  const out = Buffer.concat([hello.subarray(0, at), changed, hello.subarray(at + entry.length)]);
  const grown = changed.length - entry.length;
  for (const place of [at - 2, at - 4, extensionsAt(hello), 7, 3])
    out.writeUInt16BE(hello.readUInt16BE(place) + grown, place);
  return out;
}

function extensionsAt(hello: Buffer): number {
  let at = 5 + 4 + 2 + 32;
  at += 1 + (hello[at] ?? 0);
  at += 2 + hello.readUInt16BE(at);
  return at + 1 + (hello[at] ?? 0);
}
