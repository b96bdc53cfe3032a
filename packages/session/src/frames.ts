// Server-sent event frames: how streams carry events. `id` is the log position, so that a client can resume from it.
import type { Preview } from '@capstan/schema/events/previews';
import type { Line } from './ports.ts';

const encoder = new TextEncoder();

/**
 * Sent while nothing happens, so that no proxy takes the connection for dead. Comments end with one line feed: a blank
 * line after them makes some parsers, among them the official Python SDK's, emit an empty event once an id was seen.
 */
export const HEARTBEAT = encoder.encode(': still here\n');
export const OPENING = encoder.encode(': stream open\n');

export function eventFrame(line: Pick<Line, 'seq' | 'type' | 'data'>): Uint8Array {
  return encoder.encode(`id: ${line.seq}\nevent: ${line.type}\ndata: ${line.data}\n\n`);
}

/** Previews have no id: they are not in the log and cannot be resumed from. */
export function previewFrame(preview: Preview): Uint8Array {
  return encoder.encode(`event: ${preview.type}\ndata: ${JSON.stringify(preview)}\n\n`);
}
