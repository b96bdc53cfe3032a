import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { checkIsolation } from './preflight.ts';

const PREFLIGHT = new URL('./preflight.ts', import.meta.url).href;

describe('checkIsolation', () => {
  it('finds that this machine isolates sandboxes', async () => {
    expect(await checkIsolation()).toEqual({ level: 'namespaces', problems: [] });
  });

  it('names the setting that forbids user namespaces, and how to change it', () => {
    const ask = `import('${PREFLIGHT}').then(async (m) => console.log(JSON.stringify(await m.checkIsolation())))`;
    const script = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
    const output = execFileSync(
      'unshare',
      ['--user', '--map-root-user', 'sh', '-c', script, 'sh', process.execPath, '-e', ask],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    );
    expect(JSON.parse(output)).toEqual({
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
