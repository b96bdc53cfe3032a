import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run } from './command.ts';
import { parseFlags } from './flags.ts';
import { buildIfChanged, hashOf } from './inputs.ts';
import { freePort } from './port.ts';
import { clearState, openState, secretsOf } from './state.ts';
import { scratchDir } from './testing.ts';

describe('flags', () => {
  it('have defaults', () => {
    expect(parseFlags([], '/repo')).toMatchObject({ port: 8787, reset: false, stateDir: '/repo/.capstan' });
  });

  it('are read with or without the separator people type before them', () => {
    for (const argv of [
      ['--port', '1', '--reset'],
      ['--', '--port', '1', '--reset'],
    ])
      expect(parseFlags(argv, '/repo')).toMatchObject({ port: 1, reset: true });
  });

  it.each(['abc', '-1', '65536', '1.5'])('refuse the port %s', (port) => {
    expect(() => parseFlags([`--port=${port}`], '/repo')).toThrow('--port must be a number');
  });

  it('refuse what does not exist, listing what does', () => {
    expect(() => parseFlags(['--prot', '1'], '/repo')).toThrow(
      expect.objectContaining({ way: expect.stringContaining('--port N') }),
    );
  });
});

describe('a port', () => {
  it('that is taken is refused in one line that names another', async () => {
    const taken = createServer();
    onTestFinished(() => void taken.close());
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(freePort(port)).rejects.toMatchObject({
      message: `Port ${port} is taken by another program.`,
    });
  });

  it('is chosen by the system when asked for 0, and free', async () => {
    const port = await freePort(0);
    expect(await freePort(port)).toBe(port);
  });
});

describe('secrets', () => {
  it('are made once, readable by the owner alone, and kept', () => {
    const state = openState(join(scratchDir(), 'state'));
    const secrets = secretsOf(state);
    expect(secrets.apiKey).toMatch(/^ck_dev_[0-9a-f]{40}$/);
    expect(secretsOf(state)).toEqual(secrets);
    expect(statSync(join(state.dir, 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(statSync(state.dir).mode & 0o777).toBe(0o700);
  });

  it('are new after a reset', () => {
    const state = openState(join(scratchDir(), 'state'));
    const { apiKey } = secretsOf(state);
    clearState(state);
    expect(secretsOf(state).apiKey).not.toBe(apiKey);
  });

  it('that cannot be read are refused with the way out', () => {
    const state = openState(join(scratchDir(), 'state'));
    writeFileSync(join(state.dir, 'secrets.json'), '{"apiKey":1}');
    expect(() => secretsOf(state)).toThrow('cannot be read as the secrets');
  });
});

describe('a build', () => {
  const project = () => {
    const dir = scratchDir();
    mkdirSync(join(dir, 'src'));
    writeFileSync(join(dir, 'src/a.ts'), 'one');
    const result = join(dir, 'result');
    let runs = 0;
    const build = () =>
      buildIfChanged(
        { name: 'sample', inputs: [join(dir, 'src'), join(dir, 'none')], result, marks: dir },
        async () => {
          runs += 1;
          writeFileSync(result, '');
        },
      );
    return { dir, result, build, runs: () => runs };
  };

  it('runs once while its inputs stay the same', async () => {
    const { build, runs } = project();
    expect([await build(), await build()]).toEqual([true, false]);
    expect(runs()).toBe(1);
  });

  it('runs again when a file changes, appears or is renamed, but not for a test', async () => {
    const { dir, build } = project();
    await build();
    writeFileSync(join(dir, 'src/a.ts'), 'two');
    expect(await build()).toBe(true);
    writeFileSync(join(dir, 'src/b.ts'), '');
    expect(await build()).toBe(true);
    writeFileSync(join(dir, 'src/b.test.ts'), '');
    expect(await build()).toBe(false);
  });

  it('runs again after a failure', async () => {
    const { dir, result } = project();
    const step = { name: 'failing', inputs: [join(dir, 'src')], result, marks: dir };
    await expect(buildIfChanged(step, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await buildIfChanged(step, async () => writeFileSync(result, ''))).toBe(true);
  });

  it('tells contents apart that only moved between files', () => {
    const [one, two] = [scratchDir(), scratchDir()];
    writeFileSync(join(one, 'a'), 'xy');
    writeFileSync(join(two, 'a'), 'x');
    writeFileSync(join(two, 'b'), 'y');
    expect(hashOf([one])).not.toBe(hashOf([two]));
  });
});

describe('a command', () => {
  it('that fails says what it was for and the last it printed', async () => {
    const failing = run({ argv: ['sh', '-c', 'echo the reason >&2; exit 4'], cwd: '/', purpose: 'Trying' });
    await expect(failing).rejects.toMatchObject({
      message: 'Trying failed (exit 4).',
      way: 'It said:\nthe reason',
    });
  });
});
