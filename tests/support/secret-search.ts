// A search for secrets in all that a platform leaves behind: its files, and what its processes were started with. They are
// looked for in every form in which programs write what they were given.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { secretForms } from '../../packages/shared/src/secret-mask.ts';

/** Files below `place` that have one of the secrets, but for those of these names. */
export function filesWith(
  secrets: readonly string[],
  place: string,
  except: readonly string[] = [],
): string[] {
  const args = ['-rlsaF', '--devices=skip', ...except.map((name) => `--exclude=${name}`), '-f', '-', place];
  const input = `${secrets.flatMap(formsOf).join('\n')}\n`;
  const { stdout, status } = spawnSync('grep', args, {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  // 2: a file went away meanwhile, or is none of ours to read.
  if (status === null) throw new Error('grep did not end');
  return stdout.split('\n').filter((path) => path !== '');
}

/** Processes that were started with one of the secrets among their words or variables. */
export function processesWith(secrets: readonly string[], pids: readonly number[]): number[] {
  const forms = secrets.flatMap(formsOf);
  return pids.filter((pid) => {
    const text = textOf(`/proc/${pid}/cmdline`) + textOf(`/proc/${pid}/environ`);
    return forms.some((form) => text.includes(form));
  });
}

/** Whether a text has one of the secrets. */
export function has(text: string, secrets: readonly string[]): boolean {
  return secrets.flatMap(formsOf).some((form) => text.includes(form));
}

/** Every process of this machine but this one. */
export function allProcesses(): number[] {
  const pids = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
  return pids.map(Number).filter((pid) => pid !== process.pid && pid !== process.ppid);
}

/** Of these, the ones that see other processes than this one does: those of sandboxes. */
export function sandboxed(pids: readonly number[]): number[] {
  const own = readlinkSync('/proc/self/ns/pid');
  return pids.filter((pid) => {
    const space = linkOf(`/proc/${pid}/ns/pid`);
    return space !== null && space !== own;
  });
}

/** A pattern is a line: what has several is looked for by its longest. */
function formsOf(secret: string): string[] {
  return secretForms(secret).flatMap((form) => form.split('\n').filter((line) => line.length >= 8));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
