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
      level: 'none',
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
      level: 'none',
      problems: [
        {
          what: 'The kernel does not let this user make the namespaces a sandbox is isolated with.',
          why: 'user.max_user_namespaces is 0.',
          fix: expect.stringContaining('sudo sysctl user.max_user_namespaces='),
        },
      ],
    });
  });
});

/** What checkIsolation says in namespaces of its own, once `script` has changed them. */
function checkBehind(namespaces: string[], script: string): unknown {
  const ask = `import('${PREFLIGHT}').then(async (m) => console.log(JSON.stringify(await m.checkIsolation())))`;
  const command = ['bash', '-c', script, 'bash', process.execPath, '-e', ask];
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit'];
  return JSON.parse(execFileSync('unshare', [...namespaces, ...command], { encoding: 'utf8', stdio }));
}
