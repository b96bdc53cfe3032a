// Counts of what the server was asked, for tests and benchmarks to read.
import type { Protocol } from './protocol.ts';

type ProtocolName = Protocol['name'];

export interface ProtocolStats {
  requests: number;
  streamed: number;
  /** Requests answered with an error status. */
  failed: number;
  /** Requests whose client went away, or whose connection a script cut, before the end. */
  broken: number;
  last_request_at: string | null;
}

export interface StatsReport {
  in_flight: number;
  peak_in_flight: number;
  requests: number;
  since: string;
  last_request_at: string | null;
  protocols: Record<ProtocolName, ProtocolStats>;
}

const newCounts = (): ProtocolStats => ({
  requests: 0,
  streamed: 0,
  failed: 0,
  broken: 0,
  last_request_at: null,
});
const nowText = () => new Date().toISOString();

export class Stats {
  private inFlight = 0;
  private peak = 0;
  private since = nowText();
  private protocols = Stats.newProtocols();

  begin(name: ProtocolName): void {
    const counts = this.protocols[name];
    counts.requests += 1;
    counts.last_request_at = nowText();
    this.inFlight += 1;
    this.peak = Math.max(this.peak, this.inFlight);
  }

  end(name: ProtocolName, outcome: { streamed: boolean; failed: boolean; broken: boolean }): void {
    const counts = this.protocols[name];
    this.inFlight -= 1;
    if (outcome.streamed) counts.streamed += 1;
    if (outcome.failed) counts.failed += 1;
    if (outcome.broken) counts.broken += 1;
  }

  /** Forgets all counts; requests in flight stay counted as in flight. */
  reset(): void {
    this.protocols = Stats.newProtocols();
    this.peak = this.inFlight;
    this.since = nowText();
  }

  report(): StatsReport {
    const all = Object.values(this.protocols);
    const times = all.flatMap((counts) => counts.last_request_at ?? []).sort();
    return {
      in_flight: this.inFlight,
      peak_in_flight: this.peak,
      requests: all.reduce((sum, counts) => sum + counts.requests, 0),
      since: this.since,
      last_request_at: times.at(-1) ?? null,
      protocols: structuredClone(this.protocols),
    };
  }

  private static newProtocols(): Record<ProtocolName, ProtocolStats> {
    return { chat_completions: newCounts(), responses: newCounts(), messages: newCounts() };
  }
}
