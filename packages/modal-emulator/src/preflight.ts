// Whether this machine can isolate sandboxes, and if not, what stands in the way and how to mend it. It starts a throwaway
// process in the very namespaces a sandbox gets, as the kind of user a sandbox runs as.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { confinement } from './confinement.ts';
import { ConfinementError, isInstalled, PROGRAM_PATHS } from './interpreters.ts';
import { workspaceProblem } from './unisolated.ts';

export interface IsolationProblem {
  what: string;
  why: string;
  fix: string;
}

export interface Isolation {
  /** `refused`: sandboxes cannot start, for the reasons in `problems`; `none`: for these, and somebody said that it may be so. */
  level: 'namespaces' | 'none' | 'refused';
  problems: IsolationProblem[];
}

/** By the package that has them on most distributions. */
const REQUIRED: Record<string, string[]> = {
  'util-linux': ['unshare', 'nsenter', 'setpriv', 'mount', 'umount', 'pivot_root'],
  bash: ['bash'],
  coreutils: ['mkfifo', 'cp', 'cat', 'stat', 'mkdir', 'rm'],
  findutils: ['find'],
};
const WANTED = ['', 'namespaces', 'none'];
const PROBE_USER = 231_071;
const PROBE_ENV = { PATH: PROGRAM_PATHS.join(':') };
const run = promisify(execFile);

/** Where a kernel forbids what isolates sandboxes, and cannot be made to allow it. */
const OTHER_WAYS =
  ' Or run the platform in a container or virtual machine where that is allowed. Or, for one tenant whom you trust with all that this user may do on this machine, set SANDBOX_ISOLATION=none: commands then run here, with no isolation, images, snapshots or network policies.';

/** Takes about 30 ms and leaves nothing behind. `wanted` is what SANDBOX_ISOLATION says: `none` opts out where it has to. */
export async function checkIsolation(wanted?: string): Promise<Isolation> {
  if (process.platform !== 'linux') return { level: 'refused', problems: [notLinux()] };
  if (wanted !== undefined && !WANTED.includes(wanted))
    return { level: 'refused', problems: [unknown(wanted)] };
  const programs = missing(REQUIRED, 'sandboxes cannot start without');
  if (programs.length > 0) return { level: 'refused', problems: programs };
  const problems: IsolationProblem[] = [];
  const refusal = await probe();
  if (refusal !== undefined) problems.push(explain(refusal));
  problems.push(...(await unconfined()));
  if (problems.length === 0) return { level: 'namespaces', problems };
  if (wanted !== 'none') return { level: 'refused', problems: problems.map(withOtherWays) };
  const workspace = workspaceProblem();
  return { level: 'none', problems: workspace === undefined ? problems : [...problems, workspace] };
}

/** What the kernel said against a sandbox's namespaces, or undefined when it made them. */
async function probe(): Promise<string | undefined> {
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];
  const script = 'mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt';
  const owner = process.getuid?.() === 0 ? { uid: PROBE_USER, gid: PROBE_USER } : {};
  try {
    await run('unshare', ['--fork', '--kill-child', ...namespaces, 'sh', '-c', script], {
      ...owner,
      cwd: '/',
      env: PROBE_ENV,
      timeout: 10_000,
    });
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message.trim() : String(cause);
  }
}

/** What stands against the system call filter, from here outside the namespaces: it needs none of them. */
async function unconfined(): Promise<IsolationProblem[]> {
  const what = 'Sandboxes cannot be kept from the system calls that no namespace confines.';
  try {
    await run('setpriv', ['--no-new-privs', ...confinement(), 'true'], {
      cwd: '/',
      env: PROBE_ENV,
      timeout: 10_000,
    });
    return [];
  } catch (cause) {
    if (cause instanceof ConfinementError) return [{ what, why: cause.message, fix: cause.fix }];
    const why = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    const fix =
      'Use a kernel built with CONFIG_SECCOMP_FILTER; in a container, start it with --security-opt seccomp=unconfined.';
    return [{ what, why, fix }];
  }
}

function explain(refusal: string): IsolationProblem {
  const what = 'The kernel does not let this user make the namespaces a sandbox is isolated with.';
  if (setting('user/max_user_namespaces') === '0')
    return {
      what,
      why: 'user.max_user_namespaces is 0.',
      fix: 'Run: sudo sysctl user.max_user_namespaces=15000 (write it to /etc/sysctl.d/ to keep it).',
    };
  if (setting('kernel/unprivileged_userns_clone') === '0')
    return {
      what,
      why: 'kernel.unprivileged_userns_clone is 0.',
      fix: 'Run: sudo sysctl kernel.unprivileged_userns_clone=1 (write it to /etc/sysctl.d/ to keep it).',
    };
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1')
    return {
      what,
      why: 'AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1).',
      fix: 'Run: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 (write it to /etc/sysctl.d/ to keep it).',
    };
  return {
    what,
    why: refusal,
    fix: 'In a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined; elsewhere, use a kernel of 5.14 or later with user namespaces.',
  };
}

function withOtherWays({ what, why, fix }: IsolationProblem): IsolationProblem {
  return { what, why, fix: `${fix}${OTHER_WAYS}` };
}

function unknown(wanted: string): IsolationProblem {
  return {
    what: `SANDBOX_ISOLATION is ${JSON.stringify(wanted)}.`,
    why: `It can be ${WANTED.filter((name) => name !== '').join(' or ')}.`,
    fix: 'Leave it out: sandboxes are then isolated by namespaces, or do not start.',
  };
}

function missing(programs: Record<string, string[]>, why: string): IsolationProblem[] {
  return Object.entries(programs).flatMap(([packageName, names]) => {
    const absent = names.filter((name) => !isInstalled(name));
    if (absent.length === 0) return [];
    const list = absent.join(', ');
    const fix = `Install the package ${packageName}, for example: sudo apt-get install ${packageName}.`;
    return [{ what: `Missing programs: ${list}.`, why: `${why} ${list}.`, fix }];
  });
}

function setting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function notLinux(): IsolationProblem {
  return {
    what: `Sandboxes need Linux; this is ${process.platform}.`,
    why: 'They are isolated with Linux namespaces.',
    fix: 'Use a Linux machine or virtual machine (on Windows: WSL 2), or real Modal: set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET for the gateway and leave MODAL_SERVER_URL unset.',
  };
}
