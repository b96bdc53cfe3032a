// Modal's command router: commands in sandboxes, their input and output. Every call carries a token for one task.
// Starting is idempotent by exec id; output replays from any offset.
import { type CallContext, Status } from 'nice-grpc';
import { policyOf } from './control-plane.ts';
import type { CommandRouterMethods, Method } from './definitions.ts';
import { fail } from './failure.ts';
import { FILE_TOOLS_PATH, parseFileOperation } from './file-tools.ts';
import { failImage } from './image-errors.ts';
import { type Run, StdinError } from './run.ts';
import { SandboxSocketError } from './sandbox-sockets.ts';
import type { LiveSandbox, Sandboxes } from './sandboxes.ts';
import type { Secrets } from './secrets.ts';
import { CommandError, commandScript, prologue } from './shell-script.ts';
import type { Snapshots } from './snapshots.ts';
import type { Tokens } from './tokens.ts';
import * as wire from './wire.ts';

export interface CommandRouterPorts {
  sandboxes: Sandboxes;
  snapshots: Snapshots;
  secrets: Secrets;
  tokens: Tokens;
}

type Implementation<Methods> = {
  [Name in keyof Methods]: Methods[Name] extends Method<infer In, infer Out, infer InStream, infer OutStream>
    ? (
        request: InStream extends true ? AsyncIterable<In> : In,
        context: CallContext,
      ) => OutStream extends true ? AsyncGenerator<Out, void> : Promise<Out>
    : never;
};

export function createCommandRouter(ports: CommandRouterPorts): Implementation<CommandRouterMethods> {
  const runOf = (request: wire.ExecId, context: CallContext): Run => {
    const sandbox = sandboxOf(ports, request.taskId, context);
    sandbox.touch();
    return sandbox.runs.get(request.execId) ?? fail(Status.NOT_FOUND, `Exec ${request.execId} not found`);
  };
  return {
    taskExecStart: async (request, context) => {
      const sandbox = sandboxOf(ports, request.taskId, context);
      if (ports.sandboxes.live(sandbox.record.id) === undefined)
        fail(Status.NOT_FOUND, 'The sandbox has already shut down.');
      const secretEnv = await ports.secrets.environment(request.secretSources, request.secretIds);
      start(ports.sandboxes, sandbox, { ...request, env: { ...secretEnv, ...request.env } });
      return {};
    },
    async *taskExecStdioRead(request, context) {
      const run = runOf(request, context);
      const spool = request.fileDescriptor === wire.Descriptor.stderr ? run.stderr : run.stdout;
      for await (const data of spool.read(Number(request.offset), context.signal)) yield { data };
    },
    taskExecStdinWrite: async (request, context) => {
      const run = runOf(request, context);
      await writeStdin(run, Number(request.offset), request.data);
      if (request.eof) run.closeStdin();
      return {};
    },
    taskExecStdinWriteStream: async (messages, context) => {
      let target: { run: Run; offset: number } | undefined;
      for await (const message of messages) {
        if (message.start) {
          target = { run: runOf(message.start, context), offset: Number(message.start.offset) };
          continue;
        }
        if (target === undefined) fail(Status.INVALID_ARGUMENT, 'The stream has to begin with `start`.');
        if (message.data) {
          await writeStdin(target.run, target.offset, message.data);
          target.offset += message.data.length;
        } else if (message.end) target.run.closeStdin();
      }
      return {};
    },
    taskExecStdinStatus: async (request, context) => {
      const run = runOf(request, context);
      return { numBytesWritten: run.stdinBytes, closed: run.stdinClosed };
    },
    taskExecPoll: async (request, context) => runOf(request, context).exit ?? {},
    taskExecWait: async (request, context) => {
      const { signal } = context;
      const aborted = new Promise<wire.ExitStatus>((resolve) => {
        signal.addEventListener('abort', () => resolve({}), { once: true });
      });
      return Promise.race([runOf(request, context).exited, aborted]);
    },
    taskSetNetworkAccess: async (request, context) => {
      const { record } = sandboxOf(ports, request.taskId, context);
      const live =
        ports.sandboxes.live(record.id) ?? fail(Status.NOT_FOUND, 'The sandbox has already shut down.');
      await setNetworkAccess(live, request);
      return {};
    },
    // What one sandbox writes to a volume, the others see at once: there is nothing to fetch.
    taskReloadVolumes: async ({ taskId, containerId }, context) => {
      sandboxOf(ports, taskId, context).touch();
      if (containerId !== '') fail(Status.NOT_FOUND, `Container ${containerId} not found`);
      return {};
    },
    // Images are kept until they are deleted, whatever time to live is asked for.
    taskSnapshotFilesystem: async ({ taskId, snapshotId }, context) => {
      assertTask(ports, taskId, context);
      ports.sandboxes.byTask(taskId)?.touch();
      const image = await ports.snapshots.take(taskId, snapshotId).catch(failImage);
      return { imageId: image?.id ?? fail(Status.NOT_FOUND, 'The sandbox has already shut down.') };
    },
  };
}

function sandboxOf(ports: CommandRouterPorts, taskId: string, context: CallContext): LiveSandbox {
  assertTask(ports, taskId, context);
  return ports.sandboxes.byTask(taskId) ?? fail(Status.NOT_FOUND, 'The sandbox has already shut down.');
}

function assertTask(ports: CommandRouterPorts, taskId: string, { metadata }: CallContext): void {
  const token = /^Bearer (.+)$/.exec(metadata.get('authorization') ?? '')?.[1];
  const subject = token && ports.tokens.verify(token);
  if (!subject) fail(Status.UNAUTHENTICATED, 'The task token is missing, expired or not of this emulator.');
  if (subject !== taskId) fail(Status.PERMISSION_DENIED, 'The task token is for another task.');
}

function start(sandboxes: Sandboxes, sandbox: LiveSandbox, request: wire.ExecStartRequest): void {
  try {
    const { script, render } = scriptOf(sandbox, request);
    sandboxes.run(sandbox, request.execId, {
      script,
      render,
      keepStdout: request.stdoutConfig !== wire.StreamConfig.discard,
      keepStderr: request.stderrConfig === wire.StreamConfig.pipe,
      timeoutMs: request.timeoutSecs ? request.timeoutSecs * 1000 : undefined,
    });
  } catch (cause) {
    if (cause instanceof CommandError) fail(Status.INVALID_ARGUMENT, cause.message);
    throw cause;
  }
}

function scriptOf(sandbox: LiveSandbox, request: wire.ExecStartRequest) {
  const [program, operation] = request.commandArgs;
  const place = {
    env: { ...sandbox.env, ...request.env },
    workdir: request.workdir || sandbox.workdir,
    makeWorkdir: !request.workdir,
    stderrToStdout: request.stderrConfig === wire.StreamConfig.toStdout,
  };
  if (program === FILE_TOOLS_PATH) {
    const found = parseFileOperation(operation ?? '');
    if (found === undefined) fail(Status.INVALID_ARGUMENT, 'The file operation is none this emulator knows.');
    const [lines, script] = [prologue({ ...place, workdir: '/' }), found.script];
    return { script: `${lines.join('\n')}\n${script}`, render: found.render };
  }
  const argv = request.commandArgs;
  return {
    script: commandScript({ ...place, argv, pty: request.ptyInfo?.enabled ?? false }),
    render: undefined,
  };
}

async function setNetworkAccess(
  sandbox: LiveSandbox,
  { networkAccess }: wire.SetNetworkAccessRequest,
): Promise<void> {
  if (networkAccess === undefined) fail(Status.INVALID_ARGUMENT, 'The request has no networkAccess.');
  try {
    await sandbox.network.setPolicy(policyOf(networkAccess));
  } catch (cause) {
    if (cause instanceof SandboxSocketError) fail(Status.FAILED_PRECONDITION, cause.message);
    throw cause;
  }
}

async function writeStdin(run: Run, offset: number, data: Uint8Array): Promise<void> {
  try {
    await run.writeStdin(offset, data);
  } catch (cause) {
    if (cause instanceof StdinError) fail(Status.FAILED_PRECONDITION, cause.message);
    throw cause;
  }
}
