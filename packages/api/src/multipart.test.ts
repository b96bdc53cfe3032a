import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundaryOf, readParts } from './multipart.ts';

const encoder = new TextEncoder();

/** The bytes in chunks of these sizes, each gone once the next one is asked for. */
async function* inChunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const size = sizes.length === 0 ? bytes.length : (sizes[turn % sizes.length] ?? 1);
    const chunk = bytes.slice(at, at + size);
    yield chunk;
    chunk.fill(0);
    at += size;
  }
}

interface Read {
  name: string;
  filename: string | null;
  type: string | null;
  bytes: Uint8Array;
}

async function read(bytes: Uint8Array | string, boundary: string, sizes: readonly number[] = []) {
  const found: Read[] = [];
  const whole = typeof bytes === 'string' ? encoder.encode(bytes) : bytes;
  for await (const { content, ...part } of readParts(inChunks(whole, sizes), boundary)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(piece.slice());
    found.push({ ...part, bytes: new Uint8Array(Buffer.concat(pieces)) });
  }
  return found;
}

const refusal = (message: string) => ({ code: 'invalid_request', message: expect.stringContaining(message) });

describe('a form', () => {
  it('is read as the platform writes it, however it is cut', async () => {
    // Bytes that look like the beginning of a boundary come up often.
    const content = fc.array(fc.constantFrom(13, 10, 45, 45, 98, 0, 255), { maxLength: 300 });
    const name = fc
      .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
      .filter((text) => !/[\\]|%(22|0d|0a)/i.test(text));
    const part = fc.record({ name, filename: fc.option(name), content });
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 5 }),
        async (parts, sizes) => {
          const form = new FormData();
          for (const { name, filename, content } of parts) {
            if (filename === null) form.append(name, 'a field');
            else form.append(name, new File([new Uint8Array(content)], filename, { type: 'text/x-odd' }));
          }
          const response = new Response(form);
          const boundary = boundaryOf(response.headers.get('content-type')) ?? '';
          const found = await read(await response.bytes(), boundary, sizes);
          expect(found.map(({ bytes }) => Buffer.from(bytes).toString('latin1'))).toEqual(
            parts.map(({ filename, content }) =>
              filename === null ? 'a field' : Buffer.from(content).toString('latin1'),
            ),
          );
          const lines = (text: string) => text.replaceAll(/\r\n|\r|\n/g, '\r\n');
          expect(found.map(({ name, filename, type }) => [lines(name), filename, type])).toEqual(
            parts.map(({ name, filename }) => [
              lines(name),
              filename,
              filename === null ? null : 'text/x-odd',
            ]),
          );
        },
      ),
    );
  });

  it('passes over what its reader leaves unread, what comes before it and what follows its end', async () => {
    const body =
      'a word before\r\n--b\r\ncontent-disposition: form-data; name="one"\r\n\r\n1\r\n--b  \r\n' +
      'Content-Disposition: form-data; name=two\r\n\r\n2\r\n--b--\r\nafter';
    const names: string[] = [];
    for await (const { name } of readParts(inChunks(encoder.encode(body), [3]), 'b')) names.push(name);
    expect(names).toEqual(['one', 'two']);
  });

  it('takes names as programs of every age write them', async () => {
    const named = async (disposition: string) => {
      const head = `--b\r\nContent-Disposition: form-data; name="file"; ${disposition}\r\n\r\n`;
      const [part] = await read(`${head}x\r\n--b--\r\n`, 'b');
      return part?.filename;
    };
    expect(await named('filename="a \\"b\\".txt"')).toBe('a "b".txt');
    expect(await named('filename="C:\\dir\\a.txt"')).toBe('C:\\dir\\a.txt');
    expect(await named('filename="a%22b%0D%0A.txt"')).toBe('a"b\r\n.txt');
    expect(await named('filename=plain.txt')).toBe('plain.txt');
    expect(await named('filename="x"; filename*=UTF-8\'\'na%C3%AFve.txt')).toBe('naïve.txt');
    expect(await named('filename=""')).toBe('');
  });

  it('is refused when it is cut short, wherever that is', async () => {
    const body = '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nhello\r\n--b--';
    for (let length = 0; length < body.length; length++) {
      const outcome = read(body.slice(0, length), 'b').then(
        () => null,
        (error: { code: string }) => error.code,
      );
      expect(await outcome, body.slice(0, length)).toBe('invalid_request');
    }
  });

  it('is refused with the reason when it is not what its type says', async () => {
    await expect(read('hello', 'b')).rejects.toMatchObject(refusal('does not have the boundary'));
    await expect(read(`${'x'.repeat(100_000)}\r\n--b--`, 'b', [1000])).rejects.toMatchObject(
      refusal('does not begin with its boundary'),
    );
    await expect(read('--bc\r\n\r\nx\r\n--b--', 'b')).rejects.toMatchObject(refusal('is not a part'));
    await expect(read('--b\r\n\r\nx\r\n--b--', 'b')).rejects.toMatchObject(refusal('says no name'));
    const long = `--b\r\nx: ${'y'.repeat(20_000)}\r\n\r\nx\r\n--b--`;
    await expect(read(long, 'b')).rejects.toMatchObject(refusal('headers of a part'));
    const many = `--b\r\n${'x: y\r\n'.repeat(20)}\r\nx\r\n--b--`;
    await expect(read(many, 'b')).rejects.toMatchObject(refusal('headers of a part'));
  });
});

describe('a boundary', () => {
  it('is read from the type of a form only', () => {
    expect(boundaryOf('multipart/form-data; boundary=abc')).toBe('abc');
    expect(boundaryOf('Multipart/Form-Data; charset=utf-8; boundary="a b"')).toBe('a b');
    expect(boundaryOf('multipart/mixed; boundary=abc')).toBeNull();
    expect(boundaryOf('application/json')).toBeNull();
    expect(boundaryOf(null)).toBeNull();
    expect(() => boundaryOf('multipart/form-data')).toThrow(/boundary/);
    expect(() => boundaryOf(`multipart/form-data; boundary=${'x'.repeat(71)}`)).toThrow(/boundary/);
  });
});
