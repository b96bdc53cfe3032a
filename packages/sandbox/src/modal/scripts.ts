// The programs that runs need inside a sandbox: installed when it is made, and again by whoever finds them missing.
// Their directory carries the hash of their text, so sandboxes of another version keep theirs.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { OUTPUTS, UPLOADS, WORKSPACE } from '../port.ts';

const RUN = readFileSync(new URL('./run.sh', import.meta.url), 'utf8');
const COMMAND = readFileSync(new URL('./command.sh', import.meta.url), 'utf8');

export const STATE = '/var/tmp/.capstan';
const DIRECTORY = `${STATE}/${createHash('sha256').update(RUN).update(COMMAND).digest('hex').slice(0, 12)}`;
export const RUN_SCRIPT = `${DIRECTORY}/run.sh`;

// run.sh comes last and at once: whoever finds it finds all.
const INSTALL = `
mkdir -p "$1" ${STATE}/runs ${STATE}/shells ${WORKSPACE} ${OUTPUTS} ${UPLOADS} && chmod 700 ${STATE} || exit
printf %s "$3" >"$1/command.sh" && printf %s "$2" >"$1/run.$$" && mv "$1/run.$$" "$1/run.sh" && echo installed`;

export const INSTALL_ARGV: string[] = ['bash', '-c', INSTALL, 'bash', DIRECTORY, RUN, COMMAND];
