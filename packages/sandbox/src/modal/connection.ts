// The connection to Modal: one SDK client, our App, and handles on sandboxes, kept so that a call costs only itself.
// Whatever fails is forgotten and asked for anew by the next call.
import type { App, ContainerProcess, ModalClient, Sandbox } from 'modal';
import { isSandboxError, SandboxError } from '../error.ts';
import { MAX_WAIT_MS, type SandboxCapabilities } from '../port.ts';
import { Attendants } from './attendants.ts';
import type { BuildLogs } from './build-logs.ts';
import { isNotFound, mayBeEnded, toSandboxError } from './errors.ts';
import type { ProxyAddress } from './network.ts';
import { type Invoked, type Task, toArgv } from './programs.ts';
import { expiryOf } from './tags.ts';

const MAX_HANDLES = 2_000;
/** Longer than any call may wait and its command needs to be stopped; the gateway's callers wait some more. */
const DEADLINE_MS = MAX_WAIT_MS + 15_000;
const ATTENDANT_IDLE_MS = 30_000;

export interface Settings {
  client: ModalClient;
  /** What the client hears of builds. */
  buildLogs?: BuildLogs;
  /** The Modal App that sandboxes and their names belong to; made when it is missing. */
  appName: string;
  /** Registry reference of the image used when a sandbox asks for none. */
  image: string;
  /** A command that has not ended after this long is given up and killed; default 75 s. */
  deadlineMs?: number;
  /** An attendant without a task for this long ends; default 30 s. */
  idleMs?: number;
  /** The only thing that sandboxes may connect to. Without it Modal's own allowlist is all there is. */
  proxy?: ProxyAddress;
  /** Small ones that every sandbox has before its first command. */
  files?: readonly { path: string; content: Uint8Array }[];
  /** Default: what Modal promises. */
  capabilities?: SandboxCapabilities;
}

export interface Invocation {
  argv: string[];
  /** One after another. */
  stdin?: readonly Uint8Array[];
  /** Kept of stdout and of stderr, each; the rest is read and dropped. */
  maxBytes: number;
  /** Without it, stderr is not read and the exit code is not waited for. */
  complete?: boolean;
  signal?: AbortSignal;
}

export class Connection {
  readonly settings: Settings;
  readonly #handles = new Map<string, Sandbox>();
  readonly #expiries = new Map<string, number>();
  readonly #deadlineMs: number;
  readonly #attendants: Attendants;
  #app: Promise<App> | undefined;

  constructor(settings: Settings) {
    this.settings = settings;
    this.#deadlineMs = settings.deadlineMs ?? DEADLINE_MS;
    const { idleMs = ATTENDANT_IDLE_MS } = settings;
    this.#attendants = new Attendants({ deadlineMs: this.#deadlineMs, idleMs });
  }

  /** Our App; `fresh` really asks Modal. */
  app(fresh = false): Promise<App> {
    if (!fresh && this.#app !== undefined) return this.#app;
    const app = this.settings.client.apps.fromName(this.settings.appName, { createIfMissing: true });
    this.#app = app;
    app.catch(() => {
      if (this.#app === app) this.#app = undefined;
    });
    return app;
  }

  forgetApp(): void {
    this.#app = undefined;
  }

  keep(handle: Sandbox): void {
    // The one that is there is in use: detached, its calls would fail, and take the new one along.
    if (this.#handles.has(handle.sandboxId)) {
      handle.detach();
      return;
    }
    const oldest = this.#handles.keys().next().value;
    if (this.#handles.size >= MAX_HANDLES && oldest !== undefined) this.forget(oldest);
    this.#handles.set(handle.sandboxId, handle);
  }

  forget(sandboxId: string): void {
    const handle = this.#handles.get(sandboxId);
    this.#handles.delete(sandboxId);
    // Told so through the handle.
    this.#attendants.retire(sandboxId);
    handle?.detach();
  }

  async handle(sandboxId: string): Promise<Sandbox> {
    const known = this.#handles.get(sandboxId);
    if (known) return known;
    const handle = await this.settings.client.sandboxes.fromId(sandboxId);
    const raced = this.#handles.get(sandboxId);
    if (raced) return raced;
    this.keep(handle);
    return handle;
  }

  /** One question to Modal about a sandbox. Throws `gone` or `not_found` when that is why it failed. */
  async about<T>(sandboxId: string, doing: string, ask: (sandbox: Sandbox) => Promise<T>): Promise<T> {
    try {
      return await ask(await this.handle(sandboxId));
    } catch (error) {
      if (isSandboxError(error)) throw error;
      this.forget(sandboxId);
      throw await this.#explain(sandboxId, error, doing);
    }
  }

  /** When the lifetime of a sandbox ends; it never changes. */
  async expiresAt(sandboxId: string): Promise<number> {
    const known = this.#expiries.get(sandboxId);
    if (known !== undefined) return known;
    const tags = await this.about(sandboxId, 'reading its tags', (sandbox) => sandbox.getTags());
    return this.keepExpiry(sandboxId, expiryOf(tags));
  }

  keepExpiry(sandboxId: string, expiresAt: number): number {
    const oldest = this.#expiries.keys().next().value;
    if (this.#expiries.size >= MAX_HANDLES && oldest !== undefined) this.#expiries.delete(oldest);
    this.#expiries.set(sandboxId, expiresAt);
    return expiresAt;
  }

  /** Its exit code, or null while it runs; throws not_found. */
  async exitCode(sandboxId: string): Promise<number | null> {
    try {
      return await (await this.handle(sandboxId)).poll();
    } catch (error) {
      this.forget(sandboxId);
      if (isNotFound(error)) throw new SandboxError('not_found', `No sandbox ${sandboxId}`, { cause: error });
      throw toSandboxError(error, 'asking for a sandbox');
    }
  }

  /** Throws `gone` when the sandbox has ended. */
  async assertAlive(sandboxId: string): Promise<void> {
    const exitCode = await this.exitCode(sandboxId);
    if (exitCode === null) return;
    this.forget(sandboxId);
    throw new SandboxError('gone', `Sandbox ${sandboxId} has ended (exit code ${exitCode})`);
  }

  /** Runs one command in a sandbox, in /. Throws `timeout` at the deadline: what runs inside can stop any of our processes. */
  async invoke(sandboxId: string, invocation: Invocation): Promise<Invoked> {
    const deadlineMs = this.#deadlineMs;
    return this.#limit(sandboxId, invocation.signal, async (signal) =>
      invoke(await this.handle(sandboxId), { ...invocation, signal, deadlineMs }),
    );
  }

  /** Performs a task in a sandbox: by an attendant, or as a command of its own where none can take it. Throws as `invoke` does. */
  async perform(sandboxId: string, task: Task): Promise<Invoked> {
    const deadlineMs = this.#deadlineMs;
    return this.#limit(sandboxId, task.signal, async (signal) => {
      const limited = { ...task, signal };
      const performed = await this.#attendants.perform(await this.handle(sandboxId), limited);
      if (performed !== null) return performed;
      signal.throwIfAborted();
      return invoke(await this.handle(sandboxId), { ...limited, argv: toArgv(task), deadlineMs });
    });
  }

  async #limit<T>(
    sandboxId: string,
    given: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    given?.throwIfAborted();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(this.#late(sandboxId)), this.#deadlineMs);
    const signal = AbortSignal.any(given ? [given, deadline.signal] : [deadline.signal]);
    try {
      return await Promise.race([work(signal), aborted(signal)]);
    } catch (error) {
      // The connection is not to blame, and others are using it.
      if (deadline.signal.aborted) throw deadline.signal.reason;
      if (given?.aborted) throw error;
      this.forget(sandboxId);
      throw await this.#explain(sandboxId, error, 'running a command');
    } finally {
      clearTimeout(timer);
    }
  }

  #late(sandboxId: string): SandboxError {
    return new SandboxError('timeout', `Sandbox ${sandboxId} gave no answer within ${this.#deadlineMs} ms`);
  }

  /** Throws `gone` or `not_found` itself when that is the reason. */
  async #explain(sandboxId: string, error: unknown, doing: string): Promise<SandboxError> {
    if (!mayBeEnded(error)) return toSandboxError(error, doing);
    await this.assertAlive(sandboxId);
    const message = `Sandbox ${sandboxId} runs and does not answer (${doing}): it may still be starting`;
    return new SandboxError('unavailable', message, { cause: error });
  }

  close(): void {
    for (const sandboxId of [...this.#handles.keys()]) this.forget(sandboxId);
    this.settings.client.close();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

interface Limited extends Invocation {
  signal: AbortSignal;
  deadlineMs: number;
}

async function invoke(sandbox: Sandbox, invocation: Limited): Promise<Invoked> {
  const { complete = false, maxBytes, signal, deadlineMs } = invocation;
  const process = await sandbox.exec(invocation.argv, {
    mode: 'binary',
    workdir: '/',
    stdout: 'pipe',
    stderr: complete ? 'pipe' : 'ignore',
    // In whole seconds, and behind our own deadline: what nobody waits for any more is not to stay.
    timeoutMs: Math.ceil(deadlineMs / 1000 + 1) * 1000,
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    collect(process.stdout, maxBytes, signal),
    collect(process.stderr, maxBytes, signal),
    complete ? process.wait() : 0,
    invocation.stdin ? feed(process, invocation.stdin) : undefined,
  ]);
  return {
    stdout: stdout.bytes,
    stderr: stderr.bytes,
    exitCode,
    truncated: stdout.truncated || stderr.truncated,
  };
}

async function collect(stream: ReadableStream<Uint8Array>, maxBytes: number, signal?: AbortSignal) {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let truncated = false;
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const kept = next.value.subarray(0, maxBytes - size);
      truncated ||= kept.length < next.value.length;
      if (kept.length > 0) chunks.push(kept);
      size += kept.length;
    }
    signal?.throwIfAborted();
    return { bytes: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size), truncated };
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

const STDIN_CHUNK_BYTES = 2 * 1024 * 1024;

async function feed(process: ContainerProcess<Uint8Array>, parts: readonly Uint8Array[]): Promise<void> {
  const writer = process.stdin.getWriter();
  try {
    for (const bytes of parts) {
      for (let at = 0; at < bytes.length; at += STDIN_CHUNK_BYTES)
        await writer.write(bytes.subarray(at, at + STDIN_CHUNK_BYTES));
    }
    await writer.close();
  } catch {
    // A command that ended without reading its input tells why itself; one that still reads must not wait for more.
    await process.closeStdin();
  }
}
