// What commands can do to a sandbox so that nothing can be done in it any more, and how that is told.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModalSandboxes } from '../modal.ts';
import { type LocalSandbox, openLocalSandbox } from '../testing/local-sandbox.ts';

let local: LocalSandbox;
let sandboxes: ModalSandboxes;

beforeAll(async () => {
  local = await openLocalSandbox('preparation');
  ({ sandboxes } = local);
}, 120_000);
afterAll(() => local.close());

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A sandbox in which one command has run. */
async function after(command: string) {
  const { sandboxId } = await sandboxes.create({ name: `preparation-${crypto.randomUUID()}` });
  const start = (runId: string, script: string) =>
    sandboxes.startRun({ sandboxId, runId, command: script, timeoutMs: 60_000, waitMs: 60_000 });
  const done = await start('first', command);
  return {
    sandboxId,
    done,
    run: (script: string) => start(`run-${crypto.randomUUID()}`, script),
    exec: () => sandboxes.exec({ sandboxId, command: ['bash', '-c', 'echo still'], cwd: '/' }),
    snapshot: () => sandboxes.snapshot({ sandboxId, snapshotId: 'snap_1' }),
    end: () => sandboxes.terminate(sandboxId),
  };
}

const unusable = (lacks: string) => ({
  name: 'SandboxError',
  code: 'unusable',
  message: expect.stringContaining(`lacks ${lacks}`),
});

const STATE_DIRECTORIES = '/var/tmp/.capstan/runs /var/tmp/.capstan/shells';

describe('a sandbox that lives', () => {
  it.each([
    ['its shell may not be run', 'chmod 000 /bin/bash', 'bash'],
    ['its programs are gone', 'echo kept; rm -rf /usr/bin /bin 2>/dev/null; exit 3', 'bash'],
    ['a program that runs need is gone', 'rm /usr/bin/cat', 'cat'],
    ['a file is where its runs belong', 'rm -rf /var/tmp/.capstan; >/var/tmp/.capstan', STATE_DIRECTORIES],
  ])(
    'is unusable when %s, and is not photographed',
    async (_, command, lacks) => {
      const { run, snapshot, end } = await after(command);
      await expect(run('echo more')).rejects.toMatchObject(unusable(lacks));
      await expect(snapshot()).rejects.toMatchObject(unusable(lacks));
      await end();
    },
    120_000,
  );

  it('tells of its last command what is known, though it is unusable', async () => {
    const { sandboxId, done, exec, end } = await after('echo kept; chmod 000 /bin/bash; exit 127');
    await expect(exec()).rejects.toMatchObject(unusable('bash'));
    const again = await sandboxes.readRun({ sandboxId, runId: 'first', offset: 0 });
    for (const chunk of [done, again]) {
      expect(chunk.outcome).toEqual({ state: 'exited', exitCode: 127 });
      expect(text(chunk.bytes)).toBe('kept\n');
    }
    await end();
  }, 120_000);

  it.each([
    ['its directories are gone', 'rm -rf /var/tmp /workspace /mnt/session'],
    ['a command is not found', 'no-such-command 2>/dev/null'],
  ])(
    'is used on when %s',
    async (_, command) => {
      const { run, exec, snapshot, end } = await after(command);
      expect(text((await run('echo more')).bytes)).toBe('more\n');
      expect(text((await exec()).stdout)).toBe('still\n');
      const { imageId } = await snapshot();
      await sandboxes.deleteImage(imageId);
      await end();
    },
    120_000,
  );

  it('is full, and not unusable, when it lacks nothing and no program comes to its end', async () => {
    // As where there is no process or memory left.
    const { snapshot, run, end } = await after("printf '#!/bin/false' >/usr/bin/mkdir");
    await expect(snapshot()).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(text((await run('echo more')).bytes)).toBe('more\n');
    await end();
  }, 120_000);
});

it('what is made from an image without a shell of its own is unusable from the start', async () => {
  const { imageId } = await sandboxes.buildImage({ lines: ['RUN rm /usr/bin/mkfifo'] });
  const name = `preparation-${crypto.randomUUID()}`;
  await expect(sandboxes.create({ name, imageId })).rejects.toMatchObject(unusable('mkfifo'));
  await sandboxes.terminate((await sandboxes.findByName(name))?.sandboxId ?? '');
}, 120_000);
