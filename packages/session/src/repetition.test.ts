import type { Claim } from '@capstan/schema/idempotency';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionRuntime } from './runtime.ts';
import { quiesce, World } from './testing.ts';

const say = (text: string) => [{ type: 'user.message' as const, content: [{ type: 'text' as const, text }] }];
const keyed = (name: string, body = 'a body'): Claim => ({
  name,
  by: 'key',
  fingerprint: body,
  mayRepeat: true,
});
const unkeyed = (body: string, retry: number): Claim => ({
  name: body,
  by: 'body',
  fingerprint: body,
  mayRepeat: retry > 0,
});
const HOUR_MS = 3_600_000;

async function messages(world: World): Promise<string[]> {
  return (await world.events()).filter((event) => event.type === 'user.message').map((event) => event.id);
}

/** What an earlier process still writes may stop one that opens: the host opens another. */
async function reopen(world: World): Promise<SessionRuntime> {
  for (;;) {
    const runtime = await world.open().catch(() => null);
    if (runtime !== null) return runtime;
    await quiesce();
  }
}

describe('a send with a key', () => {
  it('is done once and answered alike, byte for byte, also by a process that knows only the log', async () => {
    const world = new World();
    const first = await world.open();
    // The second message waits for the first one's turn, and is taken later.
    const sent = await first.send([...say('one'), ...say('two')], keyed('k'));
    expect(sent).toMatchObject({
      replayed: false,
      events: [{ id: expect.any(String) }, { processed_at: null }],
    });
    const again = await first.send(say('whatever the body'), keyed('k'));
    await quiesce();
    const second = await world.open();
    for (const repeated of [again, await second.send([...say('one'), ...say('two')], keyed('k'))]) {
      expect(repeated.replayed).toBe(true);
      expect(JSON.stringify(repeated.events)).toBe(JSON.stringify(sent.events));
    }
    expect(new Set(await messages(world)).size).toBe(2);
  });

  it('is refused while its twin has not been answered, and worth a retry', async () => {
    const world = new World();
    const runtime = await world.open();
    const first = runtime.send(say('one'), keyed('k'));
    await expect(runtime.send(say('one'), keyed('k'))).rejects.toMatchObject({
      code: 'conflict',
      retryAfterSeconds: 1,
    });
    await runtime.send(say('two'), keyed('another'));
    expect((await runtime.send(say('one'), keyed('k'))).events).toEqual((await first).events);
    expect(await messages(world)).toHaveLength(2);
  });

  it('is refused with another body, and says so', async () => {
    const runtime = await new World().open();
    await runtime.send(say('one'), keyed('k', 'one'));
    await expect(runtime.send(say('two'), keyed('k', 'two'))).rejects.toMatchObject({
      code: 'idempotency_mismatch',
      message: expect.stringMatching(/^idempotency-key: was used with another body/),
    });
  });

  it('is remembered for 24 hours, through the archiving of its session', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([{ type: 'user.interrupt' }], keyed('k'));
    await runtime.archive();
    world.now += 24 * HOUR_MS - 1;
    expect((await runtime.send([{ type: 'user.interrupt' }], keyed('k'))).replayed).toBe(true);
    world.now += 1;
    await expect(runtime.send([{ type: 'user.interrupt' }], keyed('k'))).rejects.toMatchObject({
      message: expect.stringMatching(/archived/),
    });
  });

  it('leaves its key free when it was refused or could not be kept', async () => {
    const world = new World();
    const runtime = await world.open();
    const unknown = { type: 'user.tool_confirmation', tool_use_id: 'none', result: 'allow' } as const;
    await expect(runtime.send([unknown], keyed('k', 'bad'))).rejects.toMatchObject({
      code: 'invalid_request',
    });
    world.appendFails = true;
    await expect(runtime.send(say('one'), keyed('k'))).rejects.toMatchObject({ code: 'unavailable' });
    world.appendFails = false;
    const next = await world.open();
    expect((await next.send(say('one'), keyed('k'))).replayed).toBe(false);
    expect(await messages(world)).toHaveLength(1);
  });

  it('takes receipts nobody can ask for any more with it', async () => {
    const world = new World();
    const runtime = await world.open();
    for (let index = 0; index < 5; index++)
      await runtime.send([{ type: 'user.interrupt' }], keyed(`k${index}`));
    world.now += 24 * HOUR_MS;
    await runtime.send([{ type: 'user.interrupt' }], keyed('last'));
    expect(world.sql.all('SELECT name FROM receipts', [])).toEqual([{ name: 'last' }]);
  });
});

describe('a send whose client retries without a key', () => {
  it('is done once, however often it is retried within a minute', async () => {
    const world = new World();
    const runtime = await world.open();
    const sent = await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', 0));
    for (const retry of [1, 2]) {
      world.now += 20_000;
      expect(await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', retry))).toEqual({
        ...sent,
        replayed: true,
      });
    }
    world.now += 20_000;
    expect((await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', 3))).replayed).toBe(false);
  });

  it('is done again when it is sent again, and when its first try never arrived', async () => {
    const world = new World();
    const runtime = await world.open();
    expect((await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', 1))).replayed).toBe(false);
    expect((await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', 0))).replayed).toBe(false);
    const latest = await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', 0));
    const retried = await runtime.send([{ type: 'user.interrupt' }], unkeyed('b', 1));
    expect(retried.events).toEqual(latest.events);
  });
});

describe('any schedule of twins, crashes and storage failures', () => {
  type Step = { kind: 'send'; key: number } | { kind: 'crash' } | { kind: 'fail' };
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('send' as const), key: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'fail' as const }) },
  );

  it('does each key once, and gives every one that asks the same answer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const world = new World();
        const answers = new Map<number, Set<string>>();
        const underWay: Promise<void>[] = [];
        let runtime = await reopen(world);
        const send = async (on: SessionRuntime, key: number) => {
          const sent = await on.send(say(`message ${key}`), keyed(`k${key}`)).catch(() => null);
          if (sent) answers.set(key, (answers.get(key) ?? new Set()).add(JSON.stringify(sent.events)));
        };
        for (const { kind, ...rest } of steps) {
          if (kind === 'send' && 'key' in rest) underWay.push(send(runtime, rest.key));
          if (kind === 'crash' || runtime.dead) runtime = await reopen(world);
          // What is under way then may be lost, and whether it was its client cannot know.
          if (kind === 'fail') {
            world.appendFails = true;
            await quiesce();
            world.appendFails = false;
          }
        }
        await Promise.all(underWay);
        const last = await reopen(world);
        for (const key of answers.keys()) await send(last, key);
        const texts = (await world.events())
          .filter((event) => event.type === 'user.message')
          .map((event) => `${event.id} ${JSON.stringify(event.content)}`);
        const effects = [...new Set(texts)].map((text) => text.replace(/^\S+ /, ''));
        expect(effects).toHaveLength(new Set(effects).size);
        for (const [key, seen] of answers) {
          expect(seen.size).toBe(1);
          expect(effects.join()).toContain(`message ${key}`);
        }
      }),
      { numRuns: 150 },
    );
  });
});
