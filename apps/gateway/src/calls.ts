// The calls of the Sandboxes port by name: from checked arguments to an answer that encodeFrame can send.
import { type Args, checkArgs, type Operation, type Result } from '@capstan/sandbox/arguments';
import type { Sandboxes } from '@capstan/sandbox/port';

type Call<O extends Operation> = (
  sandboxes: Sandboxes,
  args: Args<O>,
  signal: AbortSignal,
) => Promise<Result<O>>;

const CALLS: { readonly [O in Operation]: Call<O> } = {
  create: (sandboxes, args) => sandboxes.create(args),
  findByName: (sandboxes, { name }) => sandboxes.findByName(name),
  status: (sandboxes, { sandboxId }) => sandboxes.status(sandboxId),
  exec: (sandboxes, args, signal) => sandboxes.exec(args, signal),
  startRun: (sandboxes, args, signal) => sandboxes.startRun(args, signal),
  readRun: (sandboxes, args, signal) => sandboxes.readRun(args, signal),
  killRun: (sandboxes, args) => sandboxes.killRun(args),
  resetShell: (sandboxes, args) => done(sandboxes.resetShell(args)),
  readFile: (sandboxes, args) => sandboxes.readFile(args),
  writeFile: (sandboxes, args) => done(sandboxes.writeFile(args)),
  listFiles: (sandboxes, args) => sandboxes.listFiles(args),
  stat: (sandboxes, args) => sandboxes.stat(args),
  buildImage: (sandboxes, args) => sandboxes.buildImage(args),
  snapshot: (sandboxes, args) => sandboxes.snapshot(args),
  deleteImage: (sandboxes, { imageId }) => done(sandboxes.deleteImage(imageId)),
  expose: (sandboxes, args) => sandboxes.expose(args),
  setNetwork: (sandboxes, args) => done(sandboxes.setNetwork(args)),
  setCredentials: (sandboxes, args) => done(sandboxes.setCredentials(args)),
  denials: (sandboxes, args) => sandboxes.denials(args),
  terminate: (sandboxes, { sandboxId }) => done(sandboxes.terminate(sandboxId)),
  list: (sandboxes) => sandboxes.list(),
  capabilities: (sandboxes) => sandboxes.capabilities(),
  health: (sandboxes) => sandboxes.health(),
};

export interface Request<O extends Operation> {
  operation: O;
  args: unknown;
  /** Stops waiting; what was started goes on. */
  signal: AbortSignal;
}

/** Throws SandboxError. */
export async function perform<O extends Operation>(
  sandboxes: Sandboxes,
  request: Request<O>,
): Promise<Result<O>> {
  const { operation, args, signal } = request;
  return CALLS[operation](sandboxes, checkArgs(operation, args), signal);
}

async function done(work: Promise<void>): Promise<null> {
  await work;
  return null;
}
