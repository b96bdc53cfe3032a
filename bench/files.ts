// Measures uploads and downloads of files through local workerd: `npx -y pnpm@12.21.0 bench files [--mib N] [--times N]`.
// The client makes the bytes up, and throws them away as they come.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Platform, startPlatform } from '../scripts/platform.ts';
import { aimsMissed, show } from './aims.ts';
import { memoryOf, processorMsOf } from './process-memory.ts';
import { quantile } from './statistics.ts';

const { values: flags } = parseArgs({
  options: {
    mib: { type: 'string', default: '200' },
    times: { type: 'string', default: '5' },
  },
  allowPositionals: true,
});
const MIB = Number(flags.mib);
const TIMES = Number(flags.times);
const BOUNDARY = 'a-boundary-of-the-bench';
const HEAD = [
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="downloadable"\r\n\r\ntrue\r\n`,
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`,
].join('');
const TAIL = `\r\n--${BOUNDARY}--\r\n`;
/** Not of one byte: delimiters are looked for in it. */
const PIECE = Buffer.from(
  Array.from({ length: 32_768 }, (_, at) => createHash('sha256').update(String(at)).digest()).flatMap(
    (part) => [...part],
  ),
);

const load = () => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
console.log(
  `${new Date().toISOString()} · ${cpus().length} × ${cpus()[0]?.model} · Node ${process.version} · load ${load()}\n`,
);
const dir = mkdtempSync(join(tmpdir(), 'capstan-files-bench-'));
mkdirSync(join(dir, 'state'));
const platform = await startPlatform(join(dir, 'state'));
try {
  await measure(platform);
} finally {
  await platform.stop();
  rmSync(dir, { recursive: true, force: true });
}
console.log(`\nload ${load()}; aims missed: ${aimsMissed()}`);

async function measure({ pids }: Platform): Promise<void> {
  const { id } = await upload(8);
  await download(id);
  const workers = () => memoryOf([pids.workers ?? 0]).reduce((sum, { rssMiB }) => sum + rssMiB, 0);
  const before = workers();
  const processor = () => processorMsOf([pids.workers ?? 0]);
  const rates = { up: [] as number[], down: [] as number[] };
  const spent = { up: [] as number[], down: [] as number[] };
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, workers());
  }, 100);
  for (let index = 0; index < TIMES; index++) {
    const begun = processor();
    const made = await upload(MIB);
    const between = processor();
    spent.up.push((between - begun) / MIB);
    rates.up.push(MIB / (made.ms / 1000));
    const { ms, bytes } = await download(made.id);
    if (bytes !== MIB * 1024 * 1024) throw new Error(`Only ${bytes} bytes came back`);
    spent.down.push((processor() - between) / MIB);
    rates.down.push(MIB / (ms / 1000));
    await ask({ method: 'DELETE', path: `/v1/files/${made.id}` });
  }
  clearInterval(watch);
  const aim = { least: 100 };
  show({ name: `upload of ${MIB} MiB`, value: quantile(rates.up, 0.5), unit: 'MiB/s', aim });
  show({ name: `download of ${MIB} MiB`, value: quantile(rates.down, 0.5), unit: 'MiB/s', aim });
  // Says on a machine that is at work with other things, too, what became of it.
  show({ name: '  processor time of an upload', value: quantile(spent.up, 0.5), unit: 'ms/MiB' });
  show({ name: '  processor time of a download', value: quantile(spent.down, 0.5), unit: 'ms/MiB' });
  show({ name: "  the workers' growth meanwhile, at most", value: peak - before, unit: 'MiB' });
}

async function upload(mib: number): Promise<{ id: string; ms: number }> {
  const startedAt = performance.now();
  const type = `multipart/form-data; boundary=${BOUNDARY}`;
  const length = HEAD.length + mib * PIECE.length + TAIL.length;
  const headers = { 'content-type': type, 'content-length': length };
  const answer = await ask({ method: 'POST', path: '/v1/files', headers }, async (request) => {
    request.write(HEAD);
    for (let index = 0; index < mib; index++)
      if (!request.write(PIECE)) await new Promise((resolve) => request.once('drain', resolve));
    request.end(TAIL);
  });
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part);
  const { id }: { id: string } = JSON.parse(Buffer.concat(parts).toString());
  return { id, ms: performance.now() - startedAt };
}

async function download(id: string): Promise<{ bytes: number; ms: number }> {
  const startedAt = performance.now();
  let bytes = 0;
  for await (const part of await ask({ method: 'GET', path: `/v1/files/${id}/content` }))
    bytes += part.length;
  return { bytes, ms: performance.now() - startedAt };
}

function ask(
  { headers = {}, ...options }: http.RequestOptions & { headers?: Record<string, string | number> },
  send: (request: http.ClientRequest) => Promise<void> = async (request) => void request.end(),
): Promise<http.IncomingMessage> {
  const { hostname, port } = new URL(platform.url);
  return new Promise((resolve, reject) => {
    const all = { ...headers, 'x-api-key': platform.apiKey };
    const request = http.request({ hostname, port, ...options, headers: all }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      reject(new Error(`${options.method} ${options.path}: ${response.statusCode}`));
    });
    request.on('error', reject);
    send(request).catch(reject);
  });
}
