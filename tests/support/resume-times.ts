// How long sessions that were at work need after a kill until they write again.
import { type FailpointServer, isAppended } from './failpoint-server.ts';

export class ResumeTimes {
  #server: FailpointServer;
  #label: (session: string) => string | null;
  #killedAt = new Map<string, number>();
  #times = new Map<string, number[]>();

  /** `label` says under which name a session's times are kept; null: it does not count any more. */
  constructor(server: FailpointServer, label: (session: string) => string | null) {
    this.#server = server;
    this.#label = label;
    server.onReach((asked) => {
      const at = this.#killedAt.get(asked.session);
      if (at === undefined || !isAppended(asked)) return;
      this.#killedAt.delete(asked.session);
      this.#keep(asked.session, performance.now() - at);
    });
  }

  /** The runtime was killed: to be called at once. */
  killed(sessions: Iterable<string>): void {
    for (const session of sessions) {
      const { resting, ending } = this.#server.trace(session);
      if (!resting && !ending) this.#killedAt.set(session, performance.now());
    }
  }

  /** By name: how many, and the times in ms that half and 99 % of them stay within. */
  summary(): { name: string; count: number; p50: number; p99: number; most: number }[] {
    return [...this.#times].map(([name, times]) => {
      const sorted = times.toSorted((a, b) => a - b);
      const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
      return { name, count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) };
    });
  }

  #keep(session: string, ms: number): void {
    const name = this.#label(session);
    if (name !== null) this.#times.set(name, [...(this.#times.get(name) ?? []), ms]);
  }
}
