// What workers of self-hosted environments show.
// 1. An environment's key is compared by SHA-256, found by an indexed read, and remembered for a few seconds only.
// 2. A sessions token is for one offer of one work item, ends, and is worth nothing once the key it was given to is revoked.
import { type EnvironmentKeyRecord, findEnvironmentKey } from '@capstan/db/environment-keys';
import { ENVIRONMENT_KEY_PREFIX } from '@capstan/schema/environment-keys';
import { ApiError } from '@capstan/schema/error';
import type { Credential } from '@capstan/schema/route';
import { z } from 'zod';
import type { Principal, Worker } from '../call.ts';
import type { ApiPorts } from '../ports.ts';
import { sha256Hex } from './digest.ts';
import { Signer } from './signer.ts';

export const SESSIONS_TOKEN_PREFIX = 'sk-ant-req-';
const REMEMBERED_MS = 5_000;
const MOST_REMEMBERED = 1_000;
/** A worker has a session this long with one token; then it polls for it anew. */
const TOKEN_LIFETIME_MS = 24 * 3_600_000;
const LONGEST_TOKEN = 2_048;

const payload = z.object({
  tenantId: z.string(),
  environmentId: z.string(),
  keyId: z.string(),
  workId: z.string(),
  sessionId: z.string(),
  offer: z.int(),
  /** Epoch ms. */
  expiresAt: z.number(),
});

export type TokenItem = NonNullable<Worker['item']>;

/** Which kind of credential a key is, by how it begins. */
export function credentialOf(key: string): Credential {
  if (key.startsWith(ENVIRONMENT_KEY_PREFIX)) return 'environment_key';
  return key.startsWith(SESSIONS_TOKEN_PREFIX) ? 'sessions_token' : 'api_key';
}

export class WorkerKeys {
  #ports: Pick<ApiPorts, 'db' | 'clock'>;
  #signer: Signer;
  #remembered = new Map<string, { record: EnvironmentKeyRecord; until: number }>();

  constructor(ports: Pick<ApiPorts, 'db' | 'clock' | 'secrets'>) {
    this.#ports = ports;
    this.#signer = new Signer(ports.secrets.root, 'sessions-token');
  }

  /** Refuses (`unauthenticated`) a key that is unknown or revoked. */
  async byKey(key: string): Promise<Principal> {
    const record = key.length > LONGEST_TOKEN ? null : await this.#recall({ hash: await sha256Hex(key) });
    if (record !== null) return toPrincipal(record, null);
    throw new ApiError('unauthenticated', 'This environment key is unknown or was revoked');
  }

  /** Refuses (`unauthenticated`) a token that is not ours, has ended, or was given to a key that is revoked. */
  async byToken(token: string): Promise<Principal> {
    const signed = token.slice(SESSIONS_TOKEN_PREFIX.length);
    const read = token.length > LONGEST_TOKEN ? undefined : await this.#signer.read(signed);
    const { data } = payload.safeParse(read);
    if (data === undefined) throw new ApiError('unauthenticated', 'This sessions token is unknown');
    if (data.expiresAt <= this.#ports.clock.now())
      throw new ApiError('unauthenticated', 'This sessions token has ended: poll for the work again');
    const record = await this.#recall({ id: data.keyId });
    if (record === null || record.environmentId !== data.environmentId)
      throw new ApiError('unauthenticated', 'The environment key behind this sessions token was revoked');
    const { workId, sessionId, offer } = data;
    return toPrincipal(record, { workId, sessionId, offer });
  }

  /** A token for that item, given to the worker that polled for it. */
  async tokenFor({ tenantId, apiKey }: Principal, environmentId: string, item: TokenItem): Promise<string> {
    const expiresAt = this.#ports.clock.now() + TOKEN_LIFETIME_MS;
    const { workId, sessionId, offer } = item;
    const value = { tenantId, environmentId, keyId: apiKey.id, workId, sessionId, offer, expiresAt };
    return SESSIONS_TOKEN_PREFIX + (await this.#signer.sign(value));
  }

  async #recall(by: { hash: string } | { id: string }): Promise<EnvironmentKeyRecord | null> {
    const name = 'hash' in by ? `hash:${by.hash}` : `id:${by.id}`;
    const { db, clock } = this.#ports;
    const now = clock.now();
    const known = this.#remembered.get(name);
    if (known && known.until > now) return known.record;
    this.#remembered.delete(name);
    const record = await findEnvironmentKey(db, by);
    if (record === null) return null;
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size >= MOST_REMEMBERED && !oldest.done) this.#remembered.delete(oldest.value);
    this.#remembered.set(name, { record, until: now + REMEMBERED_MS });
    return record;
  }
}

function toPrincipal(record: EnvironmentKeyRecord, item: TokenItem | null): Principal {
  const { tenantId, environmentId, id, name, lastFour } = record;
  return { tenantId, apiKey: { id, name, lastFour }, worker: { environmentId, item } };
}
