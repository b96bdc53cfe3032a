// The programs that runs need inside a sandbox: installed when it is made, and again by whoever finds them missing.
// Their directory carries the hash of their text, so sandboxes of another version keep theirs.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { OUTPUTS, UPLOADS, WORKSPACE } from '../port.ts';

export const RUN = readFileSync(new URL('./run.sh', import.meta.url), 'utf8');
const COMMAND = readFileSync(new URL('./command.sh', import.meta.url), 'utf8');

export const STATE = '/var/tmp/.capstan';
const DIRECTORY = `${STATE}/${createHash('sha256').update(RUN).update(COMMAND).digest('hex').slice(0, 12)}`;
export const RUN_SCRIPT = `${DIRECTORY}/run.sh`;

// Paths and contents, for printf's %b, follow the programs. run.sh comes last and at once: whoever finds it finds all.
const INSTALL = `
mkdir -p "$1" ${STATE}/runs ${STATE}/shells ${WORKSPACE} ${OUTPUTS} ${UPLOADS} && chmod 700 ${STATE} || exit
home=$1 run=$2 command=$3
shift 3
while (($#)); do
  mkdir -p -- "\${1%/*}" && printf %b "$2" >"$1.$$" && mv -- "$1.$$" "$1" || exit
  shift 2
done
printf %s "$command" >"$home/command.sh" && printf %s "$run" >"$home/run.$$" && mv "$home/run.$$" "$home/run.sh" && echo installed`;

/** `files`: path and content each, as printf's %b takes it. */
export function installArgv(files: readonly string[]): string[] {
  return ['bash', '-c', INSTALL, 'bash', DIRECTORY, RUN, COMMAND, ...files];
}
