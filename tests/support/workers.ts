// Workers of a self-hosted environment: programs beside the platform, to be started and killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('worker-program.ts', import.meta.url));

export interface WorkerSettings {
  url: string;
  environmentId: string;
  environmentKey: string;
  workdir: string;
  leaseSeconds: number;
  /** A directory below /mnt that is there before the worker is. */
  occupied?: string;
}

/** An empty /mnt of its own, where the worker is to make the directories of memory stores. */
const OWN_MOUNTS = [
  'unshare',
  ...[
    '--map-root-user',
    '--mount',
    'sh',
    '-c',
    'mount -t tmpfs tmpfs /mnt && mkdir -p "/mnt/$OCCUPIED" && exec "$0" "$@"',
  ],
];

export class WorkerProcess {
  #child: ChildProcess;
  output = '';

  constructor(settings: WorkerSettings) {
    mkdirSync(settings.workdir, { recursive: true });
    const [command = '', ...words] = [...OWN_MOUNTS, process.execPath, PROGRAM];
    this.#child = spawn(command, words, {
      env: {
        PATH: process.env.PATH,
        HOME: settings.workdir,
        OCCUPIED: settings.occupied ?? '',
        WORKER: JSON.stringify(settings),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      // What it runs is killed with it.
      detached: true,
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data: Buffer) => {
        this.output += data;
      });
  }

  /** Without a warning, and everything it has begun. */
  async kill(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    process.kill(-pid, 'SIGKILL');
    await gone;
  }
}
