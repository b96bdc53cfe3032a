// Policy store: the rules of every sandbox by name, as they were last said.
//  1. A sandbox nobody has spoken of has no rules, and so no network.
//  2. With a directory, what was said outlives the program and is seen by every program that shares the directory.
//  3. On disk a policy is sealed: the file, moved under another name or read without the secret, opens as nothing.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deriveKey } from './identity.ts';
import { type CompiledPolicy, compilePolicy, type EgressPolicy } from './policy.ts';

export interface PolicyStore {
  /** Takes effect for the next request. Throws RangeError on a policy that says nothing sensible. */
  set(sandbox: string, policy: EgressPolicy): Promise<void>;
  get(sandbox: string): Promise<CompiledPolicy | null>;
  forget(sandbox: string): Promise<void>;
}

/** No sandbox lives longer than a day after it was last created or woken, which says its policy again. */
const KEPT_MS = 26 * 60 * 60 * 1000;

export function createMemoryStore(): PolicyStore {
  const policies = new Map<string, CompiledPolicy>();
  return {
    set: async (sandbox, policy) => void policies.set(sandbox, compilePolicy(policy)),
    get: async (sandbox) => policies.get(sandbox) ?? null,
    forget: async (sandbox) => void policies.delete(sandbox),
  };
}

interface Cached {
  stamp: string;
  policy: CompiledPolicy;
}

/** `secrets`: the first seals, any opens. Removes what no sandbox can be left of. */
export async function openDirectoryStore(dir: string, secrets: readonly string[]): Promise<PolicyStore> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await sweep(dir);
  const keys = secrets.map((secret) => deriveKey(secret, 'capstan egress policy'));
  const cache = new Map<string, Cached>();
  const fileOf = (sandbox: string) => join(dir, createHash('sha256').update(sandbox).digest('hex'));
  return {
    async set(sandbox, policy) {
      compilePolicy(policy);
      const file = fileOf(sandbox);
      const fresh = `${file}.${randomBytes(6).toString('hex')}.new`;
      await writeFile(fresh, seal(keys, sandbox, policy), { mode: 0o600 });
      await rename(fresh, file);
    },
    async get(sandbox) {
      const file = fileOf(sandbox);
      const stamp = await stampOf(file);
      if (stamp === null) {
        cache.delete(sandbox);
        return null;
      }
      const cached = cache.get(sandbox);
      if (cached?.stamp === stamp) return cached.policy;
      const opened = open(keys, sandbox, await readFile(file));
      if (opened === null) return null;
      const policy = compilePolicy(opened);
      cache.set(sandbox, { stamp, policy });
      return policy;
    },
    async forget(sandbox) {
      cache.delete(sandbox);
      await rm(fileOf(sandbox), { force: true });
    },
  };
}

async function stampOf(file: string): Promise<string | null> {
  try {
    const { ino, mtimeNs, size } = await stat(file, { bigint: true });
    return `${ino}.${mtimeNs}.${size}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function sweep(dir: string): Promise<void> {
  const oldest = Date.now() - KEPT_MS;
  for (const name of await readdir(dir)) {
    const file = join(dir, name);
    if (/^[0-9a-f]{64}/.test(name) && (await stat(file)).mtimeMs < oldest) await rm(file, { force: true });
  }
}

/** Nonce, tag, ciphertext. */
function seal([key]: readonly Buffer[], sandbox: string, policy: EgressPolicy): Buffer {
  if (key === undefined) throw new RangeError('A policy store needs at least one secret');
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(sandbox));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(policy)), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** Null when no key opens it: sealed under a secret that is gone, for another sandbox, or not whole. */
function open(keys: readonly Buffer[], sandbox: string, bytes: Buffer): EgressPolicy | null {
  for (const key of keys) {
    try {
      const cipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
      cipher.setAAD(Buffer.from(sandbox)).setAuthTag(bytes.subarray(12, 28));
      const text = Buffer.concat([cipher.update(bytes.subarray(28)), cipher.final()]).toString();
      return JSON.parse(text);
    } catch {
      // Another key may open it.
    }
  }
  return null;
}
