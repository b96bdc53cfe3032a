import { silentLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type SandboxWorld, startSandboxWorld } from '../tools/testing.ts';
import { Outputs } from './outputs.ts';
import type { Output } from './session-files.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';

class CountedFiles extends MemoryFiles {
  atOnce = 0;
  mostAtOnce = 0;

  override async keep(output: Output): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    await super.keep(output).finally(() => this.atOnce--);
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

const waking = () =>
  new Outputs({
    sandboxes: () => world.sandboxes,
    ...{ files, record, logger: silentLogger, clock: { now: () => Date.now() } },
  });
const sh = (command: string) => world.sandboxes.exec({ sandboxId, command, cwd: '/' });

it('many are kept beside each other, each once', async () => {
  await sh('cd /mnt/session/outputs; for i in {1..40}; do echo $i >$i; done');
  await outputs.flush(sandboxId);
  const texts = files.kept.map(({ path, text }) => text === `${path}\n` && path);
  expect(new Set(texts)).toEqual(new Set(Array.from({ length: 40 }, (_, index) => String(index + 1))));
  expect(files.kept).toHaveLength(40);
  expect(files.mostAtOnce).toBeGreaterThan(1);
  await outputs.flush(sandboxId);
  expect(files.kept).toHaveLength(40);
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
