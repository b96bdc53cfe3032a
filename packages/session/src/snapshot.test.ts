// A snapshot is a shortcut and nothing else: from any of them, or from none, a log comes to the same state.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoggedEntry } from './entry.ts';
import { evolveAll } from './evolve.ts';
import { foldOf, SNAPSHOT_EVERY } from './fold.ts';
import { readEntries } from './log-reader.ts';
import { say, use } from './scripted-harness.ts';
import { restore, toSnapshot } from './snapshot.ts';
import { Play, step } from './testing/play.ts';
import { Player } from './testing/player.ts';
import { until, type World } from './testing.ts';

async function entriesOf({ log }: World): Promise<LoggedEntry[]> {
  const entries: LoggedEntry[] = [];
  for await (const entry of readEntries(log, 0)) entries.push(entry);
  return entries;
}

it('a state is what its JSON is, and a fold begun at any row comes out the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      const play = new Play();
      for (const next of steps) await play.take(next);
      const { world } = play;
      const entries = await entriesOf(world);
      const { initial } = foldOf(world.spec);
      const whole = evolveAll(initial, entries);
      for (let at = 0; at <= entries.length; at += 1 + Math.floor(entries.length / 10)) {
        const state = evolveAll(initial, entries.slice(0, at));
        const stored = JSON.parse(JSON.stringify(state));
        expect(stored).toEqual(state);
        const snapshot = async () => ({ seq: at, state: toSnapshot(foldOf(world.spec), state) });
        const lines = world.log.lines.bind(world.log);
        const restored = await restore({ lines, snapshot }, foldOf(world.spec));
        expect(restored).toEqual({ state: whole, seq: entries.length, snapshotSeq: at });
      }
    }),
    { numRuns: 30 },
  );
}, 60_000);

describe('a long session', () => {
  /** More rows than there are between two snapshots. */
  async function long(): Promise<Player> {
    const player = await Player.open();
    await player.send(Player.message('count'));
    while ((await entriesOf(player.world)).length < SNAPSHOT_EVERY + 10) {
      (await player.model()).settle(Array.from({ length: 100 }, () => use('bash')));
      await until(() => player.world.harness.waitingTools.length === 100);
      for (const call of player.world.harness.waitingTools) call.settle({ content: [], isError: false });
    }
    (await player.model()).settle([say('done')]);
    await player.rests();
    return player;
  }

  it('is photographed, and a new process folds only what came after', async () => {
    const player = await long();
    const { world } = player;
    const snapshot = await world.log.snapshot();
    expect(snapshot?.seq).toBeGreaterThanOrEqual(SNAPSHOT_EVERY);
    const asked: number[] = [];
    const lines = (...query: Parameters<typeof world.log.lines>) => {
      asked.push(query[0]);
      return world.log.lines(...query);
    };
    const log = { lines, snapshot: () => world.log.snapshot() };
    const { state } = await restore(log, foldOf(world.spec));
    expect(asked[0]).toBe(snapshot?.seq);
    expect(state).toEqual(await world.state());
  });

  it.each([
    ['another version wrote', JSON.stringify({ version: 'another', state: { threads: [] } })],
    ['is no JSON', '{"version":'],
    ['is nothing', 'null'],
  ])('whose snapshot %s is folded from the beginning', async (_what, state) => {
    const { world } = await long();
    const log = { lines: world.log.lines.bind(world.log), snapshot: async () => ({ seq: 500, state }) };
    const restored = await restore(log, foldOf(world.spec));
    expect(restored.snapshotSeq).toBe(0);
    expect(restored.state).toEqual(await world.state());
  });
});
