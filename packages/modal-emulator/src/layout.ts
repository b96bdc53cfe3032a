// Which of the two layouts this machine allows: it lays one out as for a sandbox, mounts it as the kind of user a sandbox
// runs as, and does there what only writable layers allow.
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROGRAM_PATHS } from './interpreters.ts';
import { toTable } from './mount-table.ts';
import { asOwner, canShift } from './ownership.ts';
import { type Base, type Layout, prepareRoot } from './root-filesystem.ts';
import { removeTrees } from './tree-removal.ts';

const PROBE_USER = 231_071;
/** New files, a file of a lower layer that goes away, and a directory of one that comes anew: what marks need. */
const SCRIPT = `set -e
mount --all --fstab overlays.fstab --no-canonicalize
touch root/probe root/usr/probe
rm root/etc/hosts
rm -r root/home
mkdir root/home`;
const run = promisify(execFile);

export interface LayoutChoice {
  layout: Layout;
  /** Why not `layers`. */
  reason?: string;
}

/** Takes some 30 ms and leaves nothing behind. */
export async function chooseLayout(stateDir: string, base: Base): Promise<LayoutChoice> {
  const isRoot = process.getuid?.() === 0;
  if (isRoot && !canShift()) return { layout: 'copies', reason: 'perl is not in a system directory' };
  const parent = join(stateDir, 'probe');
  const directory = join(parent, 'sandbox');
  const ownerId = isRoot ? PROBE_USER : undefined;
  await removeTrees(parent);
  mkdirSync(parent, { mode: 0o711 });
  mkdirSync(join(stateDir, 'programs'), { recursive: true });
  try {
    const runDirectory = join(parent, 'run');
    const { shifts, lines } = prepareRoot(directory, {
      base,
      layout: 'layers',
      runDirectory,
      ownerId,
      layers: [],
      isPlanted: false,
    });
    const overlays = lines.filter((line) => line.startsWith('overlay '));
    writeFileSync(join(directory, 'overlays.fstab'), toTable(overlays));
    const argv = ['unshare', '--user', '--map-root-user', '--mount', 'bash', '-c', SCRIPT];
    const { program, args, uid, gid } = asOwner(ownerId, argv, shifts);
    const env = { PATH: PROGRAM_PATHS.join(':') };
    await run(program, args, { cwd: directory, uid, gid, env, timeout: 10_000 });
    return { layout: 'layers' };
  } catch (cause) {
    const reason = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    return { layout: 'copies', reason };
  } finally {
    await removeTrees(parent);
  }
}
