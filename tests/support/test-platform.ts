// The whole platform of one test file: its state in a directory that goes with it, and clients of its first tenant.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic, { type ClientOptions } from '@anthropic-ai/sdk';
import { type Platform, type Ready, startPlatform } from '../../scripts/platform.ts';

export interface Setting {
  /** Variables of the Workers, by name. */
  vars?: Record<string, string>;
  /** How soon a program that died is started again; absent: as `dev` does. */
  restartAfterMs?: number;
}

export class TestPlatform {
  /** Everything of it is below this one. */
  readonly dir: string;
  readonly #flags: readonly string[];
  #running: Platform | null = null;

  private constructor(dir: string, flags: readonly string[]) {
    this.dir = dir;
    this.#flags = flags;
  }

  static async open({ vars = {}, restartAfterMs }: Setting = {}): Promise<TestPlatform> {
    const dir = mkdtempSync(join(tmpdir(), 'capstan-test-'));
    const lines = Object.entries(vars).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(dir, 'vars'), lines.join(''));
    const restart = restartAfterMs === undefined ? [] : ['--restart-after', String(restartAfterMs)];
    const platform = new TestPlatform(dir, ['--vars', join(dir, 'vars'), ...restart]);
    mkdirSync(platform.state);
    try {
      await platform.start();
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
    return platform;
  }

  get state(): string {
    return join(this.dir, 'state');
  }

  get url(): string {
    return this.#ready.url;
  }

  get apiKey(): string {
    return this.#ready.apiKey;
  }

  get #ready(): Platform {
    if (this.#running === null) throw new Error('The platform is stopped.');
    return this.#running;
  }

  ready(): Ready {
    return this.#ready.ready();
  }

  /** A client that is patient with programs that die. */
  connect(options: ClientOptions = {}): Anthropic {
    return new Anthropic({ apiKey: this.apiKey, baseURL: this.url, maxRetries: 8, ...options });
  }

  /** At another address than before, with the state there was: clients are connected anew. */
  async start(): Promise<void> {
    this.#running = await startPlatform(this.state, this.#flags);
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
