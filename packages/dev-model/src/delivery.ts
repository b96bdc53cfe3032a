// Plays one reply to one client: waits, streams, and breaks off where the script says so.
import type { ServerResponse } from 'node:http';
import type { Play } from './play.ts';
import type { Exchange } from './protocol.ts';
import { newId } from './reply.ts';
import type { Fault } from './step.ts';
import type { Failure } from './vendor-error.ts';

const FLUSH_CHARS = 16_384;

/** The failure a fault stands for. */
export function failureOf(fault: Fault): Failure {
  return {
    status: fault.status,
    message: `The script asks for status ${fault.status}.`,
    retryAfterSeconds: fault.retryAfterSeconds ?? undefined,
  };
}

/** Resolves after `ms`, or sooner when the client is gone. */
export function pause(response: ServerResponse, ms: number): Promise<void> {
  if (ms === 0 || response.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      response.off('close', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    response.on('close', end);
  });
}

/** Writes the reply as a stream; a fault in the midst of it ends the connection or the stream. */
export async function deliverStream(response: ServerResponse, exchange: Exchange, play: Play): Promise<void> {
  const fault = play.faults[0] ?? null;
  const frames = [...exchange.frames(play.reply)];
  const strikesAt = fault === null ? Number.POSITIVE_INFINITY : strikeOf(fault, frames);
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  let pending = '';
  let beats = 0;
  for (const frame of frames) {
    if (frame.beat && beats >= strikesAt) break;
    if (frame.beat) {
      if (play.pace.delayMs > 0 && beats > 0) {
        response.write(pending);
        pending = '';
        await pause(response, play.pace.delayMs);
      }
      beats += 1;
    }
    pending += frame.data;
    if (pending.length >= FLUSH_CHARS) {
      await flush(response, pending);
      pending = '';
    }
    if (response.destroyed) return;
  }
  if (fault === null) response.end(pending);
  else strike(response, pending, fault.kind === 'fail' ? exchange.failureFrames(failureOf(fault)) : fault);
}

/** How many beats are sent before a fault; a cut without a number falls halfway. */
function strikeOf(fault: Fault, frames: { beat: boolean }[]): number {
  const beats = frames.filter((frame) => frame.beat).length;
  return Math.min(fault.afterPieces ?? Math.floor(beats / 2), beats);
}

function strike(response: ServerResponse, pending: string, end: string | Fault): void {
  if (typeof end === 'string') response.end(pending + end);
  else if (end.kind === 'cut') response.write(pending, () => response.destroy());
  else response.write(pending);
}

/** Waits while the client reads slower than it is written to. */
async function flush(response: ServerResponse, text: string): Promise<void> {
  if (response.write(text) || response.destroyed) return;
  await new Promise<void>((resolve) => {
    const end = () => {
      response.off('drain', end);
      response.off('close', end);
      resolve();
    };
    response.on('drain', end);
    response.on('close', end);
  });
}

/** Writes the reply as one JSON body. */
export async function deliverWhole(response: ServerResponse, exchange: Exchange, play: Play): Promise<void> {
  if (play.pace.delayMs > 0) {
    const beats = [...exchange.frames(play.reply)].filter((frame) => frame.beat).length;
    await pause(response, play.pace.delayMs * beats);
  }
  if (response.destroyed) return;
  const body = JSON.stringify(exchange.body(play.reply));
  const cut = play.faults[0]?.kind === 'cut';
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  if (cut) response.write(body.slice(0, Math.floor(body.length / 2)), () => response.destroy());
  else response.end(body);
}

export const requestId = (): string => newId('req');
