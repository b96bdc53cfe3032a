// The interpreter of the host that makes the system calls Node cannot make, and the programs for it here, each in perl and in
// Python, put together from parts. Without one, there is no sandbox.
import { accessSync, constants, readFileSync } from 'node:fs';
import { systemCalls } from './system-calls.ts';

/** Where a sandbox looks for programs, and the emulator for those that sandboxes need. */
export const PROGRAM_PATHS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
] as const;

/** The first is the faster, by some 20 ms. */
const INTERPRETERS = {
  perl: { flags: ['-e'], suffix: 'pl' },
  python3: { flags: ['-I', '-S', '-c'], suffix: 'py' },
} as const;

export type Interpreter = keyof typeof INTERPRETERS;

export class ConfinementError extends Error {
  override readonly name = 'ConfinementError';
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.fix = fix;
  }
}

/** The argv of a program made of parts, the last of which runs; its own arguments follow. Throws ConfinementError. */
export function interpreted(parts: readonly string[], interpreter = presentInterpreter()): string[] {
  const { flags, suffix } = INTERPRETERS[interpreter];
  const text = ['calls', ...parts].map((part) => script(`${part}.${suffix}`)).join('\n');
  return [interpreter, ...flags, text, systemCalls()];
}

const scripts = new Map<string, string>();

function script(name: string): string {
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(new URL(`./${name}`, import.meta.url), 'utf8');
  scripts.set(name, text);
  return text;
}

export function isInstalled(name: string): boolean {
  return PROGRAM_PATHS.some((directory) => {
    try {
      accessSync(`${directory}/${name}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export function presentInterpreter(): Interpreter {
  if (isInstalled('perl')) return 'perl';
  if (isInstalled('python3')) return 'python3';
  throw new ConfinementError(
    'Neither perl nor python3 is in a system directory: one of them installs the system call filter of sandboxes.',
    'Install the package perl-base, for example: sudo apt-get install perl-base.',
  );
}
