import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson, readBody } from './body.ts';

const readJson = async (sent: Request, maxBytes: number) => parseJson(await readBody(sent, maxBytes));

function request(body: ReadableStream<Uint8Array> | string | null, type = 'application/json'): Request {
  const init: RequestInit & { duplex: 'half' } = {
    method: 'POST',
    headers: { 'content-type': type },
    body,
    duplex: 'half',
  };
  return new Request('http://capstan.test/', init);
}

const packed = (coding: string) =>
  new Request('http://capstan.test/', {
    method: 'POST',
    headers: { 'content-encoding': coding },
    body: '{"a":1}',
  });

function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

describe('a body', () => {
  it('that is compressed is refused by the name of its coding, before it is read', async () => {
    const refused = { code: 'unsupported_media_type', message: expect.stringContaining('gzip') };
    await expect(readJson(packed('gzip'), 1_000)).rejects.toMatchObject(refused);
    expect(await readJson(packed('identity'), 1_000)).toEqual({ a: 1 });
  });

  it('reads any JSON, wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.json({ noUnicodeString: false }),
        fc.integer({ min: 1, max: 5 }),
        async (text, size) => {
          fc.pre(!text.includes('"__proto__":'));
          const body = inPieces(new TextEncoder().encode(text), size);
          expect(await readJson(request(body), 100_000)).toEqual(JSON.parse(text));
        },
      ),
    );
  });

  it('counts bytes, not characters, and not what the client claims', async () => {
    const text = JSON.stringify('ä'.repeat(10));
    const bytes = new TextEncoder().encode(text).length;
    expect(await readJson(request(text), bytes)).toBe('ä'.repeat(10));
    await expect(readJson(request(text), bytes - 1)).rejects.toMatchObject({ code: 'too_large' });
    const endless = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(1000)) });
    await expect(readJson(request(endless), 5000)).rejects.toMatchObject({ code: 'too_large' });
  });

  it('takes no body for an empty object', async () => {
    expect(await readJson(request(null), 10)).toEqual({});
    expect(await readJson(request(' \n'), 10)).toEqual({});
  });

  it('refuses what is not JSON, not UTF-8 or a form', async () => {
    await expect(readJson(request('{"a":'), 99)).rejects.toMatchObject({ code: 'invalid_request' });
    const latin1 = inPieces(new Uint8Array([0x22, 0xe4, 0x22]), 3);
    await expect(readJson(request(latin1), 99)).rejects.toThrow('body: not valid UTF-8');
    await expect(readJson(request('x', 'multipart/form-data; boundary=b'), 99)).rejects.toMatchObject({
      code: 'unsupported_media_type',
    });
  });

  it.each([
    ['{"metadata":{"a":"b","__proto__":"x"}}', 'metadata.__proto__: '],
    ['{"events":[{"input":{"__proto__":{"a":1}}}]}', 'events.0.input.__proto__: '],
    [String.raw`{"metadata":{"\u005f_pro\u0074o__":"x"}}`, 'metadata.__proto__: '],
  ])('refuses %s: a member of that name would be dropped in silence', (text, path) => {
    expect(() => parseJson(text)).toThrow(path);
  });

  it('takes values that only say so', () => {
    expect(parseJson('{"a":"__proto__","b":["\\u005f"]}')).toEqual({ a: '__proto__', b: ['_'] });
  });

  it('refuses what nests deeper than the programs behind it can follow', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJson(nested(200))).toEqual(JSON.parse(nested(200)));
    for (const depth of [201, 1_000_000])
      expect(() => parseJson(nested(depth))).toThrow('body: nests deeper than 200 levels');
  });
});
