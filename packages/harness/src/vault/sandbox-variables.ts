// Variables of a session's vaults in its sandbox: every command there has them, each with a placeholder for its value. The
// values stay at the egress proxy, which puts them in where the credential says.
//  V1 What the vaults have is looked at before each call: what was rotated or archived counts from the next call on.
//  V2 No value is kept here longer than it takes to hand it to the proxy.
import type { SandboxCredential } from '@capstan/sandbox/port';
import type { Logger } from '@capstan/shared/logger';

/** A variable as a vault has it now. */
export interface VaultVariable {
  /** Of the credential. */
  id: string;
  /** Another one with each change of the credential. */
  version: number;
  name: string;
  /** As a sandbox's credential has them. */
  hosts: readonly string[];
  locations: SandboxCredential['locations'];
  /** Its value. Rejects when this server cannot open it. */
  open(): Promise<string>;
}

export interface VaultVariables {
  /** Of one name only that of the first vault that has it. */
  load(): Promise<VaultVariable[]>;
}

export type OpenVariable = Omit<SandboxCredential, 'placeholder'>;

/** What became of what was given, by id. */
export type Uses = ReadonlyMap<string, { placeholder: string } | { unused: string }>;

const UNREADABLE =
  'this server cannot open it: its agent Worker needs the PLATFORM_ROOT_SECRET of the main Worker';

export class SandboxVariables {
  #source: VaultVariables | null;
  #logger: Logger;
  #found: VaultVariable[] = [];
  /** What was found, as it was handed over last; null: nothing was yet. */
  #given: string | null = null;
  #unreadable = new Map<string, { unused: string }>();
  #environment: Readonly<Record<string, string>> = {};

  /** `source` null: the session has no vaults. */
  constructor(source: VaultVariables | null, logger: Logger) {
    this.#source = source;
    this.#logger = logger;
  }

  /** What a command is to have, by name. */
  get environment(): Readonly<Record<string, string>> {
    return this.#environment;
  }

  /** Whether the vaults have other variables, or other values, than were handed over last. Where they cannot be asked, they have not. */
  async changed(): Promise<boolean> {
    if (this.#source === null) return false;
    try {
      this.#found = await this.#source.load();
    } catch (error) {
      this.#logger.error('vault.variables_unknown', {}, error);
      return false;
    }
    return this.#given !== revisionOf(this.#found);
  }

  /** The variables with their values. */
  async open(): Promise<OpenVariable[]> {
    this.#unreadable.clear();
    const opened = await Promise.all(this.#found.map((variable) => this.#open(variable)));
    return opened.filter((variable) => variable !== null);
  }

  /** They were handed over, and this became of them. Gives what is not used, by id: its name, and why. */
  settle(uses: Uses): Map<string, { name: string; unused: string }> {
    const all = this.#found.map(({ id, name }) => ({
      id,
      name,
      use: this.#unreadable.get(id) ?? uses.get(id),
    }));
    const set = all.flatMap(({ name, use }) =>
      use !== undefined && 'placeholder' in use ? [[name, use.placeholder] as const] : [],
    );
    this.#environment = Object.fromEntries(set);
    this.#given = this.#source === null ? null : revisionOf(this.#found);
    const unused = all.flatMap(({ id, name, use }) =>
      use !== undefined && 'unused' in use ? [[id, { name, unused: use.unused }] as const] : [],
    );
    return new Map(unused);
  }

  async #open({ id, hosts, locations, open }: VaultVariable): Promise<OpenVariable | null> {
    try {
      return { id, secret: await open(), hosts, locations };
    } catch (error) {
      this.#logger.error('vault.variable_unreadable', { credential_id: id }, error);
      this.#unreadable.set(id, { unused: UNREADABLE });
      return null;
    }
  }
}

function revisionOf(found: readonly VaultVariable[]): string {
  return JSON.stringify(found.map(({ id, version }) => [id, version]).toSorted());
}
