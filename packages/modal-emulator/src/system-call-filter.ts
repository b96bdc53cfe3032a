// The system calls a sandbox may not make, as a seccomp program: what no namespace confines (AF_VSOCK reaches the hypervisor,
// key rings and the kernel's log are the host's), what goes round such a filter, and, once more, what needs capabilities.

/** The numbers of x64 and arm64, from the kernel's own tables; null where there is no such call. */
type Numbers = readonly [x64: number | null, arm64: number | null];

const REFUSED: Readonly<Record<string, Numbers>> = {
  pivot_root: [155, 41],
  umount2: [166, 39],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  syslog: [103, 116],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  lookup_dcookie: [212, 18],
  // Files by number, past any root directory.
  open_by_handle_at: [304, 265],
  setns: [308, 268],
  chroot: [161, 51],
  mount: [165, 40],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  nfsservctl: [180, 42],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  reboot: [169, 142],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  create_module: [174, null],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  iopl: [172, null],
  ioperm: [173, null],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  sethostname: [170, 161],
  setdomainname: [171, 162],
};
/** Programs take their absence for an older kernel, and do without them. */
const ABSENT: Readonly<Record<string, Numbers>> = {
  // It makes sockets without calling socket().
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  // Its flags lie in memory, where a filter cannot see them; libraries go back to clone.
  clone3: [435, 435],
};
const CHECKED = { socket: [41, 198], socketpair: [53, 199], clone: [56, 220], unshare: [272, 97] } as const;
/** file_setattr. Newer calls are absent until somebody has looked at them; x32's numbers lie above as well. */
const LAST_KNOWN = 469;

const ARCHITECTURES = {
  x64: { column: 0, machine: 0xc000003e },
  arm64: { column: 1, machine: 0xc00000b7 },
} as const;

/** AF_UNIX, AF_INET, AF_INET6: within the sandbox's own network namespace, as is AF_NETLINK with these protocols. */
const FAMILIES = [1, 2, 10];
const AF_NETLINK = 16;
/** NETLINK_ROUTE, NETLINK_SOCK_DIAG: what `ip`, `ss` and name lookups ask. */
const NETLINK_PROTOCOLS = [0, 4];
/** CLONE_NEWTIME, which clone takes for a signal no program asks for, and the CLONE_NEW* of all other kinds. */
const NEW_NAMESPACE = 0x7e020080;

const EPERM = 1;
const ENOSYS = 38;
const EPROTONOSUPPORT = 93;
const EAFNOSUPPORT = 97;
const ALLOW = 0x7fff0000;
const REFUSE = 0x00050000;

export interface Instruction {
  code: number;
  /** Instructions to skip when the comparison holds, and when it does not; below 256. */
  yes: number;
  no: number;
  value: number;
}

const load = (offset: number): Instruction => ({ code: 0x20, yes: 0, no: 0, value: offset });
const allow: Instruction = { code: 0x06, yes: 0, no: 0, value: ALLOW };
const refuse = (errno: number): Instruction => ({ code: 0x06, yes: 0, no: 0, value: REFUSE + errno });

const COMPARISONS = { equals: 0x15, isAtLeast: 0x35, hasAnyOf: 0x45 } as const;

/** Goes through `block` when what was loaded last compares so, else past it. Throws RangeError for a block too long to skip. */
export function when(
  comparison: keyof typeof COMPARISONS,
  value: number,
  block: Instruction[],
): Instruction[] {
  if (block.length > 255) throw new RangeError(`A block has ${block.length} instructions; the most is 255.`);
  return [{ code: COMPARISONS[comparison], yes: 0, no: block.length, value }, ...block];
}

/** Where `struct seccomp_data` has them; arguments that matter here are no wider than their lower half. */
const NUMBER = 0;
const MACHINE = 4;
const FIRST_ARGUMENT = 16;
const THIRD_ARGUMENT = 32;

export type Architecture = keyof typeof ARCHITECTURES;

export function isFiltered(architecture: string): architecture is Architecture {
  return Object.hasOwn(ARCHITECTURES, architecture);
}

/** For seccomp(2): what is given back is what the kernel answers the call with. */
export function systemCallFilter(architecture: Architecture): Instruction[] {
  const { column, machine } = ARCHITECTURES[architecture];
  const answers = (calls: Readonly<Record<string, Numbers>>, errno: number) =>
    Object.values(calls).flatMap((numbers) => {
      const number = numbers[column];
      return number === null ? [] : when('equals', number, [refuse(errno)]);
    });
  const sockets = [
    load(FIRST_ARGUMENT),
    ...FAMILIES.flatMap((family) => when('equals', family, [allow])),
    ...when('equals', AF_NETLINK, [
      load(THIRD_ARGUMENT),
      ...NETLINK_PROTOCOLS.flatMap((protocol) => when('equals', protocol, [allow])),
      refuse(EPROTONOSUPPORT),
    ]),
    refuse(EAFNOSUPPORT),
  ];
  const namespaces = [load(FIRST_ARGUMENT), ...when('hasAnyOf', NEW_NAMESPACE, [refuse(EPERM)]), allow];
  return [
    load(MACHINE),
    ...when('equals', machine, [
      load(NUMBER),
      ...answers(REFUSED, EPERM),
      ...answers(ABSENT, ENOSYS),
      ...when('isAtLeast', LAST_KNOWN + 1, [refuse(ENOSYS)]),
      ...when('equals', CHECKED.socket[column], sockets),
      ...when('equals', CHECKED.socketpair[column], sockets),
      ...when('equals', CHECKED.clone[column], namespaces),
      ...when('equals', CHECKED.unshare[column], namespaces),
      allow,
    ]),
    // Another machine's numbers, such as 32-bit programs use.
    refuse(ENOSYS),
  ];
}

/** In the kernel's form, in hex. */
export function filterProgram(architecture: Architecture): string {
  return encode(systemCallFilter(architecture)).toString('hex');
}

/** struct sock_filter, one after another, of a little-endian machine. */
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
