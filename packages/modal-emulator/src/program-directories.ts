// Directories laid over the host's in a sandbox's /usr, so that they belong to the sandbox and it can add, replace and remove
// files there. An ordinary user has none of the host's: these are the ones programs are installed to, and deeper ones of the
// host stay as they are. Root shows a sandbox as its own what root has; these are those of other groups, as in /usr/local on
// Debian.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { removeTrees } from './tree-removal.ts';

const MAX_LIST_BYTES = 16 * 1024 * 1024;
const HUGE = ['doc', 'bug', 'locale'].map((name) => `-path './share/${name}/*'`).join(' -o ');
const FIND_OWN = `find . -xdev -mindepth 1 -maxdepth 3 '(' ${HUGE} ')' -prune -o -type d -print0 2>/dev/null
  find local -xdev -mindepth 3 -maxdepth 6 -type d -print0 2>/dev/null || :`;
const FIND_FOREIGN = "find local -xdev -type d '(' ! -uid 0 -o ! -gid 0 ')' -print0 2>/dev/null || :";
const run = promisify(execFile);

/** Makes them in `directory`, or finds that an earlier start made the very same. */
export async function prepareProgramDirectories(directory: string): Promise<void> {
  const find = process.getuid?.() === 0 ? FIND_FOREIGN : FIND_OWN;
  const { stdout } = await run('bash', ['-c', find], {
    cwd: '/usr',
    encoding: 'buffer',
    maxBuffer: MAX_LIST_BYTES,
  });
  const mark = `${directory}.made`;
  const hash = createHash('sha256').update(stdout).digest('hex');
  if (existsSync(directory) && existsSync(mark) && readFileSync(mark, 'utf8') === hash) return;
  await removeTrees(directory, mark);
  mkdirSync(directory, { mode: 0o755 });
  await makeDirectories(directory, stdout);
  writeFileSync(mark, hash);
}

async function makeDirectories(directory: string, list: Buffer): Promise<void> {
  const script = 'umask 022; exec xargs -0 -r mkdir -p --';
  const child = spawn('bash', ['-c', script], { cwd: directory, stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => {});
  child.stdin.end(list);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new ProgramDirectoriesError(`Making directories in ${directory} ended with ${code}.`);
}

export class ProgramDirectoriesError extends Error {
  override readonly name = 'ProgramDirectoriesError';
}
