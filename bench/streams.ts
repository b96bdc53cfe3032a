// How far readers are behind the model: `node bench/streams.ts [--readers 500] [--words 400] [--gap 20]`.
// The model says a word every `gap` ms; each names the instant it was said, and each reader notes when it got it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { startPlatform } from '../scripts/platform.ts';
import { ApiClient } from './api-client.ts';
import { summarize } from './statistics.ts';
import type { Readers } from './stream-readers.ts';

const { values: flags } = parseArgs({
  options: {
    readers: { type: 'string', default: '500' },
    words: { type: 'string', default: '400' },
    gap: { type: 'string', default: '20' },
  },
});
const READERS = Number(flags.readers);
const WORDS = Number(flags.words);
const GAP_MS = Number(flags.gap);

const now = () => performance.timeOrigin + performance.now();
const chunk = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;

const dir = mkdtempSync(join(tmpdir(), 'capstan-streams-'));
const model = createServer(
  (request, response) => void request.resume().on('end', () => void speak(response)),
);
await new Promise<void>((resolve) => model.listen(0, '127.0.0.1', resolve));
const modelUrl = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`;
const vars = join(dir, 'vars');
writeFileSync(vars, `OPENAI_API_KEY=none\nOPENAI_BASE_URL=${modelUrl}\n`);
const platform = await startPlatform(join(dir, 'state'), ['--vars', vars]);
try {
  await measure();
} finally {
  await platform.stop();
  model.close();
  rmSync(dir, { recursive: true, force: true });
}

async function speak(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let word = 0; word < WORDS; word++) {
    response.write(chunk({ delta: { role: 'assistant', content: `@${now().toFixed(3)} ` } }));
    await pause(GAP_MS);
  }
  response.end(`${chunk({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
}

async function measure(): Promise<void> {
  const client = new ApiClient(platform);
  const agent = await client.create('/v1/agents', { name: 'bench', model: 'any-model' });
  for (const readers of [1, READERS]) {
    const sessionId = await client.create('/v1/sessions', { agent });
    const data: Readers = { url: platform.url, apiKey: platform.apiKey, sessionId, readers };
    const worker = new Worker(new URL('./stream-readers.ts', import.meta.url), { workerData: data });
    const delays = await new Promise<number[]>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (message: 'open' | number[]) => {
        if (message !== 'open') return resolve(message);
        const text = { type: 'user.message', content: [{ type: 'text', text: 'speak' }] };
        client.request('POST', `/v1/sessions/${sessionId}/events`, { events: [text] }).catch(reject);
      });
    });
    await worker.terminate();
    report(readers, delays);
  }
  client.close();
}

function report(readers: number, delays: readonly number[]): void {
  const { n, p50, p90, p99 } = summarize(delays);
  const label = `${readers} reader${readers === 1 ? '' : 's'}, a word every ${GAP_MS} ms: behind the model`;
  const told = ((n * 100) / (readers * WORDS)).toFixed(1);
  console.log(
    `${label.padEnd(60)} p50 ${p50.toFixed(1)} ms, p90 ${p90.toFixed(1)}, p99 ${p99.toFixed(1)} (${told}% of the words)`,
  );
}
