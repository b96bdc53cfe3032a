import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createNeedles } from './needles.ts';
import { createScrubber, formsOf } from './scrubber.ts';

const secrets = fc
  .string({ unit: 'grapheme-composite', minLength: 8, maxLength: 40 })
  .filter((text) => text.trim().length >= 8);
const bytes = fc.uint8Array({ maxLength: 60 }).map((list) => Buffer.from(list));

/** What a stream makes of chunks cut at these places. */
async function streamed(secret: string, content: Buffer, cuts: number[]): Promise<Buffer> {
  const stream = createScrubber([secret]).stream();
  const out: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => out.push(chunk));
  const places = [0, ...cuts.map((cut) => cut % (content.length + 1)).sort((a, b) => a - b), content.length];
  for (let i = 1; i < places.length; i++) stream.write(content.subarray(places[i - 1], places[i]));
  stream.end();
  await new Promise((resolve) => stream.once('end', resolve));
  return Buffer.concat(out);
}

/** What is masked, the slow way. */
function masked(content: Buffer, forms: Buffer[]): Buffer {
  const out = Buffer.from(content);
  for (const form of forms)
    for (let at = content.indexOf(form); at !== -1; at = content.indexOf(form, at + 1))
      out.fill('*', at, at + form.length);
  return out;
}

describe('scrubber', { timeout: 120_000 }, () => {
  it('masks every form of a secret wherever it is cut, changes nothing else and no length', async () => {
    const place = fc.tuple(bytes, fc.nat(), bytes);
    await fc.assert(
      fc.asyncProperty(
        secrets,
        fc.array(place, { maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        async (secret, places, cuts) => {
          const forms = formsOf(secret);
          const content = Buffer.concat(
            places.flatMap(([before, which, after]) => [
              before,
              forms[which % forms.length] ?? before,
              after,
            ]),
          );
          const out = await streamed(secret, content, cuts);
          expect(out).toEqual(masked(content, forms));
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    ['Go', '"token/+a\\u0026b==\'"'],
    ['Gson', '"token/+a\\u0026b\\u003d\\u003d\\u0027"'],
    ['.NET', '"token/\\u002Ba\\u0026b==\\u0027"'],
    ['PHP', '"token\\/+a&b==\'"'],
  ])('masks a secret in JSON as %s writes it', (_, json) => {
    expect(JSON.parse(json)).toBe("token/+a&b=='");
    expect(createScrubber(["token/+a&b=='"]).scrub(json)).toMatch(/^"\*+"$/);
  });

  it('masks a secret with letters beyond ASCII in JSON that has none', () => {
    const json = '"gehe\\u00edm-\\ud83d\\udd11-\\u00fc"';
    expect(createScrubber([JSON.parse(json)]).scrub(json)).toMatch(/^"\*+"$/);
  });

  it('masks a secret inside base64 of anything', () => {
    fc.assert(
      fc.property(secrets, fc.tuple(bytes, bytes), fc.boolean(), (secret, [before, after], url) => {
        const text = Buffer.concat([before, Buffer.from(secret), after]).toString(
          url ? 'base64url' : 'base64',
        );
        const out = createScrubber([secret]).scrub(text);
        expect(out).toHaveLength(text.length);
        expect(out).toMatch(/\*{8}/);
        expect(Buffer.from(out.replaceAll('*', 'A'), 'base64').includes(secret)).toBe(false);
      }),
    );
  });

  it('masks a secret inside base64 that is wrapped, wherever it is cut, and no more of it than that', async () => {
    const wrap = fc.constantFrom('\n', '\r\n', '\\n', '\\r\\n', '\n    ', '\n\t', '\\\\n');
    await fc.assert(
      fc.asyncProperty(
        fc
          .string({ unit: 'grapheme-ascii', minLength: 20, maxLength: 40 })
          .filter((text) => text.trim().length >= 20),
        fc.tuple(bytes, bytes),
        fc.record({
          wrap,
          width: fc.integer({ min: 8, max: 76 }),
          cuts: fc.array(fc.nat(), { maxLength: 8 }),
        }),
        async (secret, [before, after], { wrap: newline, width, cuts }) => {
          const text = Buffer.concat([before, Buffer.from(secret), after]).toString('base64');
          const lines = text.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
          const content = Buffer.from(lines.join(newline));
          const out = (await streamed(secret, content, cuts)).toString();
          expect(out).toHaveLength(content.length);
          // Line breaks stay, and so does whatever is not the secret.
          const inner = out.replaceAll(newline, '');
          expect(out.split(newline)).toHaveLength(lines.length);
          const begin = Math.ceil((before.length * 8) / 6);
          const end = Math.floor(((before.length + secret.length) * 8) / 6);
          expect(inner.slice(0, begin)).toBe(text.slice(0, begin));
          expect(inner.slice(end)).toBe(text.slice(end));
          expect(inner.slice(begin + 2, end)).toMatch(/^\*+$/);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('does not hold back a line for what may follow it, nor anything for long', () => {
    const stream = createScrubber(['a secret of some length']).stream();
    const core = Buffer.from('a secret of some length').toString('base64');
    const take = (text: string) => {
      stream.write(text);
      return String(stream.read() ?? '');
    };
    expect(take(`data: ${core.slice(0, 2)}\n`)).toBe(`data: ${core.slice(0, 2)}\n`);
    expect(take(`${core.slice(2)}.`)).toMatch(/^\*+.{0,3}\.$/);
    const begun = core.slice(0, 12);
    expect(take(`${begun}\n`)).toBe('');
    expect(take('\n')).toBe(`${begun}\n\n`);
    expect(take(`${begun}\n${' '.repeat(95)}`)).toBe('');
    expect(take(' ')).toBe(`${begun}\n${' '.repeat(96)}`);
    expect(take(`${begun} ${core.slice(12)} `)).toBe(`${begun} ${core.slice(12)} `);
  });

  it('finds a secret in a URL, a form, JSON and HTML', () => {
    const secret = `s"e/c&r<e>t 'ü(1)`;
    const scrubber = createScrubber([secret]);
    const url = encodeURIComponent(secret);
    const all = [
      secret,
      url,
      url.toLowerCase(),
      new URLSearchParams({ a: secret }).toString(),
      JSON.stringify({ a: secret }),
      JSON.stringify({ a: secret }).replaceAll('/', '\\/'),
    ];
    const html = secret
      .replaceAll('&', '&amp;')
      .replaceAll('"', '&quot;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;');
    for (const text of [...all, html])
      expect(scrubber.scrub(Buffer.from(text).toString('latin1'))).not.toMatch(/[ec]&|e%2f|e\\\//i);
  });

  it('lets through at once what cannot be part of a secret', () => {
    const stream = createScrubber(['secret-one', 'secret-two']).stream();
    const take = (text: string) => {
      stream.write(text);
      return String(stream.read() ?? '');
    };
    expect(take('data: hello\n\n')).toBe('data: hello\n\n');
    expect(take('it is sec')).toBe('it is ');
    expect(take('ond')).toBe('second');
    expect(take('secret-t')).toBe('');
    expect(take('wo!')).toBe('**********!');
  });

  it('masks secrets that overlap, and leaves what is too short to be one', () => {
    expect(createScrubber(['abcdefgh', 'efghijkl']).scrub('abcdefghijkl')).toBe('************');
    expect(createScrubber(['aaaaaaaa']).scrub('aaaaaaaaaab')).toBe('**********b');
    expect(createScrubber(['abc', '']).scrub('abc')).toBe('abc');
    expect(createScrubber([]).scrub('abc')).toBe('abc');
  });
});

describe('needles', { timeout: 120_000 }, () => {
  it('know the longest needle that ends, and the longest start of one', () => {
    const alphabet = fc.constantFrom('a', 'b', 'c');
    const word = fc.string({ unit: alphabet, minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 6 }),
        fc.string({ unit: alphabet, maxLength: 30 }),
        (words, text) => {
          const needles = createNeedles(words.map((w) => Buffer.from(w)));
          let state = 0;
          for (let at = 0; at < text.length; at++) {
            state = needles.step(state, text.charCodeAt(at));
            const read = text.slice(0, at + 1);
            const ends = words.filter((w) => read.endsWith(w)).map((w) => w.length);
            const starts = words
              .flatMap((w) => [...w].map((_, i) => w.slice(0, i + 1)))
              .filter((start) => read.endsWith(start));
            expect(needles.ending(state)).toBe(Math.max(0, ...ends));
            expect(needles.pending(state)).toBe(Math.max(0, ...starts.map((start) => start.length)));
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('take needles of all 256 bytes', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const needles = createNeedles([all]);
    const end = all.reduce((state, byte) => needles.step(state, byte), 0);
    expect(needles.ending(end)).toBe(256);
  });
});
