import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Interpreter, interpreted } from './interpreters.ts';
import { SandboxSockets } from './sandbox-sockets.ts';
import { PATIENTLY } from './testing.ts';

const LISTENED = 8792;
const FREE = 8793;

describe.each(['perl', 'python3'] as const)(
  'sockets made by %s',
  { timeout: 60_000 },
  (interpreter: Interpreter) => {
    let namespace: ChildProcess;
    let sockets: SandboxSockets;
    let listener: Server;

    beforeAll(async () => {
      const script = '"$@" && exec sleep 600';
      namespace = spawn(
        'unshare',
        ['--user', '--map-root-user', '--net', 'sh', '-c', script, 'sh', ...broughtUp(interpreter)],
        { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
      );
      const [message, handle] = await once(namespace, 'message');
      expect(message).toEqual({ id: LISTENED });
      if (!(handle instanceof Server)) throw new TypeError('no listener came');
      listener = handle;
      namespace.disconnect();
      const openNamespaces = () => ({
        network: openSync(`/proc/${namespace.pid}/ns/net`, 'r'),
        user: openSync(`/proc/${namespace.pid}/ns/user`, 'r'),
      });
      sockets = new SandboxSockets({ openNamespaces, ownerId: undefined, interpreter });
    });
    afterAll(() => {
      sockets.close();
      listener.close();
      namespace.kill('SIGKILL');
    });

    it('listen and connect there, not here', async () => {
      listener.once('connection', (peer) => peer.end('inside'));
      const socket = await sockets.dial(LISTENED);
      expect(String((await once(socket, 'data'))[0])).toBe('inside');
      expect(sockets.isBusy).toBe(true);
      socket.destroy();
      await vi.waitFor(() => expect(sockets.isBusy).toBe(false), PATIENTLY);
    });

    it('stay half open for the side that still speaks', async () => {
      listener.once('connection', (peer) => {
        peer.allowHalfOpen = true;
        peer.resume().once('end', () => peer.end('after the end'));
      });
      const socket = await sockets.dial(LISTENED);
      socket.end('request');
      expect(String((await once(socket, 'data'))[0])).toBe('after the end');
    });

    it('say that nothing listens, and that a port is taken', async () => {
      await expect(sockets.dial(FREE)).rejects.toThrow(
        `Nothing listens on 127.0.0.1:${FREE} of the sandbox.`,
      );
      await expect(sockets.listen(LISTENED)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      const made = await sockets.listen(FREE);
      made.on('connection', (peer) => peer.end('made'));
      const socket = await sockets.dial(FREE);
      expect(String((await once(socket, 'data'))[0])).toBe('made');
      made.close();
    });

    it('come in the order nobody mixes up, many at a time', async () => {
      const made = await sockets.listen(FREE);
      made.on('connection', (peer) => peer.end('made'));
      const answers = await Promise.all(
        Array.from({ length: 300 }, async (_, index) => {
          if (index % 3 === 0) return sockets.dial(FREE + 1).catch((cause: Error) => cause.message);
          return String((await once(await sockets.dial(FREE), 'data'))[0]);
        }),
      );
      const refused = `Nothing listens on 127.0.0.1:${FREE + 1} of the sandbox.`;
      expect(answers).toEqual(answers.map((_, index) => (index % 3 === 0 ? refused : 'made')));
      made.close();
    });

    it('end with what they were made for, and leave nothing', async () => {
      const own = new SandboxSockets({
        openNamespaces: () => ({
          network: openSync(`/proc/${namespace.pid}/ns/net`, 'r'),
          user: openSync(`/proc/${namespace.pid}/ns/user`, 'r'),
        }),
        ownerId: undefined,
        interpreter,
      });
      listener.once('connection', (peer) => peer.on('error', () => {}));
      const socket = await own.dial(LISTENED);
      own.close();
      expect(socket.destroyed).toBe(true);
      await expect(own.dial(LISTENED)).rejects.toThrow('The sandbox has ended.');
      await vi.waitFor(() => expect(makersOf(process.pid)).toHaveLength(1), PATIENTLY);
    });

    it('say why they cannot be made', async () => {
      const openNamespaces = () => ({
        network: openSync('/dev/null', 'r'),
        user: openSync('/dev/null', 'r'),
      });
      const broken = new SandboxSockets({ openNamespaces, ownerId: undefined, interpreter });
      await expect(broken.dial(LISTENED)).rejects.toThrow(/cannot be made: nsenter: /);
    });
  },
);

/** A program that brings up the loopback and listens, as the start of a sandbox does. */
function broughtUp(interpreter: Interpreter): string[] {
  const [name = '', ...words] = interpreted(['sockets'], interpreter);
  const ports = interpreter === 'perl' ? LISTENED : `[${LISTENED}]`;
  const text = `${words.at(-2)}\ntake_channel();\nbring_up(${ports});`;
  return [name, ...words.with(-2, text)];
}

/** The programs that make sockets for this process. */
function makersOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((child) => child !== '' && commandLine(child).includes('NODE_CHANNEL_FD'));
}

function commandLine(pid: string): string {
  return readdirSync('/proc').includes(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
}
