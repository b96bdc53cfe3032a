// Random schedules of every command, with everything that may fail. After every step the invariants hold (M1 to M3, R1 to
// R8, see machine.ts and runtime.ts); in the end nothing was lost, doubled or left waiting.
import fc from 'fast-check';
import { it } from 'vitest';
import { Dice } from './testing/schedules/dice.ts';
import { check, finish } from './testing/schedules/invariants.ts';
import { Play, type Setting } from './testing/schedules/play.ts';
import { type ActName, act, WEIGHTS } from './testing/schedules/steps.ts';

/** `PROPERTY_RUNS=20000` for a night. */
const RUNS = Number(process.env.PROPERTY_RUNS ?? 300);
const TIMEOUT = RUNS * 1_000;

const names = Object.keys(WEIGHTS) as ActName[];

const step = fc.record({
  act: fc.oneof(...names.map((name) => ({ weight: WEIGHTS[name], arbitrary: fc.constant(name) }))),
  dice: fc.nat(1_000_000),
  /** Otherwise the next one happens at the same time. */
  alone: fc.integer({ min: 0, max: 4 }).map((number) => number > 0),
});

const setting: fc.Arbitrary<Setting> = fc.record({
  coordinator: fc.boolean(),
  budget: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constant({ type: 'limit' as const, max_tokens: 12_000 }) },
    { weight: 1, arbitrary: fc.constant({ type: 'limit' as const, max_model_calls: 3 }) },
    {
      weight: 1,
      arbitrary: fc.constant({
        type: 'limit' as const,
        max_list_cost: { amount: '25', currency: 'USD' as const },
      }),
    },
  ),
  narrow: fc.integer({ min: 0, max: 3 }).map((number) => number === 3),
  initial: fc.integer({ min: 0, max: 3 }).map((number) => number === 3),
});

it(
  'holds its invariants under any schedule',
  async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.array(step, { maxLength: 80, size: 'max' }), async (scene, steps) => {
        const plays = [new Play(scene)];
        for (const { act: name, dice, alone } of steps) {
          const play = plays.at(-1) ?? new Play(scene);
          play.begin(act(play, name, new Dice(dice)));
          if (!alone) continue;
          for (const one of plays) await one.settle();
          for (const one of plays) await check(one);
          if (play.successor) plays.push(play.successor);
        }
        for (const play of plays) await finish(play);
      }),
      { numRuns: RUNS },
    );
  },
  TIMEOUT,
);
