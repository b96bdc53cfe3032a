// Looks through the outputs directory of a sandbox, and reads what it found there. Links and special files are no outputs,
// and a path that leads through a link leads nowhere.
import { SandboxError } from '@capstan/sandbox/error';
import { MAX_CHUNK_BYTES, OUTPUTS, type Sandboxes } from '@capstan/sandbox/port';
import { persist } from '../persistence.ts';

export interface FoundOutput {
  /** Relative to the directory. What is not UTF-8 in it is U+FFFD: it cannot be asked for then. */
  path: string;
  /** Changes with the content: size and time of modification. */
  signature: string;
  sizeBytes: number;
  /** How long ago it was modified, by the sandbox's own clock. */
  ageMs: number;
}

export interface Found {
  outputs: FoundOutput[];
  /** There were more than MAX_OUTPUTS. */
  truncated: boolean;
  /** Something that a tool call began still runs. */
  busy: boolean;
  /** Of the directories beside: another one whenever something in them has changed. '': there are none. */
  print: string;
}

export const MAX_OUTPUTS = 1_000;
const MAX_SCAN_BYTES = 8 * 1024 * 1024;
const SCAN_MS = 15_000;

// Every process that a tool call leaves behind has the call's id in its environment.
const SCAN = `date +%s.%N
if grep -qsz '^CAPSTAN_EFFECT_ID=' /proc/[0-9]*/environ 2>/dev/null; then echo busy; else echo quiet; fi
outputs=$1; shift
if (($# > 0)); then find "$@" -xdev ! -type d -printf '%y %s %T@ %C@ %i %p\\0' 2>/dev/null | cksum; else echo; fi
[[ -L /mnt || -L /mnt/session || -L $outputs ]] && exit
cd -P -- "$outputs" 2>/dev/null && find . -xdev -maxdepth 20 -mindepth 1 -type f -printf '%s %T@ %P\\0' 2>/dev/null | head -z -n ${MAX_OUTPUTS + 1}`;

// The last component is opened without following it, in a directory that lies where its name says: no link led there.
const READ = `cd -P -- "$1" 2>/dev/null || exit 3
name=./\${2##*/} within=$PWD
if [[ $2 == */* ]]; then
  cd -P -- "./\${2%/*}" 2>/dev/null || exit 3
  [[ $PWD == "$within/\${2%/*}" ]] || exit 3
fi
[[ $(find "$name" -maxdepth 0 -type f -printf '%s %T@' 2>/dev/null) == "$5" ]] || exit 3
exec dd if="$name" bs=131072 skip="$3" count="$4" iflag=nofollow,skip_bytes,count_bytes,fullblock status=none`;

/** `beside`: other directories, of which only whether they have changed is told. */
export async function scanOutputs(
  sandboxes: Sandboxes,
  sandboxId: string,
  beside: readonly string[] = [],
): Promise<Found> {
  const command = ['bash', '-c', SCAN, 'bash', OUTPUTS, ...beside];
  const request = { sandboxId, command, cwd: '/', timeoutMs: SCAN_MS, maxBytes: MAX_SCAN_BYTES };
  const { stdout } = await persist(() => sandboxes.exec(request));
  const text = new TextDecoder().decode(stdout);
  const [clock = '', state = '', print = ''] = text.split('\n', 3);
  const now = Number(clock) * 1000;
  const rows = text
    .slice(clock.length + state.length + print.length + 3)
    .split('\0')
    .slice(0, -1);
  const outputs = rows.slice(0, MAX_OUTPUTS).flatMap((row) => {
    const [, size = '', modified = '', path = ''] = /^(\d+) ([\d.]+) (.+)$/s.exec(row) ?? [];
    if (path === '') return [];
    const ageMs = now - Number(modified) * 1000;
    return [{ path, signature: `${size} ${modified}`, sizeBytes: Number(size), ageMs }];
  });
  return { outputs, truncated: rows.length > MAX_OUTPUTS, busy: state === 'busy', print };
}

/** Rejects (`file_not_found`) when it is not what was found any more. */
export async function* readOutput(
  sandboxes: Sandboxes,
  sandboxId: string,
  { path, signature, sizeBytes }: FoundOutput,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  do {
    const command = [
      'bash',
      '-c',
      READ,
      'bash',
      OUTPUTS,
      path,
      String(offset),
      String(MAX_CHUNK_BYTES),
      signature,
    ];
    const request = { sandboxId, command, cwd: '/', timeoutMs: 60_000, maxBytes: MAX_CHUNK_BYTES };
    const { exitCode, stdout } = await persist(() => sandboxes.exec(request));
    const expected = Math.min(MAX_CHUNK_BYTES, sizeBytes - offset);
    if (exitCode !== 0 || stdout.length !== expected)
      throw new SandboxError('file_not_found', `${path}: is another file by now`);
    if (stdout.length > 0) yield stdout;
    offset += stdout.length;
  } while (offset < sizeBytes);
}
