import { ancestorsOf } from '@capstan/schema/memory-path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agreed, merge, type Sides, withinRoom } from './memory-merge.ts';

const side = (entries: Record<string, string> = {}) => new Map(Object.entries(entries));
const steps = (
  sides: Partial<Record<'base' | 'local' | 'remote', Record<string, string>>>,
  readOnly = false,
) => merge({ base: side(sides.base), local: side(sides.local), remote: side(sides.remote), readOnly });

describe('a merge', () => {
  it('gives each side what only the other has changed', () => {
    const base = { '/same': '1', '/mine': '1', '/theirs': '1', '/dropped': '1', '/deleted': '1' };
    const local = { '/same': '1', '/mine': '2', '/theirs': '1', '/dropped': '1', '/new': '3' };
    const remote = { '/same': '1', '/mine': '1', '/theirs': '2', '/deleted': '1', '/come': '4' };
    expect(steps({ base, local, remote })).toEqual([
      { do: 'drop', path: '/dropped', from: '1' },
      { do: 'pull', path: '/come', from: null },
      { do: 'pull', path: '/theirs', from: '1' },
      { do: 'delete', path: '/deleted' },
      { do: 'update', path: '/mine' },
      { do: 'create', path: '/new' },
    ]);
  });

  it('keeps aside what both have changed, and creates anew what only the store has lost', () => {
    expect(steps({ base: { '/a': '1' }, local: { '/a': '2' }, remote: { '/a': '3' } })).toEqual([
      { do: 'aside', path: '/a', why: 'conflict' },
      { do: 'pull', path: '/a', from: null },
    ]);
    expect(steps({ base: { '/a': '1' }, local: { '/a': '2' } })).toEqual([{ do: 'create', path: '/a' }]);
    expect(steps({ base: { '/a': '1' }, remote: { '/a': '2' } })).toEqual([
      { do: 'pull', path: '/a', from: null },
    ]);
  });

  it('takes what is gone here and new there with the same text for a move', () => {
    const was = { '/a': '1', '/b': '2' };
    expect(steps({ base: was, remote: was, local: { '/c/a': '1', '/c/b': '9' } })).toEqual([
      { do: 'delete', path: '/b' },
      { do: 'move', path: '/c/a', from: '/a' },
      { do: 'create', path: '/c/b' },
    ]);
  });

  it('undoes everything where the agent may only read', () => {
    const was = { '/a': '1', '/b': '1' };
    expect(steps({ base: was, remote: was, local: { '/a': '2', '/c': '3' } }, true)).toEqual([
      { do: 'aside', path: '/a', why: 'read_only' },
      { do: 'aside', path: '/c', why: 'read_only' },
      { do: 'pull', path: '/a', from: null },
      { do: 'pull', path: '/b', from: null },
    ]);
  });

  it('ends with both sides the same, and with every text of the agent in the store or aside', () => {
    const path = fc.constantFrom('/a', '/b', '/c', '/d');
    const any = fc
      .dictionary(path, fc.constantFrom('1', '2', '3'))
      .map((entries) => new Map(Object.entries(entries)));
    fc.assert(
      fc.property(any, any, any, (base, local, remote) => {
        const { here, there, aside } = done({ base, local, remote, readOnly: false });
        expect([...here].toSorted()).toEqual([...there].toSorted());
        for (const [at, text] of local)
          if (text !== base.get(at)) expect([there.get(at), aside.get(at)]).toContain(text);
        expect(agreed({ base, local: here, remote: there })).toEqual(here);
        expect(merge({ base: here, local: here, remote: there, readOnly: false })).toEqual([]);
      }),
    );
  });

  it('makes way for memories of the store that overlap what the agent made', () => {
    const found = steps({ base: {}, local: { '/a': '1', '/b/c': '2' }, remote: { '/a/x': '3', '/b': '4' } });
    expect(found.filter((step) => step.do === 'aside').map((step) => step.path)).toEqual(['/a', '/b/c']);
    expect(found.some((step) => step.do === 'create')).toBe(false);
    expect(ancestorsOf('/a/x')).toEqual(['/a']);
  });

  it('begins with no more memories than the store has room for', () => {
    const found = steps({
      base: { '/c': '1' },
      local: { '/a': '2', '/b': '3', '/d': '4' },
      remote: { '/c': '1' },
    });
    const ways = (room: number) => withinRoom(found, room).map((step) => `${step.do} ${step.path}`);
    expect(ways(0)).toEqual(['delete /c', 'create /a']);
    expect(ways(1)).toEqual(['delete /c', 'create /a', 'create /b']);
    expect(withinRoom(found, 9)).toEqual(found);
  });
});

/** Does the steps to plain maps. */
function done(sides: Sides) {
  const here = new Map(sides.local);
  const there = new Map(sides.remote);
  const aside = new Map<string, string>();
  for (const step of merge(sides)) {
    const mine = here.get(step.path) ?? '';
    if (step.do === 'aside') aside.set(step.path, mine);
    if (step.do === 'aside' || step.do === 'drop') here.delete(step.path);
    else if (step.do === 'pull') here.set(step.path, there.get(step.path) ?? '');
    else if (step.do === 'delete') there.delete(step.path);
    else there.set(step.path, mine);
    if (step.do === 'move') there.delete(step.from);
  }
  return { here, there, aside };
}
