// What start.pl is told: words, each with what ends a text in the kernel after it, after the length of all.
import { ownFilter } from './confinement.ts';
import { type Interpreter, interpreted } from './interpreters.ts';
import { type Shift, shiftWords } from './ownership.ts';

/** The kernel's numbers. */
const RESOURCE = { fileBytes: 1, dataBytes: 2, coreBytes: 4, processes: 6 } as const;
const LIMITS = { [RESOURCE.coreBytes]: 0, [RESOURCE.fileBytes]: 2 ** 31, [RESOURCE.processes]: 640 };
export const LENGTH_DIGITS = 10;

export interface StartOrder {
  /** Where the sandbox is laid out. */
  directory: string;
  /** The sandbox's host uid; absent: this user. */
  ownerId: number | undefined;
  /** What is shown to that user as its own. */
  shifts: readonly Shift[];
  /** Listened on inside, on 127.0.0.1. */
  listenPorts: readonly number[];
  /** From `mountWords`. */
  mounts: readonly string[];
  /** From `volumeWords`. */
  volumes: readonly string[];
  /** For each process alone, where no group bounds them together. */
  memoryBytesPerProcess: number | undefined;
}

/** It ends with this process. Throws ConfinementError. */
export function startArgv(interpreter?: Interpreter): string[] {
  return [...interpreted(['shifts', 'sockets', 'confinement', 'start'], interpreter), String(process.pid)];
}

/** `program` becomes process 1. Throws ConfinementError. */
export function startOrder(order: StartOrder, program: readonly string[]): Buffer {
  const { directory, ownerId, shifts, listenPorts, mounts, volumes, memoryBytesPerProcess: most } = order;
  const data = most === undefined ? {} : { [RESOURCE.dataBytes]: Math.ceil(most) };
  const limits = Object.entries({ ...LIMITS, ...data }).flat();
  const lists = [shiftWords(shifts), listenPorts, mounts, volumes, limits];
  const words = [
    directory,
    ownerId ?? '',
    ownFilter(),
    ...lists.flatMap((list) => [list.length, ...list]),
    ...program,
  ];
  const text = Buffer.from(words.join('\0'));
  return Buffer.concat([Buffer.from(String(text.length).padStart(LENGTH_DIGITS, '0')), text]);
}
