// Failpoints: named moments around every call of a session's ports, at which a crash test may kill a process.
// F1. Without FAILPOINTS, outside development, or at an address beyond this machine there are none: the ports stay as they are.
// F2. A moment is asked about, and gone past once it is answered; a server that does not answer holds nothing up.
import type { Sandboxes } from '@capstan/sandbox/port';
import type { Entry } from '@capstan/session/entry';
import type { Harness, ModelPart } from '@capstan/session/harness';
import type { Ports } from '@capstan/session/ports';

/** Resolves when the session may go on. `told`: the types of the events that an append writes. */
export type Reach = (point: string, told?: readonly string[]) => Promise<void>;

export interface FailpointSettings {
  environment: string | undefined;
  /** Where they are asked about: POST {point, session, told}. */
  url: string | undefined;
  sessionId: string;
}

/** Null: this session has no failpoints. */
export function openFailpoints({ environment, url, sessionId }: FailpointSettings): Reach | null {
  if (url === undefined || environment !== 'development' || !isLoopback(url)) return null;
  return async (point, told = []) => {
    const body = JSON.stringify({ point, session: sessionId, told });
    // Whoever asked for failpoints may be gone before the platform is.
    await fetch(url, { method: 'POST', body }).then(
      (answer) => answer.body?.cancel(),
      () => undefined,
    );
  };
}

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

interface Moment {
  name: string;
  told?: readonly string[];
}

function append(args: readonly unknown[]): Moment {
  const entries = args.find((argument): argument is Entry[] => Array.isArray(argument)) ?? [];
  const told = entries.map(({ event }) => event.type);
  const name = LANDMARKS.find((type) => told.some((one) => one === type)) ?? told[0];
  return { name: `append.${name}`, told };
}

type Naming = string | ((args: readonly unknown[]) => Moment);

/** The same port, with a moment before and one after each call of the named methods; all of them answer with a promise. */
function marked<P extends object>(port: P, names: { [K in keyof P]?: Naming }, reach: Reach): P {
  const naming = new Map<PropertyKey, Naming>(Object.entries(names));
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      const call = (...args: unknown[]): unknown => Reflect.apply(value, target, args);
      const name = naming.get(key);
      if (name === undefined) return call;
      return (...args: unknown[]) =>
        around(typeof name === 'string' ? name : name(args), reach, () => call(...args))();
    },
  });
}

function around<T>(moment: string | Moment, reach: Reach, work: () => T | Promise<T>): () => Promise<T> {
  const { name, told } = typeof moment === 'string' ? { name: moment, told: undefined } : moment;
  return async () => {
    await reach(`${name}:before`, told);
    const result = await work();
    await reach(`${name}:after`, told);
    return result;
  };
}

function isLoopback(url: string): boolean {
  return URL.canParse(url) && ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname);
}
