// What runs need inside a sandbox: their program, which goes there with each call, and directories, made when the sandbox is made
// and again by whoever gets no answer.
import { readFileSync } from 'node:fs';
import { OUTPUTS, UPLOADS, WORKSPACE } from '../port.ts';

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');

/** run.sh, which hands command.sh to the shell that a command runs in. */
export const RUN = `_stage='${read('./command.sh').replaceAll("'", `'\\''`)}'\n${read('./run.sh')}`;

export const STATE = '/var/tmp/.capstan';

/** What runs, and calls for files, cannot do without. */
export const NEEDED = 'cat chmod dd head mkdir mkfifo mv rm stat tail';

// `-m` is for the last part of a path alone: the state is nobody else's from its first moment, and what is made in front of `/.` has
// ordinary permissions. A file that is not there is written by whoever makes it; one that is there is replaced at once.
const INSTALL = `
type -aP ${NEEDED} >/dev/null || exit
[[ ! -e ${STATE} ]] || chmod 700 ${STATE} || exit
files=("$@") directories=()
while (($#)); do
  [[ -d \${1%/*} ]] || directories+=("\${1%/*}/.")
  shift 2
done
mkdir -p -m 700 -- ${STATE} ${STATE}/{runs,shells} {${WORKSPACE},${OUTPUTS},${UPLOADS}}/. "\${directories[@]}" || exit
set -C -- "\${files[@]}"
while (($#)); do
  printf %b "$2" >"$1" || { printf %b "$2" >|"$1.$$" && mv -f -- "$1.$$" "$1"; } || exit
  shift 2
done
echo installed`;

// What it takes to install, told without starting a process: there may be none left.
const LOOK = `
for program in ${NEEDED}; do
  type -aP "$program" >/dev/null || lacks+=("$program")
done
for directory in ${STATE}/{runs,shells} ${WORKSPACE} ${OUTPUTS} ${UPLOADS}; do
  [[ -d $directory && -w $directory && -x $directory ]] || lacks+=("$directory")
done
echo "\${lacks[*]:-nothing}"`;

export const LOOK_ARGV = ['bash', '-c', LOOK];

/** `files`: path and content each, as printf's %b takes it. */
export function installArgv(files: readonly string[]): string[] {
  return ['bash', '-c', INSTALL, 'bash', ...files];
}
