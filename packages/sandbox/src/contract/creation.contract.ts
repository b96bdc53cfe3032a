// What every implementation of the Sandboxes port keeps: making, finding and ending sandboxes.
import { describe, expect, it } from 'vitest';
import { OUTPUTS, UPLOADS, WORKSPACE } from '../port.ts';
import { newName, refuses, text, type World } from './world.contract.ts';

export function describeCreation(world: World): void {
  const { sh, start } = world;
  describe('create', () => {
    it('gives callers that race for a name one sandbox', async () => {
      const name = newName();
      const refs = await Promise.all([1, 2, 3, 4].map(() => world.sandboxes.create({ name })));
      expect(new Set(refs.map((ref) => ref.sandboxId)).size).toBe(1);
      expect(refs.filter((ref) => ref.created)).toHaveLength(1);
      expect(await world.sandboxes.create({ name })).toEqual({ ...refs[0], created: false });
      expect(await world.sandboxes.findByName(name)).toEqual({ ...refs[0], created: false });
      await world.sandboxes.terminate(refs[0]?.sandboxId ?? '');
    });

    it('makes the directories that agents are promised', async () => {
      expect(await sh('pwd')).toBe(`${WORKSPACE}\n`);
      for (const directory of [WORKSPACE, OUTPUTS, UPLOADS]) {
        expect(await sh(`touch ${directory}/x && rm ${directory}/x && echo ok`)).toBe('ok\n');
      }
    });

    it('gives every command the environment it was asked for', async () => {
      const env = { GREETING: 'hello you', state: 'mine', run: 'mine', code: '7' };
      const made = await world.sandboxes.create({ name: newName(), env });
      const command = 'echo "$GREETING $state $run $code"';
      const { stdout } = await world.sandboxes.exec({ sandboxId: made.sandboxId, command });
      expect(text(stdout)).toBe('hello you mine mine 7\n');
      const chunk = await start(command, { sandboxId: made.sandboxId });
      expect(text(chunk.bytes)).toBe('hello you mine mine 7\n');
      await world.sandboxes.terminate(made.sandboxId);
    });

    it('gives the live sandbox of a name as it is, whatever else is asked of it', async () => {
      const name = newName();
      const first = await world.sandboxes.create({ name, env: { KIND: 'first' }, timeoutMs: 120_000 });
      const again = await world.sandboxes.create({ name, image: 'debian:12', env: { KIND: 'second' } });
      expect(again).toEqual({ ...first, created: false });
      const missing = await world.sandboxes.create({ name, imageId: `im-${'0'.repeat(22)}` });
      expect(missing).toEqual({ ...first, created: false });
      const { stdout } = await world.sandboxes.exec({ sandboxId: first.sandboxId, command: 'echo $KIND' });
      expect(text(stdout)).toBe('first\n');
      await world.sandboxes.terminate(first.sandboxId);
    });

    it('tells when the lifetime ends, always the same', async () => {
      const name = newName();
      const before = Date.now();
      const made = await world.sandboxes.create({ name, timeoutMs: 90_000 });
      expect(made.expiresAt).toBeGreaterThanOrEqual(before + 90_000);
      expect(made.expiresAt).toBeLessThanOrEqual(Date.now() + 90_000);
      const { expiresAt, sandboxId } = made;
      expect(await world.sandboxes.status(sandboxId)).toEqual({ state: 'running', expiresAt });
      expect(await world.sandboxes.findByName(name)).toMatchObject({ expiresAt });
      await world.sandboxes.terminate(sandboxId);
    });

    it('reserves what was asked for, and refuses what the backend does not have', async () => {
      const { gpu, snapshots } = await world.sandboxes.capabilities();
      expect(snapshots).toBe(true);
      const { sandboxId } = await world.sandboxes.create({ name: newName(), cpu: 0.5, memoryMiB: 256 });
      const { stdout } = await world.sandboxes.exec({ sandboxId, command: 'echo works' });
      expect(text(stdout)).toBe('works\n');
      await world.sandboxes.terminate(sandboxId);
      if (!gpu)
        await expect(world.sandboxes.create({ name: newName(), gpu: 'T4' })).rejects.toThrow(/^gpu: /);
    });

    it('makes no sandbox when a variable has a name that commands could not be given', async () => {
      const name = newName();
      await expect(world.sandboxes.create({ name, env: { 'A-B': '1' } })).rejects.toThrow(/env: "A-B"/);
      expect(await world.sandboxes.findByName(name)).toBeNull();
    });

    it('refuses names that are none', async () => {
      await expect(world.sandboxes.create({ name: 'a b' })).rejects.toEqual(refuses('invalid'));
      await expect(world.sandboxes.create({ name: '' })).rejects.toThrow(/name: must be 1-64/);
    });
  });

  describe('a terminated sandbox', () => {
    it('is gone for every call, and its name is free again', async () => {
      const name = newName();
      const { sandboxId: ended } = await world.sandboxes.create({ name });
      await world.sandboxes.startRun({
        sandboxId: ended,
        runId: 'r',
        command: 'sleep 60',
        timeoutMs: 60_000,
      });
      const waiting = world.sandboxes.readRun({ sandboxId: ended, runId: 'r', offset: 0, waitMs: 30_000 });
      const refused = expect(waiting).rejects.toEqual(refuses('gone'));
      await world.sandboxes.terminate(ended);
      await refused;
      await world.sandboxes.terminate(ended);
      expect(await world.sandboxes.status(ended)).toMatchObject({ state: 'terminated' });
      const gone = refuses('gone');
      await expect(world.sandboxes.exec({ sandboxId: ended, command: 'true' })).rejects.toEqual(gone);
      await expect(world.sandboxes.readRun({ sandboxId: ended, runId: 'r', offset: 0 })).rejects.toEqual(
        gone,
      );
      await expect(world.sandboxes.readFile({ sandboxId: ended, path: '/etc/passwd' })).rejects.toEqual(gone);
      expect(await world.sandboxes.findByName(name)).toBeNull();
      const again = await world.sandboxes.create({ name });
      expect(again.created).toBe(true);
      expect(again.sandboxId).not.toBe(ended);
      expect((await world.sandboxes.list()).map((entry) => entry.sandboxId)).toContain(again.sandboxId);
      await world.sandboxes.terminate(again.sandboxId);
    }, 60_000);
  });

  it('tells an unknown sandbox from a terminated one', async () => {
    const unknown = `sb-${'A'.repeat(26)}`;
    await expect(world.sandboxes.status(unknown)).rejects.toEqual(refuses('not_found'));
    await expect(world.sandboxes.exec({ sandboxId: unknown, command: 'true' })).rejects.toEqual(
      refuses('not_found'),
    );
    await world.sandboxes.terminate(unknown);
  });

  it('asks the backend for its health', async () => {
    expect((await world.sandboxes.health()).detail).toMatch(/Modal/);
    expect(await world.sandboxes.status(world.sandboxId)).toMatchObject({ state: 'running' });
  });
}
