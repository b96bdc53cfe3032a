// Sandboxes with files and no commands: what a test makes of them happens to them. They outlive whoever asks.
import { SandboxError, type SandboxErrorCode } from '@capstan/sandbox/error';
import type {
  CreateSandbox,
  ImageRecipe,
  NetworkPolicy,
  SandboxCredential,
  Sandboxes,
} from '@capstan/sandbox/port';

interface Box {
  id: string;
  name: string;
  files: Map<string, Uint8Array>;
  expiresAt: number;
  alive: boolean;
  /** False: it lives, and cannot be used. */
  whole: boolean;
  runs: boolean;
}

const DAY_MS = 24 * 60 * 60_000;

export class ScriptedSandboxes {
  boxes: Box[] = [];
  images = new Map<string, Map<string, Uint8Array>>();
  /** What was asked, in order: `create`, `snapshot`, … */
  asked: string[] = [];
  /** What is made from these cannot be used. */
  wrecks = new Set<string | undefined>();
  requests: CreateSandbox[] = [];
  recipes: ImageRecipe[] = [];
  /** Why the next calls of a name fail; removed by the test. */
  fails = new Map<string, SandboxErrorCode>();
  /** How every command ends. */
  exitCode = 0;
  /** What was last said of a sandbox. */
  credentials = new Map<string, readonly SandboxCredential[]>();
  networks = new Map<string, NetworkPolicy>();
  /** Without, nobody can be given credentials. */
  proxied = true;
  /** Held back until it resolves. */
  held: Promise<void> | null = null;
  now = 1_000_000;
  #made = 0;
  #taken = new Map<string, string>();

  get live(): Box[] {
    return this.boxes.filter(({ alive }) => alive);
  }

  /** The last one made. */
  get last(): Box {
    const box = this.boxes.at(-1);
    if (box === undefined) throw new TypeError('There is no sandbox.');
    return box;
  }

  write(path: string, text: string): void {
    this.last.files.set(path, new TextEncoder().encode(text));
  }

  read(path: string): string | null {
    const bytes = this.last.files.get(path);
    return bytes === undefined ? null : new TextDecoder().decode(bytes);
  }

  port(): Sandboxes {
    const calls: Partial<Sandboxes> = {
      create: async (request) => this.#create(request),
      findByName: async (name) => {
        const box = this.live.find((one) => one.name === name);
        return box === undefined
          ? null
          : { sandboxId: box.id, name, created: false, expiresAt: box.expiresAt };
      },
      status: async (id) => {
        const { alive, expiresAt } = this.#box(id);
        return alive ? { state: 'running', expiresAt } : { state: 'terminated', exitCode: 0 };
      },
      exec: async ({ sandboxId }) => {
        const stdout = new TextEncoder().encode(this.#alive(sandboxId).runs ? 'running' : 'still');
        return {
          exitCode: this.exitCode,
          stdout,
          stderr: new Uint8Array(),
          timedOut: false,
          truncated: false,
        };
      },
      setCredentials: async ({ sandboxId, credentials }) => {
        if (!this.proxied) throw new SandboxError('misconfigured', 'There is no egress proxy');
        this.credentials.set(this.#alive(sandboxId).id, credentials);
      },
      setNetwork: async ({ sandboxId, network }) => {
        this.networks.set(this.#alive(sandboxId).id, network);
      },
      readFile: async ({ sandboxId, path }) => {
        const bytes = this.#alive(sandboxId).files.get(path);
        if (bytes === undefined) throw new SandboxError('file_not_found', path);
        return { bytes, sizeBytes: bytes.length, eof: true };
      },
      writeFile: async ({ sandboxId, path, content }) => {
        this.#alive(sandboxId).files.set(path, content);
      },
      buildImage: async (recipe) => {
        this.recipes.push(recipe);
        const imageId = 'im-built';
        this.images.set(imageId, new Map());
        return { imageId };
      },
      snapshot: async ({ sandboxId, snapshotId }) => {
        const known = this.#taken.get(snapshotId);
        if (known !== undefined) return { imageId: known };
        const imageId = `im-${++this.#made}`;
        this.images.set(imageId, new Map(this.#alive(sandboxId).files));
        this.#taken.set(snapshotId, imageId);
        return { imageId };
      },
      deleteImage: async (imageId) => {
        this.images.delete(imageId);
      },
      terminate: async (id) => {
        this.#box(id).alive = false;
      },
    };
    // The port's types stand: what is not scripted is not asked for.
    return new Proxy(calls, { get: (target, name) => this.#scripted(target, String(name)) }) as Sandboxes;
  }

  #scripted(calls: Partial<Sandboxes>, name: string) {
    const call: unknown = Reflect.get(calls, name);
    if (typeof call !== 'function') throw new TypeError(`Nothing is scripted for ${name}.`);
    return async (...args: unknown[]): Promise<unknown> => {
      this.asked.push(name);
      await this.held;
      const code = this.fails.get(name);
      if (code !== undefined) throw new SandboxError(code, `${name} fails`);
      return Reflect.apply(call, undefined, args);
    };
  }

  #create(request: CreateSandbox) {
    this.requests.push(request);
    if (request.credentials !== undefined && !this.proxied)
      throw new SandboxError('misconfigured', 'There is no egress proxy');
    const { name, imageId } = request;
    const known = this.live.find((box) => box.name === name);
    if (known?.whole === false) throw new SandboxError('unusable', known.id);
    if (known !== undefined) return { sandboxId: known.id, name, created: false, expiresAt: known.expiresAt };
    const files = imageId === undefined ? new Map() : this.images.get(imageId);
    if (files === undefined) throw new SandboxError('image_not_found', String(imageId));
    const id = `sb-${++this.#made}`;
    const expiresAt = this.now + DAY_MS;
    const whole = !this.wrecks.has(imageId);
    const box = { id, name, files: new Map(files), expiresAt, alive: true, whole, runs: false };
    this.boxes.push(box);
    if (!whole) throw new SandboxError('unusable', id);
    return { sandboxId: id, name, created: true, expiresAt: box.expiresAt };
  }

  #box(id: string): Box {
    const box = this.boxes.find((one) => one.id === id);
    if (box === undefined) throw new SandboxError('not_found', id);
    return box;
  }

  #alive(id: string): Box {
    const box = this.#box(id);
    if (!box.alive) throw new SandboxError('gone', id);
    if (!box.whole) throw new SandboxError('unusable', id);
    return box;
  }
}
