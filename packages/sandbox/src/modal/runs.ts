// Runs over Modal: each call is one task in the sandbox, run.sh, which answers a line and then output.
import { createHash } from 'node:crypto';
import { SandboxError } from '../error.ts';
import {
  DEFAULT_CHUNK_BYTES,
  KILL_GRACE_MS,
  type ReadRun,
  type RunChunk,
  type RunKey,
  type RunOutcome,
  type StartRun,
} from '../port.ts';
import { toArgumentFile, toEntries, toParts, toSeconds } from './command.ts';
import type { Connection } from './connection.ts';
import { writeFile } from './files.ts';
import { assertUsable, install } from './preparation.ts';
import { STATE } from './scripts.ts';

interface Ask {
  operation: 'start' | 'read' | 'kill';
  key: RunKey;
  waitMs: number;
  until: 'end' | 'output';
  offset: number;
  maxBytes: number;
  rest?: string[];
  signal?: AbortSignal;
}

export async function startRun(
  connection: Connection,
  request: StartRun,
  signal?: AbortSignal,
): Promise<RunChunk> {
  const { command, cwd = '', shell = '', env, waitMs = 0, until = 'end', maxBytes } = request;
  if (shell !== '' && typeof command !== 'string') {
    throw new SandboxError('invalid', 'shell: needs a script as command, not an argument list');
  }
  const entries = toEntries(env);
  const parts = toParts(command);
  const identity = createHash('sha256')
    .update(JSON.stringify([shell, cwd, parts]))
    .digest('hex');
  const stage = [cwd, String(entries.length), ...entries, ...parts];
  const staged = toArgumentFile(stage);
  if (staged) {
    // Written again by whoever asks for the same run again: it holds the same.
    const path = `${STATE}/runs/${request.runId}.args`;
    await writeFile(connection, { sandboxId: request.sandboxId, path, content: staged });
  }
  return ask(connection, {
    operation: 'start',
    key: request,
    waitMs,
    until,
    offset: 0,
    maxBytes: maxBytes ?? DEFAULT_CHUNK_BYTES,
    rest: [identity, toSeconds(request.timeoutMs), shell, ...(staged ? ['@'] : stage)],
    signal,
  });
}

export function readRun(connection: Connection, request: ReadRun, signal?: AbortSignal): Promise<RunChunk> {
  const { offset, waitMs = 0, until = 'end', maxBytes = DEFAULT_CHUNK_BYTES } = request;
  return ask(connection, { operation: 'read', key: request, waitMs, until, offset, maxBytes, signal });
}

export async function killRun(connection: Connection, key: RunKey): Promise<RunOutcome> {
  const waitMs = 2 * KILL_GRACE_MS;
  const chunk = await ask(connection, {
    operation: 'kill',
    key,
    waitMs,
    until: 'end',
    offset: 0,
    maxBytes: 0,
  });
  if (chunk.outcome.state === 'running') {
    throw new SandboxError('timeout', `Run ${key.runId} did not end within ${waitMs} ms of being killed`);
  }
  return chunk.outcome;
}

export async function resetShell(
  connection: Connection,
  key: { sandboxId: string; shell: string },
): Promise<void> {
  const task = { program: 'reset', args: [key.shell], maxBytes: 64 } as const;
  const { stdout } = await connection.perform(key.sandboxId, task);
  if (stdout.length > 0) return;
  await assertUsable(connection, key.sandboxId);
  throw new SandboxError('internal', `The shell "${key.shell}" could not be reset`);
}

async function ask(connection: Connection, question: Ask): Promise<RunChunk> {
  const { key, signal } = question;
  const { operation, waitMs, until, offset, maxBytes, rest = [] } = question;
  const numbers = [toSeconds(waitMs), until, String(offset), String(maxBytes)];
  const args = [operation, key.runId, ...numbers, ...rest];
  // One line more than the output: the answer comes first.
  const task = { program: 'run', args, maxBytes: maxBytes + 128, signal } as const;
  const first = await connection.perform(key.sandboxId, task);
  if (first.stdout.length > 0 && !lacksState(question, first.stdout))
    return answer(connection, question, first.stdout);
  await install(connection, key.sandboxId);
  const second = await connection.perform(key.sandboxId, task);
  if (second.stdout.length > 0) return answer(connection, question, second.stdout);
  await connection.assertAlive(key.sandboxId);
  throw new SandboxError('internal', `Run ${key.runId}: the sandbox gave no answer`);
}

/** A start that finds no run, nor can make one: a command has changed what is there for runs. */
function lacksState({ operation }: Ask, stdout: Uint8Array): boolean {
  return operation === 'start' && headOf(stdout)[1] === 'missing';
}

/** What a sandbox without its programs may say too, while a shell of ours still lives in it, is not taken at its word. */
async function answer(connection: Connection, question: Ask, stdout: Uint8Array): Promise<RunChunk> {
  const { sandboxId } = question.key;
  if (headOf(stdout)[1] === 'full') await assertUsable(connection, sandboxId);
  const chunk = parse(question, stdout);
  if (mayLackShell(question, chunk)) await assertUsable(connection, sandboxId);
  return chunk;
}

/** A command that cannot be started, or whose output nobody takes, exits so and leaves no output. */
const WITHOUT_SHELL: ReadonlySet<number> = new Set([126, 127, 141]);

function mayLackShell({ operation, offset }: Ask, { outcome, bytes }: RunChunk): boolean {
  if (operation === 'kill' || outcome.state !== 'exited' || !WITHOUT_SHELL.has(outcome.exitCode))
    return false;
  return offset === 0 && bytes.length === 0;
}

const STATES = ['exited', 'timed_out', 'killed'] as const;

/** The words of the line that comes before the output. */
function headOf(stdout: Uint8Array): string[] {
  const end = stdout.indexOf(10);
  return Buffer.from(stdout.subarray(0, Math.max(end, 0)))
    .toString()
    .split(' ');
}

function parse(question: Ask, stdout: Uint8Array): RunChunk {
  const { operation, offset, maxBytes } = question;
  const { runId } = question.key;
  const end = stdout.indexOf(10);
  const [mark, state, code, cut] = headOf(stdout);
  if (mark !== 'capstan' || state === undefined) {
    throw new SandboxError('internal', `Run ${runId}: the sandbox gave an answer that cannot be read`);
  }
  if (state === 'full') {
    const way = 'delete files in it, or make one with more room';
    throw new SandboxError(
      'quota_exceeded',
      `Run ${runId} was not started: the sandbox's disk is full; ${way}`,
    );
  }
  if (state === 'missing' && operation === 'start') {
    const why = `${STATE} may have been changed by a command`;
    throw new SandboxError('internal', `Run ${runId} could not be started in the sandbox: ${why}`);
  }
  if (state === 'missing') throw new SandboxError('not_found', `No run ${runId}`);
  if (state === 'conflict') {
    throw new SandboxError('conflict', `Run ${runId} is known with another command: use a new runId`);
  }
  const bytes = stdout.subarray(end + 1);
  const outcome = toOutcome(state, Number(code));
  return {
    outcome,
    bytes,
    nextOffset: offset + bytes.length,
    eof: outcome.state !== 'running' && bytes.length < maxBytes,
    truncated: cut === 'cut',
    outputPath: `${STATE}/runs/${runId}.out`,
  };
}

function toOutcome(state: string, exitCode: number): RunOutcome {
  if (state === 'running' || state === 'lost') return { state };
  const ended = STATES.find((known) => known === state);
  if (ended && Number.isInteger(exitCode)) return { state: ended, exitCode };
  throw new SandboxError('internal', `The sandbox tells an unknown state of a run: ${state}`);
}
