import type { Exec, Sandboxes } from '@capstan/sandbox/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld } from '../tools/testing.ts';
import { MemoryStoreDouble } from './memory-testing.ts';
import { MemoryWatch } from './memory-watch.ts';
import { MemoryFiles, MemoryRecord } from './testing.ts';

const HOME = '/mnt/memory/notes';

describe('while a call works, a memory store', { timeout: 60_000 }, () => {
  let world: SandboxWorld;
  let store: MemoryStoreDouble;
  let tools: ReturnType<SandboxWorld['wake']>;
  let looks: string[];

  beforeAll(async () => {
    world = await startSandboxWorld('sesn_glance');
  });
  afterAll(() => world.stop());
  beforeEach(async () => {
    await tools?.release();
    store = new MemoryStoreDouble();
    looks = [];
    const through: Sandboxes = {
      ...world.sandboxes,
      exec: (request: Exec, signal) => {
        if (String(request.command).includes('stat -c %i')) looks.push(String(request.command));
        return world.sandboxes.exec(request, signal);
      },
    };
    const parts = { files: new MemoryFiles(), record: new MemoryRecord(), memories: store.for('session') };
    tools = world.wake(through, parts);
  });

  const perform = (command: string) => tools.perform(callOf('bash', { command }), NEVER);
  const texts = () => Object.fromEntries([...store.texts].map(([path, { content }]) => [path, content]));
  /** In the sandbox: until the test lets it go on. */
  const WAIT = 'until [ -e /tmp/go-on ]; do sleep 0.05; done; rm /tmp/go-on';
  const goOn = async () => {
    const sandboxId = world.remembered.sandboxId ?? '';
    await world.sandboxes.writeFile({ sandboxId, path: '/tmp/go-on', content: new Uint8Array() });
  };

  it('has what it has written and moved, and nothing that may yet be otherwise', async () => {
    for (const name of ['changed', 'deleted', 'moved', 'emptied']) store.put(`/${name}.md`, name);
    await perform('true');
    const ids = new Map([...store.texts].map(([path, { id }]) => [path, id]));
    const call = perform(
      `cd ${HOME}; echo new >new.md; echo more >>changed.md; rm deleted.md; mv moved.md to.md; : >emptied.md; ${WAIT}; echo full >emptied.md`,
    );
    await vi.waitFor(() => expect(store.texts.has('/new.md')).toBe(true), { timeout: 30_000, interval: 20 });
    const during = {
      '/changed.md': 'changedmore\n',
      '/deleted.md': 'deleted',
      '/emptied.md': 'emptied',
      '/new.md': 'new\n',
      '/to.md': 'moved',
    };
    expect(texts()).toEqual(during);
    expect(store.texts.get('/to.md')?.id).toBe(ids.get('/moved.md'));
    await goOn();
    await call;
    const { '/deleted.md': _, ...after } = { ...during, '/emptied.md': 'full\n' };
    expect(texts()).toEqual(after);
    expect(store.log.filter((line) => line.startsWith('session'))).toHaveLength(5);
  });

  it('is not given what is still being written', async () => {
    const call = perform(
      `cd ${HOME}; echo done >done.md; for i in $(seq 1200); do echo $i >>growing.md; [ -e /tmp/go-on ] && break; sleep 0.05; done; rm -f /tmp/go-on; echo end >>growing.md`,
    );
    await vi.waitFor(() => expect(store.texts.has('/done.md')).toBe(true), { timeout: 30_000 });
    expect(store.texts.has('/growing.md')).toBe(false);
    await goOn();
    await call;
    expect(texts()['/growing.md']).toMatch(/\nend\n$/);
    expect(store.log).toHaveLength(2);
  });

  it('that others have changed is left alone until the call has ended', async () => {
    store.put('/a.md', 'one');
    await perform('true');
    const call = perform(
      `touch /tmp/begun; ${WAIT}; cd ${HOME}; echo mine >a.md; echo b >b.md; ${WAIT}; cat a.md`,
    );
    const sandboxId = world.remembered.sandboxId ?? '';
    await world.sandboxes.exec({ sandboxId, command: 'until [ -e /tmp/begun ]; do sleep 0.05; done' });
    store.put('/a.md', 'theirs');
    await goOn();
    await vi.waitFor(() => expect(store.texts.has('/b.md')).toBe(true), { timeout: 30_000 });
    expect(texts()['/a.md']).toBe('theirs');
    await goOn();
    expect(JSON.stringify(await call)).toContain('mine');
    expect(texts()).toEqual({ '/a.md': 'theirs', '/b.md': 'b\n' });
  });

  it('is not looked at again and again when nothing happens to it', async () => {
    store.put('/a.md', 'one');
    await perform('true');
    looks = [];
    await perform('sleep 3');
    // Once on its way, and as it ends.
    expect(looks.length).toBeLessThanOrEqual(2);
  });
});

describe('MemoryWatch', () => {
  it('glances when something has changed, and the more seldom the more often it brought something', async () => {
    const clock = { at: 0, now: () => clock.at };
    let glanced = 0;
    let said = { brought: false, more: false };
    const glance = async () => {
      glanced += 1;
      return said;
    };
    const watch = new MemoryWatch({ memories: { glance }, clock });
    const seen = async (print: string) => {
      const before = glanced;
      await watch.see('sb', print);
      return glanced > before;
    };
    expect([await seen('a'), await seen('a'), await seen('b')]).toEqual([true, false, true]);
    said = { brought: false, more: true };
    expect([await seen('c'), await seen('c')]).toEqual([true, true]);
    said = { brought: true, more: false };
    const waits: number[] = [];
    for (let print = 0; waits.length < 9; print++) {
      const from = clock.at;
      while (!(await seen(`d${print}`))) clock.at += 500;
      waits.push((clock.at - from) / 1000);
    }
    expect(waits).toEqual([0, 1, 2, 4, 8, 16, 32, 60, 60]);
    watch.begin();
    expect(await seen('new call')).toBe(true);
  });
});
