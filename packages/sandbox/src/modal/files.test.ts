import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModalSandboxes } from '../modal.ts';
import { type LocalSandbox, openLocalSandbox } from '../testing/local-sandbox.ts';

let local: LocalSandbox;
let sandboxes: ModalSandboxes;
let sandboxId: string;

beforeAll(async () => {
  local = await openLocalSandbox('files');
  ({ sandboxes, sandboxId } = local);
});
afterAll(() => local.close());

const sh = async (command: string) =>
  new TextDecoder().decode((await sandboxes.exec({ sandboxId, command })).stdout).trim();

describe('a file system without room', () => {
  it('is told as such, and keeps the file that was there', async () => {
    const path = '/dev/shm/file';
    await sandboxes.writeFile({ sandboxId, path, content: Buffer.from('old') });
    await sh('cat /dev/zero > /dev/shm/rest');
    for (const size of [30_000, 8_000_000]) {
      const content = new Uint8Array(size).fill(65);
      await expect(sandboxes.writeFile({ sandboxId, path, content })).rejects.toMatchObject({
        code: 'quota_exceeded',
        message: `${path}: could not be written: the sandbox has no room for it`,
      });
    }
    expect(await sh(`cat ${path}; ls -A /dev/shm`)).toBe('oldfile\nrest');
  });
});

describe('a file that is replaced', () => {
  it('is seen whole and with its permissions at every moment', async () => {
    const path = '/workspace/seen';
    const write = (letter: string) =>
      sandboxes.writeFile({ sandboxId, path, content: Buffer.from(letter.repeat(1000)) });
    await write('a');
    await sh(`chmod 2640 ${path}`);
    const look = `until [[ -e stop ]]; do stat -c '%a %s' ${path}; done | sort -u >looks; touch looked`;
    await sandboxes.startRun({ sandboxId, runId: 'look', command: look, timeoutMs: 60_000 });
    for (let round = 0; round < 40; round++) await write(round % 2 === 0 ? 'b' : 'c');
    await sh('touch stop; until [[ -e looked ]]; do sleep 0.02; done');
    expect(await sh('cat looks; ls -A | grep capstan')).toBe('2640 1000');
    expect(await sh(`cat ${path}`)).toBe('c'.repeat(1000));
  });

  it.each([0, 1])('is left as it was, and is alone, when mv does nothing and exits with %i', async (code) => {
    const path = '/workspace/left';
    const env = { PATH: '/workspace/bin:/usr/bin:/bin' };
    const { sandboxId: other } = await sandboxes.create({ name: `left-${code}`, env });
    const there = async (command: string) =>
      new TextDecoder().decode((await sandboxes.exec({ sandboxId: other, command })).stdout).trim();
    await sandboxes.writeFile({ sandboxId: other, path, content: Buffer.from('old') });
    await there(
      `mkdir bin; printf '#!/bin/sh\nexit ${code}\n' >bin/mv; printf '#!/bin/sh\nsleep 0.1\n' >bin/chmod; /bin/chmod +x bin/*`,
    );
    const write = sandboxes.writeFile({ sandboxId: other, path, content: Buffer.from('new') });
    await expect(write).rejects.toMatchObject({ code: 'forbidden' });
    expect(await there(`cat ${path}; ls -A`)).toBe('oldbin\nleft');
  });
});
