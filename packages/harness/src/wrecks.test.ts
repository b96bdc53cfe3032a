// Sandboxes that live and cannot be used any more, and what becomes of their sessions.
import { REST_MS } from '@capstan/sandbox/lifecycle';
import { silentLogger } from '@capstan/shared/logger';
import { beforeEach, describe, expect, it } from 'vitest';
import { SessionSandbox } from './session-sandbox.ts';
import { MemoryFacts, sandboxDeps } from './testing/memory-facts.ts';
import { ScriptedSandboxes } from './testing/scripted-sandboxes.ts';

let world: ScriptedSandboxes;
let facts: MemoryFacts;
beforeEach(() => {
  world = new ScriptedSandboxes();
  facts = new MemoryFacts();
});

/** The sandbox as a process that has just woken has it. */
function wake(): SessionSandbox {
  const port = world.port();
  const clock = { now: () => world.now };
  return new SessionSandbox(sandboxDeps({ sandboxes: () => port, logger: silentLogger, clock, facts }));
}

/** A call that reads what another one wrote. */
const read = (sandbox: SessionSandbox) =>
  sandbox.use((sandboxId) => world.port().readFile({ sandboxId, path: '/a' }).catch(unlessMissing), {
    changes: false,
  });

function unlessMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'file_not_found') return null;
  throw error;
}

const change = (sandbox: SessionSandbox, text: string) =>
  sandbox.use(async () => world.write('/a', text), { changes: true });

async function rest(sandbox: SessionSandbox): Promise<void> {
  sandbox.follow({ since: world.now, upTo: 'sevt_1' });
  world.now += REST_MS;
  await sandbox.care();
}

async function photographed(): Promise<SessionSandbox> {
  const sandbox = wake();
  await change(sandbox, 'kept');
  await rest(sandbox);
  sandbox.follow({ since: null, upTo: 'sevt_1' });
  return sandbox;
}

const wreck = () => {
  world.last.whole = false;
};

const told = (sandbox: SessionSandbox) =>
  sandbox.news().flatMap((news) => (news.kind === 'replaced' ? [news.replacement] : []));

const refused = (sandbox: SessionSandbox, code = 'unusable') =>
  expect(read(sandbox)).rejects.toMatchObject({ code });

describe('a sandbox that lives and cannot be used any more', () => {
  it('is ended and brought back from its snapshot, and the news say what came back and what did not', async () => {
    const sandbox = await photographed();
    await change(sandbox, 'later');
    wreck();
    await refused(sandbox);
    await read(sandbox);
    expect([world.read('/a'), world.live.map(({ id }) => id)]).toEqual(['kept', [world.last.id]]);
    const lost = { files: 'since_snapshot', processes: true };
    expect(told(sandbox)).toMatchObject([{ restored: { snapshot_taken_at: expect.any(String) }, lost }]);
  });

  it('is made anew when there is no snapshot of it', async () => {
    const sandbox = wake();
    await change(sandbox, 'gone');
    wreck();
    await refused(sandbox);
    await read(sandbox);
    expect([world.read('/a'), world.live.length]).toEqual([null, 1]);
    expect(told(sandbox)).toEqual([{ restored: null, lost: { files: 'all', processes: true } }]);
  });

  it('is not photographed over the last snapshot, and is ended once its session rests', async () => {
    const sandbox = await photographed();
    const { snapshot } = facts.record;
    await change(sandbox, 'later');
    wreck();
    await rest(sandbox);
    expect([facts.record.snapshot, world.live, sandbox.careAt()]).toEqual([snapshot, [], null]);
    await read(wake());
    expect(world.read('/a')).toBe('kept');
  });

  it('is ended also when it is found as it is to be photographed', async () => {
    const sandbox = wake();
    await change(sandbox, 'gone');
    world.fails.set('snapshot', 'unusable');
    await rest(sandbox);
    world.fails.clear();
    expect([facts.record.snapshot, facts.record.taking, world.live]).toEqual([null, null, []]);
    await read(sandbox);
    expect(told(sandbox)).toMatchObject([{ lost: { files: 'all' } }]);
  });

  it('is not ended before the calls under way in it have their outcome; who needs another one waits', async () => {
    const sandbox = wake();
    let finish = () => {};
    const long = sandbox.use(() => new Promise<string>((resolve) => (finish = () => resolve('outcome'))), {
      changes: true,
    });
    await sandbox.acquire();
    wreck();
    await refused(sandbox);
    const next = read(sandbox).then(() => world.last.id);
    sandbox.follow({ since: world.now - REST_MS, upTo: 'sevt_1' });
    await sandbox.care();
    expect(world.live.map(({ id }) => id)).toEqual(['sb-1']);
    finish();
    expect(await long).toBe('outcome');
    expect([await next, world.live.length]).toEqual(['sb-2', 1]);
  });

  it('is ended by the next process when the one that came upon it dies', async () => {
    const dying = wake();
    await change(dying, 'gone');
    wreck();
    await refused(dying);
    await read(wake());
    expect(world.live.map(({ id }) => id)).toEqual(['sb-2']);
  });

  it('is asked for the snapshot that was taken of it before, and was not recorded', async () => {
    const dying = wake();
    await change(dying, 'kept');
    const { record } = facts;
    facts.save = (next) => {
      if (next.snapshot !== null) throw new Error('the process is gone');
      facts.record = next;
    };
    await expect(rest(dying)).rejects.toThrow('the process is gone');
    Reflect.deleteProperty(facts, 'save');
    expect([record.snapshot, facts.record.snapshot, world.images.size]).toEqual([null, null, 1]);
    wreck();
    const sandbox = wake();
    await refused(sandbox);
    await read(sandbox);
    expect(world.read('/a')).toBe('kept');
  });

  it('is replaced once more when the next is wrecked too, and then not before somebody says something', async () => {
    const sandbox = wake();
    await change(sandbox, 'gone');
    const wreckEach = () =>
      sandbox.use(
        async (sandboxId) => {
          wreck();
          return world.port().readFile({ sandboxId, path: '/a' });
        },
        { changes: true },
      );
    for (const code of ['unusable', 'unusable', 'misconfigured', 'misconfigured'])
      await expect(wreckEach()).rejects.toMatchObject({ code });
    expect(world.boxes).toHaveLength(2);
    sandbox.retry();
    for (const code of ['unusable', 'misconfigured'])
      await expect(wreckEach()).rejects.toMatchObject({ code });
    sandbox.retry();
    await change(sandbox, 'at last');
    expect([world.boxes.length, world.live.length]).toEqual([4, 1]);
  });
});

describe('a sandbox that never could be used', () => {
  it('is no wreck: its session is told what its image lacks, and nothing is left', async () => {
    world.wrecks.add(undefined);
    const sandbox = wake();
    await refused(sandbox, 'misconfigured');
    expect([world.boxes.length, world.live, facts.record.live]).toEqual([1, [], null]);
  });

  it('because its snapshot is of a wreck is made anew, and all is told to be lost', async () => {
    await photographed();
    world.wrecks.add(facts.record.snapshot?.imageId);
    world.last.alive = false;
    const sandbox = wake();
    await read(sandbox);
    expect([world.read('/a'), world.live.length, facts.record.snapshot]).toEqual([null, 1, null]);
    expect(told(sandbox)).toEqual([{ restored: null, lost: { files: 'all', processes: false } }]);
    await rest(sandbox);
    expect(world.images.size).toBe(0);
  });
});
