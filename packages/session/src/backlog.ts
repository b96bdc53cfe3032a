// What waits to be taken by a thread, bounded: the session holds all of it in memory, however long it waits for an answer.
import { ApiError } from '@capstan/schema/error';
import { sizeOfContent } from './content-size.ts';
import { ROW_BYTES } from './log-row.ts';
import type { Input, ThreadState } from './state.ts';
import { contentOf } from './taking.ts';

const MOST_INPUTS = 1_000;
const MOST_CHARS = 16_000_000;

/** Refuses (`invalid_request`) one more input for a thread that has as much waiting as is kept. */
export function refuseFull({ id, queue }: ThreadState, path: string): void {
  const chars = queue.reduce((sum, input) => sum + sizeOf(input), 0);
  if (queue.length < MOST_INPUTS && chars < MOST_CHARS) return;
  throw new ApiError(
    'invalid_request',
    `${path}: ${queue.length} messages wait for the thread ${id} already; send more once it has taken some`,
  );
}

/** What is too large for a row is kept elsewhere. */
function sizeOf(input: Input): number {
  return Math.min(ROW_BYTES, sizeOfContent(contentOf(input)));
}
