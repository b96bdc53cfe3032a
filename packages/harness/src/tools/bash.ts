// Runs a script in the session's persistent shell. The run's id is the call's effect id, so it starts at most once; it
// belongs to the sandbox, so a process that dies loses nothing and the next one joins it.
import { isSandboxError } from '@capstan/sandbox/error';
import { MAX_COMMAND_BYTES, MAX_WAIT_MS, type RunChunk, type RunOutcome } from '@capstan/sandbox/port';
import type { ToolOutcome } from '@capstan/session/harness';
import { z } from 'zod';
import { EFFECT_ID } from '../background.ts';
import { persist } from '../persistence.ts';
import { MAX_RESULT_BYTES, present } from './output-text.ts';
import { answered, failed, type Place, type Tool } from './tool.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
const MAX_TIMEOUT_MS = 600_000;

const input = z
  .strictObject({
    command: z
      .string()
      .min(1, 'must not be empty')
      .max(MAX_COMMAND_BYTES / 4, 'is too long: write it to a file and run that')
      .optional(),
    restart: z.boolean().optional(),
    timeout_ms: z
      .int()
      .min(1, 'must be at least 1')
      .max(MAX_TIMEOUT_MS, `must be at most ${MAX_TIMEOUT_MS}: run longer work in the background`)
      .optional(),
  })
  .refine((value) => value.command !== undefined || value.restart === true, {
    path: ['command'],
    message: 'is required unless restart is true',
  });
type Input = z.infer<typeof input>;

export const bash: Tool<Input> = {
  input,
  changes: true,

  async perform(place, { command, restart, timeout_ms: timeoutMs = DEFAULT_TIMEOUT_MS }) {
    const { sandboxes, sandboxId, effectId, shell, env: given, signal } = place;
    if (restart === true) await persist(() => sandboxes.resetShell({ sandboxId, shell }), { signal });
    if (command === undefined) return answered('The shell was restarted.');
    // A script that does something outside can make it happen once, whoever repeats it.
    const env = { ...given, [EFFECT_ID]: effectId };
    const run = { sandboxId, runId: effectId, command, timeoutMs, shell, env };
    const limits = { waitMs: MAX_WAIT_MS, maxBytes: MAX_RESULT_BYTES };
    const first = await persist(() => sandboxes.startRun({ ...run, ...limits }, signal), { signal });
    return follow(place, first, timeoutMs);
  },

  async attach(place, { command, timeout_ms: timeoutMs = DEFAULT_TIMEOUT_MS }) {
    // A restart alone may be done again.
    if (command === undefined) return null;
    try {
      return await follow(place, await readOn(place, 0, MAX_RESULT_BYTES), timeoutMs);
    } catch (error) {
      if (isSandboxError(error, 'not_found')) return null;
      throw error;
    }
  },
};

/** Waits for the end of a run, however long it takes, and keeps as much of its output as a result may have. */
async function follow(place: Place, first: RunChunk, timeoutMs: number): Promise<ToolOutcome> {
  const pieces = [first.bytes];
  let size = first.bytes.length;
  let chunk = first;
  while (!chunk.eof && (chunk.outcome.state === 'running' || size < MAX_RESULT_BYTES)) {
    chunk = await readOn(place, chunk.nextOffset, Math.max(1, MAX_RESULT_BYTES - size));
    pieces.push(chunk.bytes);
    size += chunk.bytes.length;
  }
  place.ended?.(chunk);
  const more = !chunk.eof || chunk.truncated || size > MAX_RESULT_BYTES;
  const output = present({ bytes: concat(pieces), more, path: chunk.outputPath });
  return toOutcome(chunk.outcome, output, timeoutMs);
}

function readOn({ sandboxes, sandboxId, effectId, signal }: Place, offset: number, maxBytes: number) {
  const read = { sandboxId, runId: effectId, offset, maxBytes, waitMs: MAX_WAIT_MS };
  return persist(() => sandboxes.readRun(read, signal), { signal });
}

function toOutcome(outcome: RunOutcome, output: string, timeoutMs: number): ToolOutcome {
  const says = (line: string) => failed(output === '' ? line : `${output.replace(/\n$/, '')}\n${line}`);
  switch (outcome.state) {
    case 'exited':
      return outcome.exitCode === 0 ? answered(output) : says(`[exit code ${outcome.exitCode}]`);
    case 'timed_out':
      return says(
        `[Stopped: it ran longer than its limit of ${timeoutMs} ms. Its background processes ended too.]`,
      );
    case 'killed':
      return says('[Stopped before it was done.]');
    case 'lost':
      return says(
        '[Outcome unknown: all that ran in the sandbox was killed, by a command itself, or because it has more on its disk than it may have (see du), or restarted. Check what was done before you run it again.]',
      );
    case 'running':
      return says('[It still runs.]');
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
