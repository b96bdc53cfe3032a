// A fork's beginning: the log of another session up to an event, copied row by row. It goes on from what it has, so a
// process that dies in between costs nothing but the rest of the copy.
import { ApiError } from '@capstan/schema/error';
import { toEntry } from './log-reader.ts';
import type { Ports } from './ports.ts';
import type { SessionSpec } from './spec.ts';
import { spill } from './spill.ts';

/**
 * Resolves when the log has all of it: true when rows were added behind row `from`, the last there was. Rejects when the
 * other session is gone, or cannot be reached.
 */
export async function adopt(ports: Ports, { origin }: SessionSpec, from: number): Promise<boolean> {
  if (origin === null || (await ports.log.position(origin.eventId)) !== null) return false;
  let seq = from;
  for (;;) {
    const lines = await ports.source.copyLines(origin.sessionId, seq, origin.eventId);
    if (lines.length === 0) break;
    const entries = lines.map((line) => {
      const { seq: _place, ...entry } = toEntry(line);
      return entry;
    });
    await ports.log.append(seq, await spill(entries, ports.blobs));
    seq += lines.length;
  }
  if ((await ports.log.position(origin.eventId)) !== null) return true;
  throw new ApiError('conflict', `The session ${origin.sessionId} no longer has the event it was forked at.`);
}
