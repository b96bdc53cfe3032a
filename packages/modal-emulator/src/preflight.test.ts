import { execFileSync, type StdioOptions } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { checkIsolation } from './preflight.ts';

const PREFLIGHT = new URL('./preflight.ts', import.meta.url).href;

describe('checkIsolation', () => {
  it('finds that this machine isolates sandboxes', async () => {
    expect(await checkIsolation()).toEqual({ level: 'namespaces', problems: [] });
  });

  it('names the interpreters of which one has to be there, and the package to install', () => {
    // Something that cannot be executed lies over each, in a mount namespace of the test.
    const hide =
      'for p in /{usr/local/,usr/,}{sbin,bin}/{perl,python3}; do [ ! -e $p ] || mount --bind /dev/null $p; done; exec "$@"';
    expect(
      checkBehind(process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount'], hide),
    ).toEqual({
      level: 'refused',
      problems: [
        {
          what: 'Sandboxes cannot be kept from the system calls that no namespace confines.',
          why: expect.stringMatching(/^Neither perl nor python3 is in a system directory/),
          fix: expect.stringContaining('apt-get install perl-base'),
        },
      ],
    });
  });

  it('names the setting that forbids user namespaces, and how to change it', () => {
    const forbid = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
    expect(checkBehind(['--user', '--map-root-user'], forbid)).toEqual({
      level: 'refused',
      problems: [
        {
          what: 'The kernel does not let this user make the namespaces a sandbox is isolated with.',
          why: 'user.max_user_namespaces is 0.',
          fix: expect.stringContaining('sudo sysctl user.max_user_namespaces='),
        },
      ],
    });
  });

  it('names the ways out, and takes none of them unasked', () => {
    const forbid = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
    const refused = checkBehind(['--user', '--map-root-user'], forbid);
    expect(JSON.stringify(refused)).toMatch(/container or virtual machine .* SANDBOX_ISOLATION=none/);
    const behind = (wanted: string) =>
      checkBehind(['--user', '--map-root-user'], `export SANDBOX_ISOLATION=${wanted}; ${forbid}`);
    expect(behind('none')).toMatchObject({
      level: 'none',
      problems: { 0: { why: 'user.max_user_namespaces is 0.' } },
    });
    expect(behind('docker')).toMatchObject({
      level: 'refused',
      problems: [{ what: 'SANDBOX_ISOLATION is "docker".' }],
    });
  });

  it('isolates where it can, also when it need not', async () => {
    expect(await checkIsolation('none')).toEqual({ level: 'namespaces', problems: [] });
  });
});

/** What checkIsolation says in namespaces of its own, once `script` has changed them. */
function checkBehind(namespaces: string[], script: string): unknown {
  const ask = `import('${PREFLIGHT}').then(async (m) => console.log(JSON.stringify(await m.checkIsolation(process.env.SANDBOX_ISOLATION))))`;
  const command = ['bash', '-c', script, 'bash', process.execPath, '-e', ask];
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit'];
  return JSON.parse(execFileSync('unshare', [...namespaces, ...command], { encoding: 'utf8', stdio }));
}
