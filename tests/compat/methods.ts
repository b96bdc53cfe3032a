// Every method of the official SDK's client, found by looking at the client itself, and what became of each one that was called.
import type Anthropic from '@anthropic-ai/sdk';

/** `works`: resolved in a test that passed. `501`: refused as something that only the vendor's cloud has. */
export type Outcome = 'works' | '501';

interface Method {
  /** As one writes it after `client.`, e.g. `beta.agents.create`. */
  name: string;
  owner: object;
  key: string;
}

export class MethodBook {
  readonly names: readonly string[];
  #outcomes = new Map<string, Outcome>();
  /** Those that answer at once, e.g. with something to iterate over; they count once the test says so. */
  #begun = new Set<string>();

  /** From now on the client's methods tell what becomes of them. */
  constructor(client: Anthropic) {
    const methods = [...resourcesOf(client)].flatMap(([name, owner]) => methodsOf(name, owner));
    this.names = methods.map(({ name }) => name);
    for (const method of methods) this.#watch(method);
  }

  outcome(name: string): Outcome | null {
    return this.#outcomes.get(name) ?? null;
  }

  /** For what answers without a promise: to be said by the test in which it did its work. */
  worked(name: string): void {
    if (!this.#begun.has(name)) throw new Error(`${name} was never called`);
    this.#outcomes.set(name, 'works');
  }

  /** For what is composed of other calls: they were refused with 501 in its place. */
  refused(name: string): void {
    this.#outcomes.set(name, '501');
  }

  #watch({ name, owner, key }: Method): void {
    const original: unknown = Reflect.get(owner, key);
    if (typeof original !== 'function') return;
    const watched = (...args: unknown[]): unknown => {
      const result: unknown = Reflect.apply(original, owner, args);
      this.#begun.add(name);
      if (isPromise(result)) {
        result.then(
          () => this.#outcomes.set(name, 'works'),
          (error: unknown) => {
            if (statusOf(error) === 501) this.#outcomes.set(name, '501');
          },
        );
      }
      return result;
    };
    Object.defineProperty(owner, key, { value: watched, configurable: true });
  }
}

function* resourcesOf(client: Anthropic): Generator<[string, object]> {
  const seen = new Set<object>();
  const waiting: [string, object][] = Object.entries(client).filter(([, value]) => isResource(value));
  for (const [name, resource] of waiting) {
    if (seen.has(resource)) continue;
    seen.add(resource);
    yield [name, resource];
    for (const [key, value] of Object.entries(resource)) {
      if (key !== '_client' && isResource(value)) waiting.push([`${name}.${key}`, value]);
    }
  }
}

function isResource(value: unknown): value is object {
  return typeof value === 'object' && value !== null && '_client' in value;
}

function methodsOf(resource: string, owner: object): Method[] {
  return Object.getOwnPropertyNames(Object.getPrototypeOf(owner))
    .filter((key) => key !== 'constructor' && !key.startsWith('_'))
    .filter((key) => typeof Reflect.get(owner, key) === 'function')
    .map((key) => ({ name: `${resource}.${key}`, owner, key }));
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function statusOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined;
}
