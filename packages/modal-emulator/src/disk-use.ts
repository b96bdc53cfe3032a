// What one sandbox has on the disk: its tree, and the files it has removed but still holds open.
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readdir, readlink, stat } from 'node:fs/promises';
import type { SandboxProcess } from './sandbox-process.ts';

const MEASURE_MS = 60_000;
/** Descriptors looked at: a sandbox that holds more is not worth more of the emulator's time. */
const MAX_DESCRIPTORS = 20_000;
const BLOCK = 512;

export interface DiskUse {
  bytes: number;
  /** Inodes of any kind. */
  files: number;
}

/** Rejects when it cannot be told, as for a sandbox that has ended. */
export async function diskUse(directory: string, sandbox: SandboxProcess): Promise<DiskUse> {
  const [tree, removed] = await Promise.all([treeUse(directory, sandbox), removedUse(sandbox.agent())]);
  return { bytes: tree.bytes + removed.bytes, files: tree.files + removed.files };
}

/** Of what has a name in the directory alone. */
export async function treeUse(directory: string, sandbox: SandboxProcess): Promise<DiskUse> {
  const [bytes, files] = await Promise.all([
    du(directory, { unit: '--block-size=1', sandbox }),
    du(directory, { unit: '--inodes', sandbox }),
  ]);
  return { bytes, files };
}

/** As the owner of the sandbox's user namespace, or as root: a directory that its owner closed to itself counts too. */
function du(
  directory: string,
  { unit, sandbox }: { unit: string; sandbox: SandboxProcess },
): Promise<number> {
  const { network, user } = sandbox.openNamespaces();
  const enter =
    process.getuid?.() === 0 ? [] : ['nsenter', '--user=/proc/self/fd/3', '--preserve-credentials'];
  const [program = 'du', ...args] = [...enter, 'du', '-sx', unit, '--', directory];
  try {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore', user], timeout: MEASURE_MS });
    return new Promise((resolve, reject) => {
      let text = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      child.once('error', reject);
      child.once('close', () => {
        const total = Number.parseInt(text, 10);
        // Files come and go while it counts, and it says so by its exit code.
        if (Number.isNaN(total)) reject(new TypeError(`du ${unit} printed no number.`));
        else resolve(total);
      });
    });
  } finally {
    closeSync(network);
    closeSync(user);
  }
}

async function removedUse(agent: number | undefined): Promise<DiskUse> {
  if (agent === undefined) return { bytes: 0, files: 0 };
  const own = await readlink(`/proc/${agent}/ns/pid`);
  const found = new Map<string, number>();
  let left = MAX_DESCRIPTORS;
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || (await readlink(`/proc/${pid}/ns/pid`).catch(() => '')) !== own) continue;
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors.slice(0, left)) {
      const file = await stat(`/proc/${pid}/fd/${descriptor}`).catch(() => undefined);
      if (file?.isFile() && file.nlink === 0) found.set(`${file.dev}:${file.ino}`, file.blocks * BLOCK);
    }
    left -= Math.min(left, descriptors.length);
  }
  return { bytes: [...found.values()].reduce((sum, bytes) => sum + bytes, 0), files: found.size };
}
