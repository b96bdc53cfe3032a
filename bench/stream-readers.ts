// The readers of `bench/streams.ts`, in a thread of their own: each word a reader gets names the instant the model said it.
// Plain sockets: five hundred HTTP parsers would be what is measured.
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export interface Readers {
  url: string;
  apiKey: string;
  sessionId: string;
  readers: number;
}

const { url, apiKey, sessionId, readers }: Readers = workerData;
const { hostname, port } = new URL(url);
const head = [
  `GET /v1/sessions/${sessionId}/events/stream?event_deltas[]=agent.message HTTP/1.1`,
  `host: ${hostname}`,
  `x-api-key: ${apiKey}`,
  '\r\n',
].join('\r\n');
/** `@` and milliseconds since the epoch with three decimals. */
const WORD_CHARS = '@1795259207071.123'.length;
const AT = '@'.charCodeAt(0);

const delays: number[] = [];
let ended = 0;

await Promise.all(Array.from({ length: readers }, open));
parentPort?.postMessage('open');

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    socket.write(head);
    socket.on('error', reject);
    socket.on('data', (bytes: Buffer) => {
      resolve();
      if (take(bytes)) socket.destroy();
    });
  });
}

/** Whether the turn has ended. The whole message, at its end, repeats every word: it is not counted. */
function take(bytes: Buffer): boolean {
  const at = performance.timeOrigin + performance.now();
  const final = bytes.indexOf('event: agent.message');
  const fresh = final === -1 ? bytes : bytes.subarray(0, final);
  for (let from = fresh.indexOf(AT); from !== -1; from = fresh.indexOf(AT, from + 1)) {
    const said = Number(fresh.toString('latin1', from + 1, from + WORD_CHARS));
    // A word that is cut between two chunks is not counted.
    if (from + WORD_CHARS <= fresh.length) delays.push(at - said);
  }
  if (bytes.indexOf('event: session.status_idle') === -1) return false;
  ended += 1;
  if (ended === readers) parentPort?.postMessage(delays);
  return true;
}
