// A fork's beginning: the log of another session up to an event, copied row by row. It goes on from what it has, so a
// process that dies in between costs nothing but the rest of the copy.
import { isApiError } from '@capstan/schema/error';
import { toEntry } from './log-reader.ts';
import type { Ports } from './ports.ts';
import type { SessionSpec } from './spec.ts';
import { spill } from './spill.ts';

type Origin = NonNullable<SessionSpec['origin']>;

/**
 * Resolves when the log has all of it, `whole`, or never will: the other session is gone, or has no such event. Rejects
 * when it cannot be reached.
 */
export async function adopt(ports: Ports, spec: SessionSpec, from: number): Promise<{ whole: boolean }> {
  const { origin } = spec;
  if (origin === null || (await ports.log.position(origin.eventId)) !== null) return { whole: true };
  try {
    await copy(ports, origin, from);
  } catch (error) {
    if (!isApiError(error) || error.code !== 'not_found') throw error;
  }
  return { whole: (await ports.log.position(origin.eventId)) !== null };
}

async function copy(ports: Ports, origin: Origin, from: number): Promise<void> {
  let seq = from;
  for (;;) {
    const lines = await ports.source.copyLines(origin.sessionId, seq, origin.eventId);
    if (lines.length === 0) return;
    const entries = lines.map((line) => {
      const { seq: _place, ...entry } = toEntry(line);
      return entry;
    });
    await ports.log.append(seq, await spill(entries, ports.blobs));
    seq += lines.length;
  }
}
