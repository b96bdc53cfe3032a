// Sealed records: small JSON values by key, in a directory that may be read by others and lost with its machine.
//  1. What was put outlives the program and is seen by every program that shares the directory.
//  2. On disk a record is sealed: the file, moved to another key or read without the secret, opens as nothing.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deriveKey } from './identity.ts';

export interface Records {
  put(key: string, value: unknown): Promise<void>;
  /** The same object for as long as nothing was put; null when there is none. */
  get(key: string): Promise<unknown>;
  drop(key: string): Promise<void>;
}

/** What has not been put again for this long is removed: no sandbox lives longer than a day. */
const KEPT_MS = 26 * 60 * 60 * 1000;
/** How often that is looked for. */
const SWEEP_MS = 60 * 60 * 1000;
/** Records kept open; the one that was opened first is read again when it is wanted. */
const MAX_CACHED = 10_000;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function createMemoryRecords(now: () => number = Date.now): Records {
  // In the order they were put.
  const values = new Map<string, { value: unknown; at: number }>();
  return {
    async put(key, value) {
      values.delete(key);
      values.set(key, { value, at: now() });
      for (const [old, { at }] of values) {
        if (at > now() - KEPT_MS) break;
        values.delete(old);
      }
    },
    get: async (key) => values.get(key)?.value ?? null,
    drop: async (key) => void values.delete(key),
  };
}

/** `secrets`: the first seals, any opens. */
export async function openSealedRecords(dir: string, secrets: readonly string[]): Promise<Records> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await sweep(dir);
  let sweptAt = Date.now();
  const keys = secrets.map((secret) => deriveKey(secret, 'capstan egress records'));
  const cache = new Map<string, { stamp: string; value: unknown }>();
  const fileOf = (key: string) => join(dir, createHash('sha256').update(key).digest('hex'));
  return {
    async put(key, value) {
      const file = fileOf(key);
      const fresh = `${file}.${randomBytes(6).toString('hex')}`;
      await writeFile(fresh, seal(keys, key, value), { mode: 0o600 });
      await rename(fresh, file);
      if (Date.now() < sweptAt + SWEEP_MS) return;
      sweptAt = Date.now();
      await sweep(dir);
    },
    async get(key) {
      const file = fileOf(key);
      const stamp = await stampOf(file);
      const cached = cache.get(key);
      if (stamp !== null && cached?.stamp === stamp) return cached.value;
      cache.delete(key);
      const bytes = stamp === null ? null : await contentOf(file);
      const value = bytes === null ? null : open(keys, key, bytes);
      if (stamp !== null && value !== null) cache.set(key, { stamp, value });
      const [oldest] = cache.keys();
      if (cache.size > MAX_CACHED && oldest !== undefined) cache.delete(oldest);
      return value;
    },
    async drop(key) {
      cache.delete(key);
      await rm(fileOf(key), { force: true });
    },
  };
}

/** Changes whenever the file is another one; null when there is none. */
async function stampOf(file: string): Promise<string | null> {
  const found = await stat(file, { bigint: true }).catch(ifMissing);
  return found && `${found.ino}.${found.mtimeNs}.${found.size}`;
}

async function contentOf(file: string): Promise<Buffer | null> {
  return await readFile(file).catch(ifMissing);
}

function ifMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
  throw error;
}

async function sweep(dir: string): Promise<void> {
  const oldest = Date.now() - KEPT_MS;
  for (const name of await readdir(dir)) {
    const file = join(dir, name);
    const found = /^[0-9a-f]{64}/.test(name) ? await stat(file).catch(ifMissing) : null;
    if (found && found.mtimeMs < oldest) await rm(file, { force: true });
  }
}

/** Nonce, tag, ciphertext. */
function seal([secret]: readonly Buffer[], key: string, value: unknown): Buffer {
  if (secret === undefined) throw new RangeError('Sealed records need at least one secret');
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(Buffer.from(key));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(value)), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Null when no secret opens it: sealed under one that is gone, for another key, or not whole. */
function open(secrets: readonly Buffer[], key: string, bytes: Buffer): unknown {
  const [tagAt, sealedAt] = [NONCE_BYTES, NONCE_BYTES + TAG_BYTES];
  if (bytes.length < sealedAt) return null;
  for (const secret of secrets) {
    try {
      const nonce = bytes.subarray(0, tagAt);
      const cipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: TAG_BYTES });
      cipher.setAAD(Buffer.from(key)).setAuthTag(bytes.subarray(tagAt, sealedAt));
      return JSON.parse(Buffer.concat([cipher.update(bytes.subarray(sealedAt)), cipher.final()]).toString());
    } catch {
      // Another may open it.
    }
  }
  return null;
}
