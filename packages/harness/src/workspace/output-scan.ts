// Looks through the outputs directory of a sandbox. Links and special files are no outputs, and what lies behind a link is none.
import { OUTPUTS, type Sandboxes } from '@capstan/sandbox/port';
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
