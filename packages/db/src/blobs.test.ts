// Both places for contents, as they are on one machine: Miniflare's R2, and a directory that workerd serves.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Blobs } from './blobs.ts';
import { openDirectory } from './directory.ts';
import { type BlobBindings, openBlobs } from './open-blobs.ts';
import { PIECE_BYTES } from './pieces.ts';
import { openR2 } from './r2.ts';

const dir = mkdtempSync(join(tmpdir(), 'capstan-blobs-'));
let miniflare: Miniflare;
let bindings: Required<BlobBindings>;
const places = new Map<string, Blobs>();

beforeAll(async () => {
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: 'export default { fetch: () => new Response() }',
      compatibilityDate: '2026-10-01',
      telemetry: { enabled: false },
      cf: false,
      r2Buckets: ['BLOBS'],
      serviceBindings: { BLOB_DIRECTORY: { disk: { path: dir, writable: true } } },
    }),
  );
  bindings = await miniflare.getBindings<Required<BlobBindings>>();
  places.set('R2', openR2(bindings.BLOBS)).set('a directory', openDirectory(bindings.BLOB_DIRECTORY));
});
afterAll(async () => {
  await miniflare.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const bytes = (length: number) =>
  new Uint8Array(length).map((_, index) => (index * 31 + (index >> 13)) % 251);

/** In chunks that are gone once the next one is asked for. */
async function* inChunks(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(size);
  for (let at = 0; at < content.length; at += size) {
    const chunk = content.subarray(at, at + size);
    memory.set(chunk);
    yield memory.subarray(0, chunk.length);
    memory.fill(0);
  }
}

async function read(stream: ReadableStream<Uint8Array> | null): Promise<Uint8Array | null> {
  return stream === null ? null : new Uint8Array(await new Response(stream as BodyInit).arrayBuffer());
}

describe.each(['R2', 'a directory'])('contents in %s', (name) => {
  const blobs = () => {
    const found = places.get(name);
    if (found === undefined) throw new TypeError(`no ${name}`);
    return found;
  };

  it.each([0, 1, 100_000, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 12_345])(
    'of %i bytes come back as they were, whole and in ranges',
    async (length) => {
      const content = bytes(length);
      const key = `t/tnt_one/files/file_${length}`;
      const put = await blobs().put(key, inChunks(content, 262_144));
      expect(put).toEqual({ sizeBytes: length, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
      const whole = await read(await blobs().get(key));
      expect(Buffer.compare(whole ?? Buffer.of(1), content)).toBe(0);
      if (length < 2) return;
      const range = { offset: length - Math.floor(length / 2), length: Math.floor(length / 2) };
      const half = await read(await blobs().get(key, range));
      expect(Buffer.compare(half ?? Buffer.of(1), content.subarray(range.offset))).toBe(0);
    },
    60_000,
  );

  it('have the digest that they have elsewhere, however they come', async () => {
    const content = bytes(PIECE_BYTES + 777);
    const digests = await Promise.all(
      [...places.values()].flatMap((place, index) =>
        [1_000, 262_144].map((size) => place.put(`t/tnt_one/d${index}-${size}`, inChunks(content, size))),
      ),
    );
    expect(new Set(digests.map(({ digest }) => digest)).size).toBe(1);
  });

  it('are not there when what was to be put breaks off', async () => {
    const broken = new TypeError('broken off');
    async function* breaking(): AsyncGenerator<Uint8Array> {
      yield* inChunks(bytes(PIECE_BYTES * 2), 262_144);
      throw broken;
    }
    await expect(blobs().put('t/tnt_one/broken', breaking())).rejects.toBe(broken);
    expect(await blobs().get('t/tnt_one/broken')).toBeNull();
    const names = readdirSync(dir, { recursive: true }).map(String);
    expect(names.filter((path) => path.includes('broken') || path.includes('tmp'))).toEqual([]);
  });

  it('are replaced whole, and removed as often as one likes', async () => {
    const key = 't/tnt_one/twice';
    await blobs().put(key, inChunks(bytes(1_000), 100));
    await blobs().put(key, inChunks(bytes(10), 10));
    expect(await read(await blobs().get(key))).toEqual(bytes(10));
    await blobs().remove([key, 't/tnt_one/never']);
    await blobs().remove([key]);
    expect(await blobs().get(key)).toBeNull();
    await blobs().remove([]);
  });

  it('that are not read to their end hold nothing up', async () => {
    const key = 't/tnt_one/left';
    await blobs().put(key, inChunks(bytes(PIECE_BYTES * 2), 262_144));
    const stream = await blobs().get(key);
    await stream?.cancel();
    expect((await read(await blobs().get(key, { offset: 5, length: 3 })))?.length).toBe(3);
  });
});

it('lie in the directory alone where there is one', async () => {
  const { BLOBS } = bindings;
  const content = () => inChunks(new TextEncoder().encode('here'), 100);
  await openBlobs(bindings).put('t/tnt_one/here', content());
  expect(String(Buffer.from((await read(await openBlobs(bindings).get('t/tnt_one/here'))) ?? []))).toBe(
    'here',
  );
  expect(await openBlobs({ BLOBS }).get('t/tnt_one/here')).toBeNull();
});
