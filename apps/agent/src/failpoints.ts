// Where the failpoints of a session are: around every call of its ports.
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Entry } from '@capstan/session/entry';
import type { Harness, ModelPart } from '@capstan/session/harness';
import type { Ports } from '@capstan/session/ports';
import { around, type Moment, marked, type Reach } from '@capstan/shared/failpoints';

export function markPorts(ports: Ports, reach: Reach): Ports {
  return {
    ...ports,
    log: markLog(ports.log, reach),
    blobs: marked(ports.blobs, { put: 'blobs.put', get: 'blobs.get', removeAll: 'blobs.remove' }, reach),
    alarm: {
      // Neither may wait: both belong to the tick of an append.
      arm: (at) => {
        ports.alarm.arm(at);
        void reach('alarm.arm');
      },
      disarm: () => {
        ports.alarm.disarm();
        void reach('alarm.disarm');
      },
    },
    index: marked(ports.index, { put: 'index.put', remove: 'index.remove' }, reach),
    harness: markHarness(ports.harness, reach),
    erase: around('erase', reach, () => ports.erase()),
  };
}

export function markSandboxes(sandboxes: Sandboxes, reach: Reach): Sandboxes {
  const names = {
    create: 'sandbox.create',
    status: 'sandbox.status',
    startRun: 'sandbox.start_run',
    readRun: 'sandbox.read_run',
    killRun: 'sandbox.kill_run',
    setNetwork: 'sandbox.set_network',
    snapshot: 'sandbox.snapshot',
    deleteImage: 'sandbox.delete_image',
    terminate: 'sandbox.terminate',
  };
  return marked(sandboxes, names, reach);
}

function markLog(log: Ports['log'], reach: Reach): Ports['log'] {
  const others = marked(
    log,
    {
      lines: 'log.lines',
      answered: 'log.answered',
      snapshot: 'log.snapshot',
      draft: 'log.draft',
      drafts: 'log.drafts',
    },
    reach,
  );
  return marked(others, { append: (args) => append(args) }, reach);
}

function markHarness(harness: Harness, reach: Reach): Harness {
  const names = {
    perform: 'tool.perform',
    recover: 'tool.recover',
    cancel: 'tool.cancel',
    release: 'release',
    care: 'sandbox.care',
  };
  const tools = marked(harness, names, reach);
  return new Proxy(tools, {
    get: (target, key) =>
      key === 'call'
        ? (...[call, signal]: Parameters<Harness['call']>) => markReply(harness.call(call, signal), reach)
        : Reflect.get(target, key),
  });
}

async function* markReply(parts: AsyncIterable<ModelPart>, reach: Reach): AsyncIterable<ModelPart> {
  await reach('model.call');
  let seen = 0;
  for await (const part of parts) {
    seen += 1;
    if (part.type === 'end') await reach('model.end');
    else if (seen === 1) await reach('model.first_part');
    else if (seen === 2) await reach('model.middle');
    yield part;
  }
}

/** What an append is called by: the first of these that it writes. */
const LANDMARKS = [
  'user.interrupt',
  'user.message',
  'user.tool_confirmation',
  'user.custom_tool_result',
  'session.status_terminated',
  'session.status_idle',
  'session.status_rescheduled',
];

function append(args: readonly unknown[]): Moment {
  const entries = args.find((argument): argument is Entry[] => Array.isArray(argument)) ?? [];
  const told = entries.map(({ event }) => event.type);
  const name = LANDMARKS.find((type) => told.some((one) => one === type)) ?? told[0];
  return { name: `append.${name}`, told };
}
