// What a section of the engine's bench works with: a running platform, and what it is measured against.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Platform, startPlatform } from '../scripts/platform.ts';
import { ApiClient } from './api-client.ts';
import type { Conversation } from './conversation.ts';
import { longLog } from './long-log.ts';
import { memoryOf } from './process-memory.ts';

export const TEXT_TURN = '[[words 4]]';

export interface Extent {
  samples: number;
  sessions: number;
}

export class EngineBench {
  client: ApiClient;
  agent = '';
  /** How often each thing is measured. */
  samples: number;
  /** How many sessions memory is measured over. */
  sessions: number;
  #stateDir: string;
  #platform: Platform;
  #logs = new Map<number, Conversation>();

  private constructor(stateDir: string, extent: Extent, platform: Platform) {
    this.#stateDir = stateDir;
    this.#platform = platform;
    this.samples = extent.samples;
    this.sessions = extent.sessions;
    this.client = new ApiClient(platform);
  }

  static async open(stateDir: string, extent: Extent): Promise<EngineBench> {
    const bench = new EngineBench(stateDir, extent, await startPlatform(stateDir));
    bench.agent = await bench.client.create('/v1/agents', {
      name: 'bench',
      model: 'claude-sonnet-4-6',
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    return bench;
  }

  get url(): string {
    return this.#platform.url;
  }

  get apiKey(): string {
    return this.#platform.apiKey;
  }

  /** A session whose log has at least that many events; one for all sections. */
  async log(length: number): Promise<Conversation> {
    const made = this.#logs.get(length) ?? (await longLog(this.client, this.agent, length));
    this.#logs.set(length, made);
    return made;
  }

  /** All processes end and start again; every session is out of memory. */
  async restart(): Promise<void> {
    this.#logs.clear();
    this.client.close();
    await this.#platform.stop();
    this.#platform = await startPlatform(this.#stateDir);
    this.client = new ApiClient(this.#platform);
  }

  /** The development model's own address. */
  modelUrl(): string {
    const log = readFileSync(join(this.#stateDir, 'logs/dev-model.log'), 'utf8');
    const url = [...log.matchAll(/"event":"dev-model\.listening".*?"url":"([^"]+)"/g)].at(-1)?.[1];
    if (url === undefined) throw new Error('The development model did not say where it listens.');
    return url;
  }

  /** MiB resident in the process that holds the sessions. */
  sessionsMemory(): number {
    const { workers } = this.#platform.ready().pids;
    const found = memoryOf([workers ?? 0]).find(({ name }) => name === 'workerd');
    return found?.rssMiB ?? Number.NaN;
  }

  async close(): Promise<void> {
    this.client.close();
    await this.#platform.stop();
  }
}
