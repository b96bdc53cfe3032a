// How a program comes behind the system call filter of sandboxes: Node cannot make the two calls that takes, an interpreter
// of the host can.
import { ConfinementError, type Interpreter, interpreted } from './interpreters.ts';
import { filterProgram, isFiltered } from './system-call-filter.ts';

/** What goes before a program's argv to confine it; it needs no_new_privs. Throws ConfinementError. */
export function confinement(interpreter?: Interpreter): string[] {
  return [...interpreted(['confinement', 'confine'], interpreter), ownFilter()];
}

/** The filter of this machine, in hex. Throws ConfinementError. */
export function ownFilter(): string {
  if (!isFiltered(process.arch))
    throw new ConfinementError(
      `There is no system call filter for ${process.arch}.`,
      'Use a machine with x64 or arm64, or real Modal.',
    );
  return filterProgram(process.arch);
}
