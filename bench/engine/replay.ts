// A stream that begins at the start of a long log: events per second until it has caught up.
import http from 'node:http';
import { show } from '../aims.ts';
import type { EngineBench } from '../engine-bench.ts';
import { quantile } from '../statistics.ts';

const LENGTH = 100_000;
const TIMES = 5;
const MARK = '\ndata: ';

export async function measureReplay(bench: EngineBench): Promise<void> {
  const { sessionId, position } = await bench.log(LENGTH);
  const rates: number[] = [];
  for (let index = 0; index < TIMES; index++) {
    const ms = await replay(bench, sessionId, position);
    rates.push((position * 1_000) / ms);
  }
  show({
    name: `replay of ${position.toLocaleString('en')} events`,
    value: quantile(rates, 0.5),
    unit: 'events/s',
    aim: { least: 100_000 },
  });
}

/** Milliseconds until so many events have come. They are counted, not parsed: the client must not be what is measured. */
function replay(bench: EngineBench, sessionId: string, events: number): Promise<number> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': bench.apiKey };
    const url = `${bench.url}/v1/sessions/${sessionId}/events/stream?after=0`;
    const request = http.get(url, { headers, agent: false }, (response) => {
      let seen = 0;
      let rest = '';
      response.setEncoding('latin1');
      response.on('data', (text: string) => {
        const whole = rest + text;
        for (let at = whole.indexOf(MARK); at !== -1; at = whole.indexOf(MARK, at + 1)) seen += 1;
        // What may be the beginning of a mark, never a whole one.
        rest = whole.slice(1 - MARK.length);
        if (seen < events) return;
        request.destroy();
        resolve(performance.now() - startedAt);
      });
      response.on('error', () => undefined);
    });
    request.on('error', reject);
  });
}
