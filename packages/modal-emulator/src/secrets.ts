// Secrets: environment variables that are kept here under a name, for sandboxes, commands and builds that name them. Values
// lie in the state sealed under the emulator's token secret, and are in no log and no error.
import type { Sealer } from '@capstan/shared/seal';
import { Status } from 'nice-grpc';
import { fail } from './failure.ts';
import { newId } from './identifiers.ts';
import { assertObjectName } from './object-name.ts';
import type { SecretRecord, SecretStore } from './secret-store.ts';
import { ObjectCreation, type SecretRequest, type SecretSource } from './wire.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** One variable is an argument to the kernel, which takes 128 KiB. */
const MAX_VALUE_BYTES = 128 * 1024 - 1;

export class Secrets {
  readonly #store: SecretStore;
  readonly #sealer: Sealer;

  constructor(store: SecretStore, sealer: Sealer) {
    this.#store = store;
    this.#sealer = sealer;
  }

  /** Returns the id. `environment` is where names are looked for. */
  async getOrCreate(request: SecretRequest, environment: string): Promise<string> {
    const { deploymentName: name, objectCreationType: creation, requiredKeys } = request;
    if (creation === ObjectCreation.ephemeral) return this.#put({ id: newId('st'), environment }, request);
    assertObjectName('Secret', name);
    const known = this.#store.findByName(environment, name);
    if (known === undefined) return this.#create(request, environment);
    if (creation === ObjectCreation.failIfExists)
      fail(Status.ALREADY_EXISTS, `Secret '${name}' already exists in environment '${environment}'`);
    if (creation === ObjectCreation.overwrite) return this.#put(known, request);
    assertKeys(known.keys, requiredKeys);
    return known.id;
  }

  /** Sandboxes that have its values keep them. False when there is none of that id. */
  delete(id: string): boolean {
    return this.#store.delete(id);
  }

  /** All variables; of two of the same name, the later one. */
  async environment(
    sources: readonly SecretSource[],
    ids: readonly string[],
  ): Promise<Record<string, string>> {
    const env: Record<string, string> = {};
    for (const secretId of ids) Object.assign(env, await this.#valuesOf(secretId));
    for (const { secretId, env: sent } of sources)
      Object.assign(env, secretId ? await this.#valuesOf(secretId) : sent?.contents);
    return env;
  }

  async #create(request: SecretRequest, environment: string): Promise<string> {
    const { deploymentName: name, objectCreationType: creation, requiredKeys, envDict } = request;
    if (creation === ObjectCreation.lookup)
      fail(Status.NOT_FOUND, `Secret '${name}' not found in environment '${environment}'`);
    assertKeys(Object.keys(envDict), requiredKeys);
    return this.#put({ id: newId('st'), environment, name }, request);
  }

  async #put(
    record: Pick<SecretRecord, 'id' | 'environment' | 'name'>,
    { envDict }: SecretRequest,
  ): Promise<string> {
    for (const [key, value] of Object.entries(envDict)) assertVariable(key, value);
    const sealed = await this.#sealer.seal(JSON.stringify(envDict), identityOf(record.id));
    // Another request may have made one of that name while this one sealed.
    const twin =
      record.name === undefined ? undefined : this.#store.findByName(record.environment, record.name);
    const { id, environment, name } = twin ?? record;
    if (twin !== undefined && twin.id !== record.id) return id;
    this.#store.put({ id, environment, name, keys: Object.keys(envDict), sealed });
    return id;
  }

  async #valuesOf(id: string): Promise<Record<string, string>> {
    const secret = this.#store.find(id) ?? fail(Status.NOT_FOUND, `No Secret with ID '${id}' found`);
    try {
      return JSON.parse(await this.#sealer.open(secret.sealed, identityOf(id)));
    } catch {
      return fail(
        Status.FAILED_PRECONDITION,
        `Secret ${secret.name ?? id} cannot be read: it was made when MODAL_TOKEN_SECRET was another. Make it again.`,
      );
    }
  }
}

function identityOf(id: string): string {
  return `secrets/${id}/values`;
}

function assertKeys(keys: readonly string[], required: readonly string[]): void {
  const missing = required.filter((key) => !keys.includes(key));
  if (missing.length > 0) fail(Status.FAILED_PRECONDITION, `Secret is missing key(s): ${missing.join(', ')}`);
}

function assertVariable(key: string, value: string): void {
  if (!VARIABLE.test(key))
    fail(
      Status.INVALID_ARGUMENT,
      `${JSON.stringify(key)} cannot be a variable: use letters, digits and underscores, and no digit first.`,
    );
  if (value.includes('\0') || Buffer.byteLength(value) + key.length > MAX_VALUE_BYTES)
    fail(
      Status.INVALID_ARGUMENT,
      `The value of ${key} cannot be in an environment: it may have no NUL and ${MAX_VALUE_BYTES} bytes.`,
    );
}
