// Which API key belongs to whom.
// 1. Keys are compared by SHA-256; the bootstrap key's hash in constant time, the others by an indexed read.
// 2. A key that was found is remembered for a few seconds only, so revoking it holds within that time everywhere.
// 3. Nothing is remembered about keys that were not found.
import { type ApiKeyRecord, ApiKeyStore, DEFAULT_TENANT } from '@capstan/db/api-keys';
import type { Principal } from '../call.ts';
import type { ApiPorts } from '../ports.ts';
import { equalInConstantTime, sha256Hex } from './digest.ts';

export const REMEMBERED_MS = 5_000;
const MOST_REMEMBERED = 1_000;

type KeyringPorts = Pick<ApiPorts, 'db' | 'clock' | 'secrets'>;

interface Remembered {
  principal: Principal;
  until: number;
}

export class Keyring {
  #ports: KeyringPorts;
  #keys: ApiKeyStore;
  #remembered = new Map<string, Remembered>();

  constructor(ports: KeyringPorts) {
    this.#ports = ports;
    this.#keys = new ApiKeyStore(ports.db);
  }

  /** Null: nobody's key. */
  async whose(key: string): Promise<Principal | null> {
    const hash = await sha256Hex(key);
    const { bootstrapKeyHash } = this.#ports.secrets;
    if (bootstrapKeyHash !== null && equalInConstantTime(hash, bootstrapKeyHash)) {
      return bootstrapPrincipal(bootstrapKeyHash, key.slice(-4));
    }
    return this.#recall(`hash:${hash}`, () => this.#keys.findByHash(hash));
  }

  /** Whether a key that signed someone in is still good. */
  async stillHolds({ apiKey, tenantId }: Principal): Promise<boolean> {
    const { bootstrapKeyHash } = this.#ports.secrets;
    if (bootstrapKeyHash !== null && apiKey.id === bootstrapId(bootstrapKeyHash)) return true;
    const found = await this.#recall(`id:${apiKey.id}`, () => this.#keys.findById(apiKey.id));
    return found?.tenantId === tenantId;
  }

  async #recall(name: string, read: () => Promise<ApiKeyRecord | null>): Promise<Principal | null> {
    const now = this.#ports.clock.now();
    const known = this.#remembered.get(name);
    if (known && known.until > now) return known.principal;
    this.#remembered.delete(name);
    const record = await read();
    if (record === null) return null;
    const principal = toPrincipal(record);
    this.#remember(name, { principal, until: now + REMEMBERED_MS });
    return principal;
  }

  #remember(name: string, entry: Remembered): void {
    const oldest = this.#remembered.keys().next();
    if (this.#remembered.size >= MOST_REMEMBERED && !oldest.done) this.#remembered.delete(oldest.value);
    this.#remembered.set(name, entry);
  }
}

function toPrincipal({ tenantId, id, name, lastFour }: ApiKeyRecord): Principal {
  return { tenantId, apiKey: { id, name, lastFour } };
}

function bootstrapPrincipal(hash: string, lastFour: string): Principal {
  return { tenantId: DEFAULT_TENANT, apiKey: { id: bootstrapId(hash), name: 'Bootstrap key', lastFour } };
}

/** Names the key by its hash, so that sign-ins made with it end when it is replaced. */
function bootstrapId(hash: string): string {
  return `key_bootstrap_${hash.slice(0, 12)}`;
}
