// The context of a thread is a function of its log: followed from the beginning or begun anew at any moment, it is the same.
import { silentLogger } from '@capstan/shared/logger';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ModelContext, type PlacedItem } from './context.ts';
import { readable } from './log-reader.ts';
import type { ThreadState } from './state.ts';
import { Play, step } from './testing/play.ts';

class Follower {
  #play: Play;
  #contexts = new Map<string, ModelContext>();

  constructor(play: Play) {
    this.#play = play;
  }

  /** Every thread's context, followed and begun anew. */
  async compare(): Promise<void> {
    const { world } = this.#play;
    for (const thread of (await world.state()).threads) {
      const followed = this.#contexts.get(thread.id) ?? this.#begun(thread, 0);
      this.#contexts.set(thread.id, followed);
      const anew = this.#begun(thread, thread.contextFrom);
      expect(await seen(anew)).toEqual(await seen(followed));
      this.#check(await anew.items(), thread);
    }
  }

  #begun({ id, parentId }: ThreadState, from: number): ModelContext {
    const { log, blobs } = this.#play.world;
    const reader = readable(log, { blobs, logger: silentLogger });
    return new ModelContext({ log: reader, thread: parentId === null ? null : id, from });
  }

  #check(items: readonly PlacedItem[], { calls }: ThreadState): void {
    const open = new Set(calls.map(({ id }) => id));
    const begun = new Set<string>();
    let before = 0;
    for (const { seq, item } of items) {
      expect(seq).toBeGreaterThanOrEqual(before);
      before = seq;
      if (item.type === 'tool_call') begun.add(item.callId);
      // A result follows its call; nothing the model said or was told comes between them.
      if (item.type === 'tool_result') expect(begun.delete(item.callId)).toBe(true);
      if (item.type === 'user' || item.type === 'system' || item.type === 'message') {
        if (item.type !== 'message') expect([...begun]).toEqual([]);
      }
    }
    expect(begun).toEqual(open);
  }
}

async function seen(context: ModelContext) {
  const items = await context.items();
  return { items, chars: context.chars, unseenRow: context.unseenRow };
}

it('is the same begun anew at any moment, with compactions, threads, outcomes and spilled content', async () => {
  let compactions = 0;
  let children = 0;
  let spilled = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const play = new Play();
      const follower = new Follower(play);
      for (const next of steps) {
        await play.take(next);
        await follower.compare();
      }
      compactions += (await play.world.types()).filter((t) => t === 'agent.thread_context_compacted').length;
      children += (await play.world.state()).threads.length - 1;
      spilled += play.world.blobs.texts.size;
    }),
    { numRuns: 120 },
  );
  // The schedules have come to what this is about.
  expect(Math.min(compactions, children, spilled)).toBeGreaterThan(0);
}, 120_000);
