import { describe, expect, it } from 'vitest';
import { Player } from './testing/player.ts';
import { World } from './testing.ts';

async function opened(): Promise<Player> {
  const world = new World();
  world.spec = { ...world.spec, title: 'first', metadata: { a: '1', b: '2' } };
  return Player.open(world);
}

describe('a change of a session', () => {
  it('is shown, and told once with what it changed', async () => {
    const player = await opened();
    const view = await player.runtime.update({ title: 'second', metadata: { b: null, c: '3' } });
    expect(view).toMatchObject({ title: 'second', metadata: { a: '1', c: '3' } });
    const [updated, ...more] = await player.all('session.updated');
    expect(updated).toMatchObject({ title: 'second', metadata: { a: '1', c: '3' } });
    expect(updated).not.toHaveProperty('budget');
    expect(more).toEqual([]);
  });

  it('that changes nothing says nothing', async () => {
    const player = await opened();
    await player.runtime.update({});
    await player.runtime.update({ title: 'first', metadata: { a: '1' }, budget: null });
    expect(await player.world.events()).toEqual([]);
  });

  it('leaves out what stays', async () => {
    const player = await opened();
    await player.runtime.update({ title: null });
    await player.runtime.update({ metadata: { a: '9' } });
    const [title, metadata] = await player.all('session.updated');
    expect(title).toMatchObject({ title: null });
    expect(title).not.toHaveProperty('metadata');
    expect(metadata).toMatchObject({ metadata: { a: '9', b: '2' } });
    expect(metadata).not.toHaveProperty('title');
    expect(player.runtime.view).toMatchObject({ title: null, metadata: { a: '9', b: '2' } });
  });

  it('is there for the next process', async () => {
    const player = await opened();
    await player.runtime.update({ title: 'second', metadata: { a: null, b: null } });
    await player.restart();
    expect(player.runtime.view).toMatchObject({ title: 'second', metadata: {} });
  });

  it('that empties the metadata shows none, as the official API does', async () => {
    const player = await opened();
    await player.runtime.update({ metadata: { a: null, b: null } });
    await player.runtime.update({ metadata: { a: null } });
    const updated = await player.all('session.updated');
    expect(updated).toHaveLength(1);
    expect(updated[0]).not.toHaveProperty('metadata');
    expect(player.runtime.view.metadata).toEqual({});
  });

  it('is refused once it is over', async () => {
    const player = await opened();
    await player.runtime.archive();
    const change = player.runtime.update({ title: 'late' });
    await expect(change).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('over'),
    });
  });
});

describe('an archived session', () => {
  it('says so of itself, its thread and its outcome, once', async () => {
    const player = await opened();
    const rubric = { type: 'text' as const, content: 'good' };
    await player.send({ type: 'user.define_outcome', description: 'it', rubric });
    (await player.model()).settle([{ type: 'tool_call', name: 'write', input: {} }]);
    await player.rests();
    const view = await player.runtime.archive();
    await player.runtime.archive();
    expect(view).toMatchObject({ status: 'terminated', archivedAt: player.world.now });
    expect(player.runtime.threads).toMatchObject([{ status: 'terminated', archivedAt: player.world.now }]);
    const explanation = 'The session was archived.';
    expect(view.outcomeEvaluations).toMatchObject([{ result: 'interrupted', explanation }]);
    const [result] = await player.all('agent.tool_result');
    expect(result).toMatchObject({
      is_error: true,
      content: [{ text: 'Not run: the session was archived.' }],
    });
    expect(await player.count('session.status_terminated')).toBe(1);
    expect(await player.count('session.thread_status_terminated')).toBe(1);
  });
});
