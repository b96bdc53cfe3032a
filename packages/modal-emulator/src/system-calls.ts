// System calls by number, for the interpreters that make them where Node cannot.

/** The numbers of x64 and arm64, from the kernel's own tables, and two flags of open that differ as well. */
const NUMBERS = {
  close: [3, 57],
  keyctl: [250, 219],
  madvise: [28, 233],
  mount: [165, 40],
  pivot_root: [155, 41],
  prctl: [157, 167],
  prlimit64: [302, 261],
  sendmsg: [46, 211],
  setgroups: [116, 159],
  sethostname: [170, 161],
  setresgid: [119, 149],
  setresuid: [117, 147],
  umount2: [166, 39],
  unshare: [272, 97],
  O_DIRECTORY: [0o200000, 0o40000],
  O_NOFOLLOW: [0o400000, 0o100000],
} as const;

export type SystemCall = keyof typeof NUMBERS;

export function systemCall(name: SystemCall): number {
  return NUMBERS[name][process.arch === 'arm64' ? 1 : 0];
}

/** As calls.pl and calls.py read them. */
export function systemCalls(): string {
  return (Object.keys(NUMBERS) as SystemCall[]).map((name) => `${name}=${systemCall(name)}`).join(',');
}
