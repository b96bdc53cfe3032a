import type { Sandboxes } from '@capstan/sandbox/port';
import { silentLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type SandboxWorld, startSandboxWorld } from '../tools/testing.ts';
import { Outputs } from './outputs.ts';
import type { Output } from './session-files.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';

class CountedFiles extends MemoryFiles {
  calls = 0;
  atOnce = 0;
  mostAtOnce = 0;

  override async keep(given: readonly Output[]): Promise<void> {
    this.calls += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    await super.keep(given).finally(() => this.atOnce--);
  }
}

let world: SandboxWorld;
let sandboxId: string;
let files: CountedFiles;
let record: MemoryRecord;
let outputs: Outputs;

beforeAll(async () => {
  world = await startSandboxWorld('sesn_outputs');
  ({ sandboxId } = await world.sandboxes.create({ name: 'outputs' }));
});
afterAll(() => world.stop());
beforeEach(async () => {
  await sh('rm -rf /mnt/session/outputs && mkdir -p /mnt/session/outputs');
  [files, record] = [new CountedFiles(), new MemoryRecord()];
  outputs = waking();
});

const waking = (sandboxes = world.sandboxes) =>
  new Outputs({
    sandboxes: () => sandboxes,
    ...{ files, record, logger: silentLogger, clock: { now: () => Date.now() } },
  });
const sh = (command: string) => world.sandboxes.exec({ sandboxId, command, cwd: '/' });

it('many small ones are kept together, each once', async () => {
  await sh('cd /mnt/session/outputs; for i in {1..240}; do echo $i >$i; done');
  await outputs.flush(sandboxId);
  const texts = files.kept.map(({ path, text }) => text === `${path}\n` && path);
  expect(new Set(texts)).toEqual(new Set(Array.from({ length: 240 }, (_, index) => String(index + 1))));
  expect([files.kept.length, files.calls]).toEqual([240, 3]);
  await waking().flush(sandboxId);
  expect(files.kept).toHaveLength(240);
});

it('large ones are kept beside each other and beside small ones, each once', async () => {
  await sh(
    'cd /mnt/session/outputs; for i in {1..8}; do head -c 100000 /dev/zero | tr "\\0" $i >$i; echo $i >small$i; done',
  );
  await outputs.flush(sandboxId);
  const kept = files.kept.map(({ path, text, sizeBytes }) => `${path} ${text.charAt(0)} ${sizeBytes}`);
  const each = Array.from({ length: 8 }, (_, index) => index + 1);
  expect(kept.toSorted()).toEqual(
    [...each.map((i) => `${i} ${i} 100000`), ...each.map((i) => `small${i} ${i} 2`)].toSorted(),
  );
  expect(files.calls).toBe(9);
  expect(files.mostAtOnce).toBeGreaterThan(1);
});

it('what cannot be read with others is read alone, and what has changed is looked at again', async () => {
  await sh(
    'cd /mnt/session/outputs; head -c 60000 /dev/zero >zeros; echo a >a; echo b >b; echo gone >gone; echo old >new',
  );
  let read = false;
  const changing: Sandboxes = {
    ...world.sandboxes,
    exec: async (request, signal) => {
      const isFirst = !read && request.command.includes('./gone');
      read ||= isFirst;
      if (isFirst) await sh('cd /mnt/session/outputs; rm gone; echo newer >new');
      return world.sandboxes.exec(request, signal);
    },
  };
  outputs = waking(changing);
  await outputs.flush(sandboxId);
  const kept = () => files.kept.map(({ path, sizeBytes }) => [path, sizeBytes]).toSorted();
  expect([read, kept()]).toEqual([
    true,
    [
      ['a', 2],
      ['b', 2],
      ['zeros', 60_000],
    ],
  ]);
  await outputs.flush(sandboxId);
  expect(kept()).toEqual([
    ['a', 2],
    ['b', 2],
    ['new', 6],
    ['zeros', 60_000],
  ]);
});

it('are kept under whatever name they have', async () => {
  const names = ['-n', ' a\nb ', 'end\n', 'sub\n/-dir/*"\'$(id)', '~', '\\x41', '..a/...'];
  for (const name of names)
    await world.sandboxes.writeFile({
      ...{ sandboxId, path: `/mnt/session/outputs/${name}` },
      content: new TextEncoder().encode(name),
    });
  await outputs.flush(sandboxId);
  expect(files.kept.map(({ path, text }) => [path, text]).toSorted()).toEqual(
    names.map((name) => [name, name]).toSorted(),
  );
});

it('what is beyond the names of a session is not kept, and named once', async () => {
  const before = Array.from({ length: 999 }, (_, index) => [`before/${index}`, '1 1']);
  record.save('outputs', JSON.stringify(Object.fromEntries(before)));
  outputs = waking();
  await sh('cd /mnt/session/outputs; echo a >a; echo b >b');
  await outputs.flush(sandboxId);
  expect(files.kept).toHaveLength(1);
  const [kept, other] = files.kept[0]?.path === 'a' ? ['a', 'b'] : ['b', 'a'];
  expect(outputs.takeNotes()).toEqual([
    `Note: /mnt/session/outputs/${other} is not kept as a file of the session: the session has kept 1000 of them.`,
  ]);
  await sh(`cd /mnt/session/outputs; echo more >>${kept}`);
  await outputs.flush(sandboxId);
  expect([files.kept.length, outputs.takeNotes()]).toEqual([2, []]);
});

it('what is too large, or has a name that is not UTF-8, is not kept, and named', async () => {
  await sh(`cd /mnt/session/outputs; truncate -s 501M large; echo x >$'odd\\xff'; echo y >fine`);
  await outputs.flush(sandboxId);
  expect(files.kept.map(({ path }) => path)).toEqual(['fine']);
  expect(outputs.takeNotes().toSorted()).toEqual([
    'Note: /mnt/session/outputs/large is not kept as a file of the session: it has more than 500 MiB.',
    'Note: /mnt/session/outputs/odd\ufffd is not kept as a file of the session: its name is not UTF-8.',
  ]);
  await sh('truncate -s 502M /mnt/session/outputs/large');
  await outputs.flush(sandboxId);
  expect(outputs.takeNotes()).toEqual([]);
});
