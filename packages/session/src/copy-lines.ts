// Rows of a log for another session to begin with: whole, so that they need nothing of this one's.
import { ApiError } from '@capstan/schema/error';
import type { Line } from './line.ts';
import type { LogReader } from './log-reader.ts';
import type { EventLog } from './ports.ts';

/** Far below what one RPC carries, 32 MiB, whatever a last row adds. */
const MAX_CHARS = 8_000_000;

interface Logs {
  log: Pick<EventLog, 'position'>;
  reader: Pick<LogReader, 'entries'>;
}

/** As many rows after `after` as one call carries, up to and with that event; none at the end. */
export async function copyLines({ log, reader }: Logs, after: number, until: string): Promise<Line[]> {
  const last = await log.position(until);
  if (last === null) throw new ApiError('not_found', `No event ${until} in this session`);
  const lines: Line[] = [];
  let chars = 0;
  for await (const { seq, event, note } of after < last ? reader.entries(after) : []) {
    const line = {
      seq,
      type: event.type,
      data: JSON.stringify(event),
      note: note === undefined ? null : JSON.stringify(note),
    };
    lines.push(line);
    chars += line.data.length + (line.note?.length ?? 0);
    if (seq >= last || chars > MAX_CHARS) break;
  }
  return lines;
}
