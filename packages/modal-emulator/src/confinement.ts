// How a sandbox comes behind its system call filter: Node cannot make the two calls that takes, an interpreter of the host
// can. It is the last thing that runs before the sandbox's own programs. Without one, there is no sandbox.
import { accessSync, constants, readFileSync } from 'node:fs';
import { confinementArguments, isFiltered } from './system-call-filter.ts';

/** Where a sandbox looks for programs, and the emulator for those that sandboxes need. */
export const PROGRAM_PATHS = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
] as const;

export const script = (name: string) => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8');
/** The first is the faster, by some 20 ms. */
const INTERPRETERS = {
  perl: ['-e', script('confine.pl')],
  python3: ['-I', '-S', '-c', script('confine.py')],
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

/**
 * What goes before a program's argv to confine it; it needs no_new_privs. With `entrance` it also makes the working
 * directory its "/", and needs the capabilities for that instead. Throws ConfinementError.
 */
export function confinement({
  interpreter = presentInterpreter(),
  entrance = false,
}: {
  interpreter?: Interpreter;
  entrance?: boolean;
} = {}): string[] {
  if (!isFiltered(process.arch))
    throw new ConfinementError(
      `There is no system call filter for ${process.arch}.`,
      'Use a machine with x64 or arm64, or real Modal.',
    );
  return [interpreter, ...INTERPRETERS[interpreter], ...confinementArguments(process.arch, entrance)];
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
