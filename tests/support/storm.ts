// A platform with failpoints, and sessions that play stories on it at the same time while its processes are killed.
import { Effects } from './effects.ts';
import { FailpointServer } from './failpoint-server.ts';
import { type Outcome, play, type Stage, setStage } from './player.ts';
import { kill, type Target } from './processes.ts';
import { ResumeTimes } from './resume-times.ts';
import type { Story } from './story.ts';
import { TestPlatform } from './test-platform.ts';

/** A program that died is back about as soon as the runtime is. */
const RESTART_AFTER_MS = 200;
const HOSTS: readonly Target[] = ['workerd', 'workers', 'all'];

export class Storm {
  server: FailpointServer;
  resumes: ResumeTimes;
  kills = new Map<Target, number>();
  #platform: TestPlatform;
  #stage: Stage;
  #playing = new Map<string, Story>();

  private constructor(parts: { platform: TestPlatform; stage: Stage }) {
    this.#platform = parts.platform;
    this.#stage = parts.stage;
    this.server = parts.stage.server;
    this.resumes = new ResumeTimes(this.server, (session) => {
      const story = this.#playing.get(session);
      if (story === undefined) return null;
      return story.watched ? 'watched' : 'alone';
    });
  }

  static async begin(): Promise<Storm> {
    const server = await FailpointServer.start();
    const vars = { FAILPOINTS: server.url };
    const platform = await TestPlatform.open({ vars, restartAfterMs: RESTART_AFTER_MS });
    // Players ask again by themselves, sooner than the client would.
    const client = platform.connect({ maxRetries: 0 });
    const stage = await setStage(client, { server, effects: new Effects(platform.state) });
    return new Storm({ platform, stage });
  }

  get stateDir(): string {
    return this.#platform.state;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Plays a story to its end. */
  async play(story: Story, begun: (session: string) => void = () => undefined): Promise<Outcome> {
    let played: string | undefined;
    try {
      return await play(this.#stage, story, (session) => {
        played = session;
        this.#playing.set(session, story);
        begun(session);
      });
    } finally {
      if (played !== undefined) {
        this.#playing.delete(played);
        this.server.spare(played);
      }
    }
  }

  kill(target: Target): void {
    if (!kill(this.#platform, target)) return;
    this.kills.set(target, (this.kills.get(target) ?? 0) + 1);
    // What the lost sandboxes did counts: their files go when the emulator comes back.
    if (target === 'emulator' || target === 'all') this.#stage.effects.look();
    if (HOSTS.includes(target)) this.resumes.killed(this.#playing.keys());
  }

  async end(): Promise<void> {
    await this.#platform.close();
    this.server.stop();
  }
}
