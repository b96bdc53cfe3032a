// Answer: a host's answer as the sandbox gets it: what concerned one hop is gone, and secrets are masked as it streams.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { EgressRefusal } from './denial.ts';
import { maskFrames } from './frames.ts';
import { endToEnd, flatten, type HeaderPair, pairsOf, valuesOf, without } from './headers.ts';
import type { Scrubber } from './scrubber.ts';

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};
const DECODED = new Set(['content-encoding', 'content-length']);
const HIDING_FRAMES = new Set(['sec-websocket-extensions']);

/** Passes an answer on. Throws EgressRefusal while nothing of it was passed on. */
export async function deliver(
  response: ServerResponse,
  incoming: IncomingMessage,
  scrubber: Scrubber | null,
): Promise<void> {
  const pairs = endToEnd(pairsOf(incoming));
  const decoding = scrubber === null ? [] : decodersOf(pairs);
  const kept = decoding.length > 0 ? without(pairs, DECODED) : pairs;
  const head = scrubbed(kept, scrubber);
  response.writeHead(incoming.statusCode ?? 502, statusTextOf(incoming, scrubber), flatten(head));
  // What is asked for as a stream begins when the host begins.
  response.flushHeaders();
  await pipeline([incoming, ...decoding, ...(scrubber ? [scrubber.stream()] : []), response]);
}

/** Joins a client and a host that have agreed on a WebSocket. Resolves when both have ended. */
export async function join(
  client: Socket,
  host: Socket,
  { incoming, scrubber }: { incoming: IncomingMessage; scrubber: Scrubber | null },
): Promise<void> {
  const pairs = without(endToEnd(pairsOf(incoming)), scrubber ? HIDING_FRAMES : new Set());
  const lines = scrubbed(pairs, scrubber).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines.join('')}\r\n`;
  client.write(head, 'latin1');
  // Two pipelines listen to each end, which is more than Node takes for an oversight.
  for (const end of [client, host]) end.setMaxListeners(30);
  const masking = scrubber ? [maskFrames(scrubber)] : [];
  await Promise.allSettled([pipeline(client, host), pipeline([host, ...masking, client])]);
}

/** Nothing in a coding we cannot read is passed on unsearched. */
function decodersOf(pairs: readonly HeaderPair[]): Transform[] {
  const codings = valuesOf(pairs, 'content-encoding')
    .flatMap((value) => value.toLowerCase().split(','))
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  if (codings.length > 2) throw new EgressRefusal('upstream_encoded');
  return codings.toReversed().map((coding) => {
    const create = DECODERS[coding];
    if (create === undefined) throw new EgressRefusal('upstream_encoded', coding.slice(0, 20));
    return create();
  });
}

function scrubbed(pairs: readonly HeaderPair[], scrubber: Scrubber | null): readonly HeaderPair[] {
  return scrubber === null
    ? pairs
    : pairs.map(([name, value]) => [scrubber.scrub(name), scrubber.scrub(value)]);
}

function statusTextOf({ statusMessage = '' }: IncomingMessage, scrubber: Scrubber | null): string {
  return (scrubber?.scrub(statusMessage) ?? statusMessage).replace(/[^\t\x20-\x7e]/g, '?');
}
