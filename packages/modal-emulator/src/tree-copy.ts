// Copying a directory tree, as it stands, in a process of its own: contents, holes, links, permissions and times; sockets and
// pipes are left out. The tree may change while it is copied: what goes away in time is not in the copy.
// The copy is made as the sandbox's user, who can reach nothing but the two trees.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { PROGRAM_PATHS } from './interpreters.ts';
import { HERE, toTable } from './mount-table.ts';
import { asOwner, type Shift } from './ownership.ts';
import { type Base, IMAGE_USER } from './root-filesystem.ts';

const SCRIPT = readFileSync(new URL('./tree-copy.sh', import.meta.url), 'utf8');
const PARTS = ['from', 'to'] as const;
/** What `cp` says of files that were there when it listed their directory, and no longer when it came to them. */
const CHANGED = /: No such file or directory$|, as it was replaced while being copied$|: Stale file handle$/;
const run = promisify(execFile);

export class TreeCopyError extends Error {
  override readonly name = 'TreeCopyError';
  /** Both or one of the trees are on a disk that took no more. */
  readonly isDiskFull: boolean;

  constructor(complaints: string[]) {
    super(`Copying files failed: ${complaints.slice(0, 3).join('; ')}`);
    this.isDiskFull = complaints.some((line) => /No space left on device|Disk quota exceeded/.test(line));
  }
}

/** A tree, and whether it belongs to IMAGE_USER on disk and has to be shown to the sandbox's user as its own. */
export interface Tree {
  path: string;
  isShifted: boolean;
}

export interface TreeCopy {
  from: Tree;
  to: Tree;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  /** As root, without shifting: gives the copy to this host user. */
  newOwner?: number;
  signal: AbortSignal;
}

export class TreeCopier {
  readonly #directory: string;
  #made = 0;

  /** `directory` is beside the base. */
  constructor(directory: string, base: Base) {
    this.#directory = directory;
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o711 });
    const box = join(base.directory, 'box');
    for (const name of ['usr', ...base.programs.mounted, 'proc', ...PARTS])
      mkdirSync(join(box, name), { recursive: true });
    for (const [name, target] of base.programs.links) symlinkSync(target, join(box, name));
    const target = `${HERE}/../../base/box`;
    const lines = [`${target} ${target} none bind,ro,nosuid,nodev`];
    for (const name of ['usr', ...base.programs.mounted])
      lines.push(`/${name} ${target}/${name} none rbind,ro,nosuid,nodev`);
    // Of these processes alone: without it, `cp` cannot change the permissions of a directory.
    lines.push(`proc ${target}/proc proc nosuid,nodev,noexec,subset=pid`);
    for (const name of PARTS) lines.push(`${HERE}/${name} ${target}/${name} none bind,nosuid,nodev`);
    writeFileSync(join(base.directory, 'box.fstab'), toTable(lines));
  }

  /** Resolves with what the copy takes on disk, in bytes. Throws TreeCopyError; an AbortError when `signal` aborts. */
  async copy(copy: TreeCopy): Promise<number> {
    const directory = join(this.#directory, String(this.#made++));
    mkdirSync(directory, { mode: 0o755 });
    try {
      const shifts = PARTS.flatMap((name) => this.#place(directory, name, copy[name]));
      // Plain root copies as root, who owns both sides.
      const isRoot = process.getuid?.() === 0 && shifts.length === 0;
      const user = isRoot ? [] : ['--user', '--map-root-user'];
      const namespaces = ['--fork', '--kill-child', ...user, '--mount', '--pid'];
      const script = ['bash', '--norc', '--noprofile', '-c', SCRIPT, 'copy', String(copy.newOwner ?? '')];
      const argv = ['setpriv', '--pdeathsig', 'KILL', 'unshare', ...namespaces, ...script];
      const { program, args } = asOwner(copy.ownerId, argv, shifts);
      return await execute({ program, args, directory, signal: copy.signal });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Through a link that needs none of the directories above the state, or a mount point that root fills. */
  #place(directory: string, name: 'from' | 'to', { path, isShifted }: Tree): Shift[] {
    if (isShifted) mkdirSync(join(directory, name));
    else symlinkSync(relative(directory, path), join(directory, name));
    return isShifted ? [{ diskUser: IMAGE_USER, source: path, target: name }] : [];
  }
}

interface Execution {
  program: string;
  args: string[];
  directory: string;
  signal: AbortSignal;
}

async function execute({ program, args, directory, signal }: Execution): Promise<number> {
  const options = {
    cwd: directory,
    signal,
    killSignal: 'SIGKILL' as const,
    maxBuffer: 16 * 1024 * 1024,
    env: { PATH: PROGRAM_PATHS.join(':') },
  };
  const { stdout } = await run(program, args, options).catch((cause: unknown) => {
    signal.throwIfAborted();
    const output = cause instanceof Error && 'stderr' in cause && 'stdout' in cause ? cause : undefined;
    const complaints = String(output?.stderr ?? cause)
      .split('\n')
      .filter((line) => line !== '' && !CHANGED.test(line));
    if (complaints.length > 0) throw new TreeCopyError(complaints);
    return { stdout: String(output?.stdout) };
  });
  const size = /^(\d+)\tto$/m.exec(stdout)?.[1];
  if (size === undefined) throw new TreeCopyError(['its size is unknown']);
  return Number(size);
}
