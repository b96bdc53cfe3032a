import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bodyFilling, fillHeaders, fillQuery } from './placeholders.ts';
import { compilePolicy } from './policy.ts';
import { credentialFor } from './testing.ts';

const host = { kind: 'name', text: 'api.test' } as const;
const compiled = (...credentials: ReturnType<typeof credentialFor>[]) =>
  compilePolicy({ network: { type: 'unrestricted' }, credentials }).credentials;
const everywhere = { header: true, query: true, body: true };

async function filled(
  chunks: Buffer[],
  contentType: string,
  credentials: ReturnType<typeof compiled>,
): Promise<Buffer> {
  const filling = bodyFilling(credentials, contentType);
  if (filling === null) return Buffer.concat(chunks);
  const out: Buffer[] = [];
  filling.on('data', (chunk: Buffer) => out.push(chunk));
  for (const chunk of chunks) filling.write(chunk);
  filling.end();
  await new Promise((resolve) => filling.once('end', resolve));
  return Buffer.concat(out);
}

describe('placeholders', { timeout: 120_000 }, () => {
  const one = credentialFor(['api.test'], { id: 'one', secret: 'one-secret', locations: everywhere });
  const two = credentialFor(['*'], { id: 'two', secret: 'two-secret', locations: everywhere });

  it('are filled in headers for each credential, and told', () => {
    const { value, used } = fillHeaders(
      [
        ['A', `${one.placeholder} ${two.placeholder} ${one.placeholder}`],
        ['B', 'b'],
      ],
      compiled(one, two),
      host,
    );
    expect(value).toEqual([
      ['A', 'one-secret two-secret one-secret'],
      ['B', 'b'],
    ]);
    expect([...used]).toEqual(['one', 'two']);
  });

  it('leave the headers that frame a request', () => {
    const pairs = [
      ['Host', one.placeholder],
      ['Content-Length', one.placeholder],
    ] as const;
    expect(fillHeaders(pairs, compiled(one), host)).toEqual({ value: pairs, used: new Set() });
  });

  it('leave what identifies others where a credential is for every host', () => {
    const pairs = [['Authorization', 'their own']] as const;
    expect(fillHeaders(pairs, compiled(two), host).value).toEqual(pairs);
    expect(fillHeaders(pairs, compiled(two, one), host).value).toEqual([]);
  });

  it('begin no other line and break no header', () => {
    const odd = { ...one, secret: 'a\r\nX-Evil: 1\0ü' };
    expect(fillHeaders([['A', one.placeholder]], compiled(odd), host).value).toEqual([['A', 'aX-Evil: 1Ã¼']]);
  });

  it('are filled in the query and not in the path', () => {
    const path = `/${one.placeholder}?a=${one.placeholder}&b=$&`;
    expect(fillQuery(path, compiled({ ...one, secret: '$&/#' })).value).toBe(
      `/${one.placeholder}?a=%24%26%2F%23&b=$&`,
    );
    expect(fillQuery('/plain', compiled(one)).used.size).toBe(0);
  });

  it('are filled in a body of any chunks, and nothing else of it is', async () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 20 }).map((list) => Buffer.from(list)),
      fc.constantFrom(
        Buffer.from(one.placeholder),
        Buffer.from(two.placeholder),
        Buffer.from('capstan_ph_'),
        Buffer.from(one.placeholder.slice(0, 30)),
      ),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        async (parts, cuts) => {
          const body = Buffer.concat(parts);
          const places = [
            0,
            ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b),
            body.length,
          ];
          const chunks = places.slice(1).map((end, i) => body.subarray(places[i], end));
          const expected = body
            .toString('latin1')
            .replaceAll(one.placeholder, 'one-secret')
            .replaceAll(two.placeholder, 'two-secret');
          expect((await filled(chunks, 'text/plain', compiled(one, two))).toString('latin1')).toBe(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('are written as their surroundings want them', async () => {
    const odd = compiled({ ...one, secret: 'a"&ü' });
    const write = async (type: string) =>
      (await filled([Buffer.from(one.placeholder)], type, odd)).toString();
    expect(await write('application/json; charset=utf-8')).toBe('a\\"&ü');
    expect(await write('application/vnd.api+json')).toBe('a\\"&ü');
    expect(await write('application/x-www-form-urlencoded')).toBe('a%22%26%C3%BC');
    expect(await write('text/plain')).toBe('a"&ü');
  });

  it('stay where their credential does not go', async () => {
    const nowhere = compiled({ ...one, locations: { header: false, query: false, body: false } });
    expect(fillHeaders([['A', one.placeholder]], nowhere, host).value).toEqual([['A', one.placeholder]]);
    expect(fillQuery(`/?${one.placeholder}`, nowhere).value).toBe(`/?${one.placeholder}`);
    expect(bodyFilling(nowhere, undefined)).toBeNull();
  });
});
