// The system calls a sandbox may not make, as a seccomp program: what no namespace confines. Sockets to the hypervisor
// (AF_VSOCK), the kernel's key rings, which it would inherit, and interfaces that reach around such a filter.

/** Numbers of the calls per architecture, from the kernel's own tables; `machine` is its AUDIT_ARCH. */
const TABLES = {
  x64: {
    machine: 0xc000003e,
    socket: 41,
    prctl: 157,
    keyctl: 250,
    refused: [246, 248, 249, 250, 298, 304, 321, 323],
  },
  arm64: {
    machine: 0xc00000b7,
    socket: 198,
    prctl: 167,
    keyctl: 219,
    refused: [104, 217, 218, 219, 241, 265, 280, 282],
  },
} as const;
// refused, in this order: kexec_load, add_key, request_key, keyctl, perf_event_open, open_by_handle_at, bpf, userfaultfd.

/** io_uring makes sockets without calling socket(). */
const IO_URING = [425, 426, 427];
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: within the sandbox's own network namespace. */
const FAMILIES = [1, 2, 10, 16];
/** x32 has numbers of its own, from here on. */
const X32 = 0x40000000;

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
const ALLOW = 0x7fff0000;
const refuse = (errno: number) => 0x00050000 + errno;

export interface Instruction {
  code: number;
  /** Instructions to skip when the comparison holds, and when it does not. */
  yes: number;
  no: number;
  value: number;
}

const load = (offset: number): Instruction => ({ code: 0x20, yes: 0, no: 0, value: offset });
const give = (value: number): Instruction => ({ code: 0x06, yes: 0, no: 0, value });
const unlessEqual = (value: number, skip: number): Instruction => ({ code: 0x15, yes: 0, no: skip, value });
const unlessAtLeast = (value: number, skip: number): Instruction => ({ code: 0x35, yes: 0, no: skip, value });

const NUMBER = 0;
const MACHINE = 4;
const FIRST_ARGUMENT = 16;

export type Architecture = keyof typeof TABLES;

export function isFiltered(architecture: string): architecture is Architecture {
  return architecture in TABLES;
}

/** For seccomp(2): what is given back is what the kernel answers the call with. */
export function systemCallFilter(architecture: Architecture): Instruction[] {
  const table = TABLES[architecture];
  const answer = (number: number, errno: number) => [unlessEqual(number, 1), give(refuse(errno))];
  const families = FAMILIES.flatMap((family) => [unlessEqual(family, 1), give(ALLOW)]);
  return [
    load(MACHINE),
    unlessEqual(table.machine, 1),
    // Skips the refusal of foreign machines.
    { code: 0x05, yes: 0, no: 0, value: 1 },
    give(refuse(ENOSYS)),
    load(NUMBER),
    unlessAtLeast(X32, 1),
    give(refuse(ENOSYS)),
    ...table.refused.flatMap((number) => answer(number, EPERM)),
    ...IO_URING.flatMap((number) => answer(number, ENOSYS)),
    unlessEqual(table.socket, families.length + 2),
    load(FIRST_ARGUMENT),
    ...families,
    give(refuse(EAFNOSUPPORT)),
    give(ALLOW),
  ];
}

/** What `confine.pl` is told: the numbers of the two calls it makes, and the program in the kernel's form. */
export function confinement(architecture: Architecture): string[] {
  const { prctl, keyctl } = TABLES[architecture];
  return [String(prctl), String(keyctl), encode(systemCallFilter(architecture)).toString('hex')];
}

/** struct sock_filter, one after another. */
function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, { code, yes, no, value }] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}
