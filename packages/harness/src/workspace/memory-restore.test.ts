// Memory directories of sandboxes that were brought back from a snapshot or replaced: real parts, and every order in which
// what the store and the directory know of each other can come apart.
import { SandboxError } from '@capstan/sandbox/error';
import type { Sandboxes } from '@capstan/sandbox/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld, textOf } from '../tools/testing.ts';
import { MemoryStoreDouble } from './memory-testing.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';

const HOME = '/mnt/memory/notes';
let world: SandboxWorld;
let store: MemoryStoreDouble;
let record: MemoryRecord;
let tools: ReturnType<SandboxWorld['wake']>;

beforeAll(async () => {
  world = await startSandboxWorld('sesn_restored', 0);
});
afterAll(() => world.stop());
beforeEach(async () => {
  await tools?.release();
  store = new MemoryStoreDouble();
  record = new MemoryRecord();
  wake();
});

function wake(through: Sandboxes = world.sandboxes): void {
  const parts = { files: new MemoryFiles(), record, memories: store.for('session') };
  tools = world.wake(through, parts);
}

const bash = async (command: string) => textOf(await tools.perform(callOf('bash', { command }), NEVER));
const texts = () => Object.fromEntries([...store.texts].map(([path, { content }]) => [path, content]));
const listed = () => bash(`cd ${HOME}; for f in $(find . -type f | sort); do echo "$f $(cat $f)"; done`);
const sandboxId = () => world.remembered.sandboxId ?? '';
const write = (path: string, text: string) =>
  world.sandboxes.writeFile({ sandboxId: sandboxId(), path: `${HOME}${path}`, content: Buffer.from(text) });

/** The session rests, and its sandbox is photographed. */
async function photograph(): Promise<void> {
  const before = world.remembered.record.snapshot?.imageId;
  tools.follow({ since: Date.now(), upTo: null });
  await tools.care();
  expect(world.remembered.record.snapshot?.imageId).not.toBe(before);
  tools.follow({ since: null, upTo: null });
}

/** The sandbox ends with nobody asked, and another process wakes. */
async function lose(through?: Sandboxes): Promise<void> {
  await world.sandboxes.terminate(sandboxId());
  wake(through);
  store.log = [];
}

describe('the memory directory of a sandbox that was brought back', { timeout: 60_000 }, () => {
  it('has what the store has, and nothing is written for it', async () => {
    store.put('/changed.md', 'one');
    store.put('/deleted.md', 'old');
    store.put('/same.md', 'same');
    await bash('true');
    await photograph();
    await bash(
      `cd ${HOME}; echo two >changed.md; rm deleted.md; mkdir d; echo new >d/new.md; mv same.md moved.md`,
    );
    store.put('/theirs.md', 'theirs');
    const before = texts();
    await lose();
    expect(await listed()).toMatch(
      /\.\/changed\.md two\n\.\/d\/new\.md new\n\.\/moved\.md same\n\.\/theirs\.md theirs\n$/,
    );
    expect([texts(), store.log]).toEqual([before, []]);
    await bash('true');
    expect(store.log).toEqual([]);
  });

  it('gives the store what only the snapshot has', async () => {
    store.put('/a.md', 'one');
    await bash('true');
    await write('/kept.md', 'kept');
    await write('/late.md', 'late\n');
    record = new MemoryRecord();
    wake();
    await photograph();
    await lose();
    await bash('true');
    expect(texts()).toEqual({ '/a.md': 'one', '/kept.md': 'kept', '/late.md': 'late\n' });
    expect(store.log.toSorted()).toEqual(['session wrote /kept.md', 'session wrote /late.md']);
  });

  it('keeps what both have changed since, the agent’s beside it', async () => {
    store.put('/a.md', 'one');
    await bash('true');
    await write('/a.md', 'mine');
    record = new MemoryRecord();
    wake();
    await photograph();
    store.put('/a.md', 'theirs');
    await lose();
    expect(await bash(`cat ${HOME}/a.md /mnt/memory-conflicts/notes/a.md`)).toMatch(/theirsmine$/);
    expect([texts(), store.log]).toEqual([{ '/a.md': 'theirs' }, []]);
  });

  it('comes from the store alone where there was no snapshot', async () => {
    await bash(`echo one >${HOME}/a.md; echo two >${HOME}/b.md`);
    store.remove('/b.md');
    await lose();
    expect(await listed()).toMatch(/\.\/a\.md one\n$/);
    expect([texts(), store.log]).toEqual([{ '/a.md': 'one\n' }, []]);
  });

  it('brings nothing back that others delete while it is brought there, wherever its process dies', async () => {
    store.put('/a.md', 'one');
    await bash('true');
    store.put('/theirs.md', 'theirs');
    // It is in the directory, and nothing says so: the process died in between.
    let applied = false;
    wake({
      ...world.sandboxes,
      exec: async (request, signal) => {
        const said = await world.sandboxes.exec(request, signal);
        applied ||= String(request.command).includes('mv -fT');
        if (applied) throw new SandboxError('unavailable', 'The process dies here');
        return said;
      },
    });
    await bash('true');
    expect(applied).toBe(true);
    store.remove('/theirs.md');
    wake();
    store.log = [];
    expect(await listed()).toMatch(/^\.\/a\.md one\n$/m);
    expect([texts(), store.log]).toEqual([{ '/a.md': 'one' }, []]);
  });

  it('brings nothing back that others delete between a write and the next look', async () => {
    await bash('true');
    const session = store.for('session');
    const memories = {
      ...session,
      create: async (...given: Parameters<typeof session.create>) => {
        const done = await session.create(...given);
        store.remove(given[1].path);
        return done;
      },
    };
    tools = world.wake(world.sandboxes, { files: new MemoryFiles(), record, memories });
    await bash(`echo mine >${HOME}/a.md`);
    expect(texts()).toEqual({});
    expect(store.log).toEqual(['session wrote /a.md', 'api removed /a.md']);
    expect(await bash(`ls ${HOME}`)).toBe('(no output)');
  });
});
