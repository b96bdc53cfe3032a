// What every implementation of the Sandboxes port keeps: snapshots, and what is made from them.
import { describe, expect, it } from 'vitest';
import { isSandboxError } from '../error.ts';
import { WORKSPACE } from '../port.ts';
import { maker, refuses, text, type World } from './world.contract.ts';

/** Whole file systems take their time where they are not on this machine. */
const TIMEOUT = 10 * 60 * 1000;

export function describeSnapshots(world: World): void {
  const make = maker(world);

  describe('snapshots', { timeout: TIMEOUT }, () => {
    const LOOK = `cd ${WORKSPACE} && find . -printf '%P %y %m %l %s\\n' | grep -v '^ d' | sed 's/ 4096$//' | sort; cat 'a b/one' "$(printf 'new\\nline')"; sha256sum large; stat -c %Y 'a b/one'; ls /opt`;

    it('bring back files with their names, modes, times and links, and not what was deleted', async () => {
      const first = await make();
      await first.sh(`mkdir -p /opt; echo 1 > /opt/deleted; echo 2 > /opt/stays; umask 022; mkdir -p 'a b/empty'; echo one > 'a b/one'; echo two > "$(printf 'new\\nline')"
        chmod 640 'a b/one'; chmod 750 'a b'; touch -d @1600000000 'a b/one'; ln -s '../a b/one' 'a b/link'; ln -s /nowhere dangling
        head -c 3000000 /dev/urandom > large; chmod +x large`);
      const seen = await first.sh(LOOK);
      const { imageId } = await world.sandboxes.snapshot({ ...first, snapshotId: 's1' });
      await first.sh('echo later > later; rm large');
      await first.end();
      const second = await make({ imageId });
      expect(await second.sh(LOOK)).toBe(seen);
      expect(seen).toContain('deleted\nstays\n');
      // What was restored can be changed, snapshot and restored again.
      expect(
        await second.sh(`echo more >> 'a b/one' && rm -r 'a b/empty' /opt/deleted && echo changed`),
      ).toBe('changed\n');
      const further = await world.sandboxes.snapshot({ ...second, snapshotId: 's1' });
      await second.end();
      const third = await make(further);
      expect(await third.sh(`tail -1 'a b/one'; ls 'a b' /opt`)).toBe(
        'more\n/opt:\nstays\n\na b:\nlink\none\n',
      );
      await third.end();
      for (const id of [imageId, further.imageId]) await world.sandboxes.deleteImage(id);
    });

    it('bring back where the shells were', async () => {
      const first = await make();
      const say = (sandboxId: string, command: string) =>
        world.sandboxes.startRun({
          sandboxId,
          runId: `run-${crypto.randomUUID()}`,
          command,
          shell: 'main',
          timeoutMs: 20_000,
          waitMs: 15_000,
        });
      await say(first.sandboxId, 'mkdir -p deep && cd deep && export WORD="two words"');
      const snapshot = await world.sandboxes.snapshot({ ...first, snapshotId: 's1' });
      await first.end();
      const second = await make(snapshot);
      const { bytes } = await say(second.sandboxId, 'pwd; echo "$WORD"');
      expect(text(bytes)).toBe(`${WORKSPACE}/deep\ntwo words\n`);
      await second.end();
      await world.sandboxes.deleteImage(snapshot.imageId);
    });

    it('hold no command: one that ran goes on where it was, and is over where it is brought back', async () => {
      const first = await make();
      const run = { runId: 'going', command: 'echo begun; sleep 300', timeoutMs: 300_000 };
      await world.sandboxes.startRun({ ...run, sandboxId: first.sandboxId });
      await world.sandboxes.readRun({ ...first, runId: 'going', offset: 0, until: 'output', waitMs: 10_000 });
      const snapshot = await world.sandboxes.snapshot({ ...first, snapshotId: 's1' });
      const there = await world.sandboxes.readRun({ ...first, runId: 'going', offset: 0 });
      expect(there.outcome).toEqual({ state: 'running' });
      const second = await make(snapshot);
      const here = await world.sandboxes
        .readRun({ sandboxId: second.sandboxId, runId: 'going', offset: 0, waitMs: 5_000 })
        .then(({ outcome }) => outcome.state)
        .catch((error: unknown) => (isSandboxError(error) ? error.code : error));
      expect(['lost', 'not_found']).toContain(here);
      expect(await second.sh('pgrep -f "sleep 30[0]" || echo none')).toBe('none\n');
      await first.end();
      await second.end();
      await world.sandboxes.deleteImage(snapshot.imageId);
    });

    it('are taken once for one snapshotId, however many ask', async () => {
      const { sandboxId, sh, end } = await make();
      const take = (snapshotId: string) => world.sandboxes.snapshot({ sandboxId, snapshotId });
      const [one, twin] = await Promise.all([take('one'), take('one')]);
      await sh('echo changed > file');
      expect(twin).toEqual(one);
      expect(await take('one')).toEqual(one);
      const two = await take('two');
      expect(two).not.toEqual(one);
      await end();
      for (const { imageId } of [one, two]) await world.sandboxes.deleteImage(imageId);
      await expect(take('three')).rejects.toEqual(refuses('gone'));
      const unknown = { sandboxId: `sb-${'A'.repeat(26)}`, snapshotId: 'one' };
      await expect(world.sandboxes.snapshot(unknown)).rejects.toEqual(refuses('not_found'));
    });
  });
}
