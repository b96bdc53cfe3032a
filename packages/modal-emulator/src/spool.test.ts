import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, asyncProperty, integer, nat, uint8Array } from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Spool } from './spool.ts';

const directory = mkdtempSync(join(tmpdir(), 'spool-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const never = new AbortController().signal;
let spools = 0;
const makeSpool = (limitBytes = 1 << 30) => new Spool(join(directory, String(spools++)), limitBytes);

async function collect(spool: Spool, offset: number, signal = never): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of spool.read(offset, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('a spool', { timeout: 120_000 }, () => {
  it('replays everything from any offset, from memory or from disk', async () => {
    const chunks = array(uint8Array({ maxLength: 40_000 }), { maxLength: 8 });
    await assert(
      asyncProperty(chunks, nat(320_000), integer({ min: 0, max: 8 }), async (written, offset, early) => {
        const spool = makeSpool();
        const expected = Buffer.concat(written).subarray(offset);
        for (const chunk of written.slice(0, early)) spool.append(Buffer.from(chunk));
        const reading = collect(spool, offset);
        for (const chunk of written.slice(early)) spool.append(Buffer.from(chunk));
        spool.end();
        expect(Buffer.compare(await reading, expected)).toBe(0);
        expect(Buffer.compare(await collect(spool, offset), expected)).toBe(0);
        spool.dispose();
      }),
      { numRuns: 60 },
    );
  });

  it('keeps its limit, says so, and ignores the rest', async () => {
    const spool = makeSpool(10);
    spool.append(Buffer.from('12345678'));
    spool.append(Buffer.from('90abc'));
    spool.append(Buffer.from('def'));
    spool.end();
    expect((await collect(spool, 0)).toString()).toBe('1234567890\n[output over 10 bytes is discarded]\n');
  });

  it('keeps what the disk took, and says that the rest is lost', async () => {
    const unwritable = new Spool('/proc/self/no-such-directory/spool', 1 << 30);
    unwritable.append(Buffer.alloc(60_000, 'x'));
    unwritable.append(Buffer.alloc(60_000, 'y'));
    unwritable.append(Buffer.alloc(10, 'z'));
    unwritable.end();
    const text = (await collect(unwritable, 59_990)).toString();
    expect(text).toMatch(/^x{10}\n\[the rest of the output is lost: .*\(ENOENT\)\]\n$/);
  });

  it('leaves no file behind, even while it is open', () => {
    const spool = makeSpool();
    spool.append(Buffer.alloc(100_000));
    expect(readdirSync(directory)).toEqual([]);
    spool.dispose();
  });

  it('lets go of readers that leave, and of all when it is disposed', async () => {
    const spool = makeSpool();
    const leaving = new AbortController();
    const left = collect(spool, 0, leaving.signal);
    const stayed = collect(spool, 0);
    leaving.abort();
    expect((await left).length).toBe(0);
    spool.dispose();
    expect((await stayed).length).toBe(0);
  });
});
