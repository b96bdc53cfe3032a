// What a hostile program in a sandbox would try. Each probe is a bash script that prints `escaped` when it got what it
// should not; whatever else it does is harmless, so those with `control` also run on the host, where they must succeed.
import { arch } from 'node:process';

/** Where a host and a neighbouring sandbox keep what a probe is after. */
export interface Surroundings {
  /** A file only the host has, holding `secret`. */
  secretPath: string;
  secret: string;
  /** TCP on the host's loopback. */
  hostPort: number;
  /** An address of the host that is not loopback, if it has any. */
  hostAddress: string;
  hostSocketPath: string;
  hostAbstractName: string;
  /** The emulator's process. */
  hostPid: number;
  neighbourPort: number;
  neighbourAbstractName: string;
  neighbourShmKey: number;
}

export interface Probe {
  name: string;
  script: string;
  /** Gets what it tries to get on the host, run by its root; by one with all capabilities, if that is what it takes. */
  control?: 'plain' | 'privileged';
}

type Call = keyof typeof CALLS.x64;

const CALLS = {
  x64: {
    bpf: 321,
    chroot: 161,
    clone: 56,
    clock_settime: 227,
    fsopen: 430,
    init_module: 175,
    io_uring_setup: 425,
    kexec_load: 246,
    keyctl: 250,
    mount: 165,
    open_by_handle_at: 304,
    perf_event_open: 298,
    pivot_root: 155,
    process_vm_readv: 310,
    ptrace: 101,
    quotactl: 179,
    setns: 308,
    shmget: 29,
    socket: 41,
    swapon: 167,
    syslog: 103,
    unshare: 272,
    userfaultfd: 323,
    pidfd_open: 434,
    pidfd_send_signal: 424,
  },
  arm64: {
    bpf: 280,
    chroot: 51,
    clone: 220,
    clock_settime: 112,
    fsopen: 430,
    init_module: 105,
    io_uring_setup: 425,
    kexec_load: 104,
    keyctl: 219,
    mount: 40,
    open_by_handle_at: 265,
    perf_event_open: 241,
    pivot_root: 41,
    process_vm_readv: 270,
    ptrace: 117,
    quotactl: 60,
    setns: 268,
    shmget: 194,
    socket: 198,
    swapon: 224,
    syslog: 116,
    unshare: 97,
    userfaultfd: 282,
    pidfd_open: 434,
    pidfd_send_signal: 424,
  },
};
const NUMBERS = CALLS[arch === 'arm64' ? 'arm64' : 'x64'];
const NEW_USER = 0x10000000;
const SIGCHLD = 17;

/** A system call that should be refused; its arguments as Perl. */
const call = (name: Call, ...args: (string | number)[]) =>
  `perl -e 'my @a = (${args.join(', ')}); print "escaped" if syscall(${NUMBERS[name]}, @a) >= 0'`;
/** Writing should fail; what is written is what is there, or nothing of consequence. */
const write = (path: string, text = '') => `printf %s '${text}' 2>/dev/null >'${path}' && echo escaped`;
const finds = (path: string, what: string) => `grep -qs '${what}' ${path} && echo escaped`;

export function probes(at: Surroundings): Probe[] {
  return [...files(at), ...kernel(), ...namespaces(), ...devices(), ...processes(at), ...networks(at)];
}

function files({ secretPath, secret }: Surroundings): Probe[] {
  const up = '../'.repeat(20);
  return [
    { name: "a file of the host's", script: finds(secretPath, secret), control: 'plain' },
    { name: 'the same through /..', script: finds(`/${up}${secretPath}`, secret), control: 'plain' },
    { name: 'the same through the root of process 1', script: finds(`/proc/1/root${secretPath}`, secret) },
    {
      name: 'the same through any root',
      script: finds(`/proc/[0-9]*/root${secretPath}`, secret),
      control: 'plain',
    },
    {
      name: 'the same through a working directory',
      script: finds(`/proc/[0-9]*/cwd/${up}${secretPath}`, secret),
    },
    { name: 'the same through a descriptor', script: finds(`/proc/[0-9]*/fd/*/${up}${secretPath}`, secret) },
    {
      name: 'the same through a symlink',
      script: `ln -sfn '${secretPath}' /tmp/l; ${finds('/tmp/l', secret)}`,
      control: 'plain',
    },
    { name: 'passwords of the host', script: '[ -s /etc/shadow ] && echo escaped', control: 'plain' },
    {
      name: 'a program of the host, by its hard link',
      script:
        'ln /usr/bin/env /tmp/env-link && [ -w /tmp/env-link ] && : 2>/dev/null >>/tmp/env-link && echo escaped',
    },
    { name: "the emulator's own directory in the sandbox", script: write('/__modal/capstan-probe') },
    {
      name: 'certificates of all sandboxes',
      script: `for f in /__modal/etc/ssl /__modal/etc; do touch $f/capstan-probe 2>/dev/null && echo escaped; done`,
    },
    {
      name: 'a set-user-id program that helps',
      script:
        'for p in su sudo newuidmap mount fusermount; do command -v $p >/dev/null && [ -n "$(find $(command -v $p) -perm -4000)" ] && timeout 2 $p --help 2>&1 | grep -q "CapEff.*[1-9a-f]" && echo escaped; done; :',
    },
  ];
}

function kernel(): Probe[] {
  const settings = [
    '/proc/sys/kernel/core_pattern',
    '/proc/sys/kernel/modprobe',
    '/proc/sys/kernel/hostname',
    '/proc/sys/kernel/randomize_va_space',
    '/proc/sys/user/max_user_namespaces',
    '/proc/sys/vm/drop_caches',
    '/proc/sys/fs/binfmt_misc/register',
    '/proc/sysrq-trigger',
    '/proc/1/oom_score_adj',
    '/sys/kernel/uevent_helper',
    '/sys/fs/cgroup/cgroup.procs',
    '/sys/fs/cgroup/release_agent',
    '/sys/power/state',
  ];
  return [
    ...settings.map((path) => ({
      name: `${path}, opened for writing`,
      script: `[ -e ${path} ] && (: >>${path}) 2>/dev/null && case ${path} in *oom_score_adj) echo -1000 2>/dev/null >${path} && echo escaped;; *) echo escaped;; esac`,
    })),
    {
      name: 'the oom score, lowered',
      script: 'echo -1000 2>/dev/null >/proc/self/oom_score_adj && echo escaped',
    },
    {
      name: 'the users of its namespace',
      script: `for f in uid_map gid_map; do echo '0 0 1' 2>/dev/null >/proc/self/$f && echo escaped; done; :`,
    },
    {
      name: "the kernel's log",
      script: `dmesg >/dev/null 2>&1 && echo escaped; ${call('syslog', 10, 0, 0)}`,
    },
    {
      name: 'the memory of the kernel',
      script: 'head -c 1 /proc/kcore 2>/dev/null | grep -q . && echo escaped',
    },
    {
      name: 'where the kernel lies',
      script: `grep -qsv '^0* ' /proc/kallsyms && echo escaped`,
      control: 'privileged',
    },
    { name: 'a module', script: call('init_module', 0, 0, '""') },
    { name: 'another kernel', script: call('kexec_load', 0, 0, 0, 0) },
    {
      name: 'the clock',
      script: `perl -e 'my $t = pack "q2", time, 0; print "escaped" if syscall(${NUMBERS.clock_settime}, 0, $t) == 0'`,
    },
    {
      name: 'a program in the kernel',
      script: `perl -e 'my $a = "\\0" x 128; print "escaped" if syscall(${NUMBERS.bpf}, 0, $a, 128) >= 0'`,
    },
    {
      name: 'counters of the processor',
      script: `perl -e 'my $a = pack("L2Q", 1, 112, 0) . "\\0" x 96; print "escaped" if syscall(${NUMBERS.perf_event_open}, $a, -1, 0, -1, 0) >= 0'`,
    },
    { name: 'page faults of others', script: call('userfaultfd', 0) },
    {
      name: 'system calls that no filter sees',
      script: `perl -e 'my $a = "\\0" x 128; print "escaped" if syscall(${NUMBERS.io_uring_setup}, 1, $a) >= 0'`,
    },
    { name: 'keys of the host', script: call('keyctl', 0, -3, 1) },
    { name: 'swap', script: call('swapon', '"/tmp/none"', 0) },
  ];
}

function namespaces(): Probe[] {
  return [
    {
      name: 'a user namespace',
      script: 'unshare --user true 2>/dev/null && echo escaped',
      control: 'privileged',
    },
    {
      name: 'a user namespace by clone',
      script: `perl -e 'my $p = syscall(${NUMBERS.clone}, ${NEW_USER + SIGCHLD}, 0, 0, 0, 0); if ($p == 0) { exit } print "escaped" if $p > 0'`,
      control: 'privileged',
    },
    { name: 'a user namespace by unshare', script: call('unshare', NEW_USER), control: 'privileged' },
    {
      name: 'a mount namespace',
      script: 'unshare --mount true 2>/dev/null && echo escaped',
      control: 'privileged',
    },
    {
      name: "process 1's namespaces",
      script: `for n in user mnt pid net; do perl -e 'open my $f, "<", "/proc/1/ns/'$n'" or exit; print "escaped" if syscall(${NUMBERS.setns}, fileno($f), 0) == 0'; done`,
    },
    { name: 'a mount', script: 'mount -t tmpfs tmpfs /mnt 2>/dev/null && { umount /mnt; echo escaped; }; :' },
    {
      name: 'a mount of the root again',
      script: 'mount --bind / /mnt 2>/dev/null && { umount /mnt; echo escaped; }; :',
    },
    {
      name: 'another /proc',
      script: 'mkdir -p /tmp/p; mount -t proc proc /tmp/p 2>/dev/null && { umount /tmp/p; echo escaped; }; :',
    },
    {
      name: '/proc/sys uncovered',
      script:
        'umount /proc/sys 2>/dev/null && echo escaped; mount -o remount,rw /proc/sys 2>/dev/null && echo escaped',
    },
    { name: 'a mount by the new calls', script: call('fsopen', '"tmpfs"', 0), control: 'privileged' },
    { name: 'chroot', script: call('chroot', '"/tmp"'), control: 'privileged' },
    { name: 'pivot_root', script: call('pivot_root', '"/tmp"', '"/tmp"') },
    {
      name: 'a file by its number',
      script: `perl -e 'open my $d, "<", "/"; my $h = pack "L L Q", 8, 1, 2; print "escaped" if syscall(${NUMBERS.open_by_handle_at}, fileno($d), $h, 0) >= 0'`,
    },
    { name: 'a quota', script: call('quotactl', 0, 0, 0, 0) },
  ];
}

function devices(): Probe[] {
  const names =
    'mem kmem port kmsg kvm fuse net/tun loop-control loop0 vda sda nvme0n1 vsock vhost-vsock mapper/control dri/card0';
  return [
    {
      name: 'a device of the host',
      script: `for d in ${names}; do (: </dev/$d) 2>/dev/null && echo escaped; done; :`,
      control: 'privileged',
    },
    {
      name: 'a new character device',
      script: 'mknod /tmp/null c 1 3 2>/dev/null && { rm /tmp/null; echo escaped; }; :',
      control: 'privileged',
    },
    {
      name: 'a new block device',
      script: 'mknod /tmp/disk b 254 0 2>/dev/null && { rm /tmp/disk; echo escaped; }; :',
      control: 'privileged',
    },
    {
      name: 'another terminal',
      script: 'n=$(ls /dev/pts 2>/dev/null | grep -c "^[0-9]"); [ "$n" -gt 0 ] && echo escaped; :',
    },
  ];
}

function processes({ hostPid, neighbourShmKey }: Surroundings): Probe[] {
  const { ptrace, process_vm_readv: read, pidfd_open: open, pidfd_send_signal: signal } = NUMBERS;
  return [
    {
      name: 'a process of the host, seen',
      script: `[ -e /proc/${hostPid}/status ] && echo escaped`,
      control: 'plain',
    },
    {
      name: 'a process of the host, signalled',
      script: `perl -e 'my $f = syscall(${open}, ${hostPid}, 0); print "escaped" if $f >= 0 && syscall(${signal}, $f, 0, 0, 0) == 0'`,
      control: 'plain',
    },
    {
      name: 'the memory of a process of the host',
      script: `perl -e 'my $b = "\\0" x 8; my $l = pack "PQ", $b, 8; my $r = pack "Q2", 4194304, 8; print "escaped" if syscall(${read}, ${hostPid}, $l, 1, $r, 1, 0) > 0'`,
    },
    {
      name: 'a process of the host, traced',
      script: `perl -e 'print "escaped" if syscall(${ptrace}, 0x4206, ${hostPid}, 0, 0) == 0'`,
    },
    {
      name: 'the environment of others',
      script: `cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -Eq 'MODAL_TOKEN|CAPSTAN_|NEIGHBOUR_SECRET' && echo escaped`,
      control: 'plain',
    },
    {
      name: 'a descriptor it was not given',
      script:
        'for f in /proc/1/fd/* /proc/$$/fd/*; do t=$(readlink $f); case $t in /tmp/*|/work/*|/root/*|/home/*) echo "escaped $t";; esac; done; :',
    },
    {
      name: 'shared memory of a neighbour',
      script: `perl -e 'print "escaped" if defined shmget(${neighbourShmKey}, 16, 0)'`,
      control: 'plain',
    },
    {
      name: 'files of a neighbour',
      script:
        'cat /tmp/neighbour /dev/shm/neighbour /workspace/neighbour 2>/dev/null | grep -q . && echo escaped',
    },
  ];
}

function networks(at: Surroundings): Probe[] {
  const tcp = (host: string, port: number) =>
    `timeout 3 bash -c 'exec 3<>/dev/tcp/${host}/${port}' 2>/dev/null && echo escaped`;
  const unix = (address: string) =>
    `perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0) or exit; print "escaped" if connect($s, ${address})'`;
  const socket = (...args: number[]) => call('socket', ...args);
  return [
    { name: "the host's loopback", script: tcp('127.0.0.1', at.hostPort), control: 'plain' },
    { name: "the host's loopback by IPv6", script: tcp('::1', at.hostPort) },
    { name: "the host's own address", script: tcp(at.hostAddress, at.hostPort) },
    { name: 'the metadata service', script: tcp('169.254.169.254', 80) },
    { name: 'a name server', script: tcp('1.1.1.1', 53) },
    { name: "a neighbour's port", script: tcp('127.0.0.1', at.neighbourPort) },
    {
      name: 'a socket file of the host',
      script: unix(`sockaddr_un("${at.hostSocketPath}")`),
      control: 'plain',
    },
    {
      name: 'an abstract socket of the host',
      script: unix(`pack("Sa*", 1, "\\0${at.hostAbstractName}")`),
      control: 'plain',
    },
    {
      name: 'an abstract socket of a neighbour',
      script: unix(`pack("Sa*", 1, "\\0${at.neighbourAbstractName}")`),
    },
    { name: 'the hypervisor, by vsock', script: socket(40, 1, 0), control: 'privileged' },
    { name: 'packets as they are', script: socket(17, 3, 0), control: 'privileged' },
    { name: 'raw sockets', script: socket(2, 3, 1), control: 'privileged' },
    { name: 'the audit log, by netlink', script: socket(16, 3, 9), control: 'privileged' },
    { name: 'device events, by netlink', script: socket(16, 3, 15), control: 'privileged' },
    {
      name: 'an interface',
      script: 'ip link add d0 type dummy 2>/dev/null && { ip link del d0; echo escaped; }; :',
    },
    {
      name: 'a route',
      script: 'ip route add default dev lo 2>/dev/null && { ip route del default dev lo; echo escaped; }; :',
    },
  ];
}
