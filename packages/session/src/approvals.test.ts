// An approval is for one call and exactly the input that was shown, however late it comes.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical, inputHash } from './input-hash.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { Player } from './testing/player.ts';
import { quiesce, until } from './testing.ts';

const { message } = Player;

/** A call that waits for a person. */
async function asked(input: Record<string, unknown> = { path: 'a', content: 'b' }) {
  const player = await Player.open();
  await player.send(message('write it'));
  (await player.model()).settle([use('write', input), use('bash')]);
  (await player.tool()).settle(outcome('ok'));
  await player.rests();
  const [ask, free] = await player.all('agent.tool_use');
  if (ask === undefined || free === undefined) throw new Error('two calls expected');
  return { player, ask, free };
}

const confirm = (tool_use_id: string, more: object = {}) => ({
  type: 'user.tool_confirmation' as const,
  tool_use_id,
  result: 'allow' as const,
  ...more,
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('a call that waits for approval', () => {
  it('shows the hash of its input; a call that is allowed anyway shows none', async () => {
    const { ask, free } = await asked({ path: 'a', content: 'b' });
    expect(ask.capstan?.input_sha256).toBe(sha256('{"content":"b","path":"a"}'));
    expect(free).not.toHaveProperty('capstan');
  });

  it('runs when the hash that was shown is approved, and when none is named', async () => {
    for (const named of [true, false]) {
      const { player, ask } = await asked();
      const { input_sha256 = '' } = ask.capstan ?? {};
      await player.send(confirm(ask.id, named ? { input_sha256 } : {}));
      const call = await player.tool();
      expect(call.input).toMatchObject({ effectId: ask.id, input: { path: 'a', content: 'b' } });
      call.settle(outcome('written'));
      (await player.model()).settle([say('done')]);
      await player.rests();
    }
  });

  it('stays open when another input is approved, and nothing of that send is kept', async () => {
    const { player, ask } = await asked();
    const before = await player.world.types();
    const sent = player.send(confirm(ask.id, { input_sha256: sha256('another') }));
    await expect(sent).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('events.0.input_sha256'),
    });
    expect(await player.world.types()).toEqual(before);
    await player.send(confirm(ask.id));
    await player.tool();
  });

  it('is denied by the hash that was shown, too, with the reason', async () => {
    const { player, ask } = await asked();
    const denial = { result: 'deny', deny_message: 'not there' };
    const wrong = player.send(confirm(ask.id, { ...denial, input_sha256: sha256('another') }));
    await expect(wrong).rejects.toMatchObject({ code: 'invalid_request' });
    await player.send(confirm(ask.id, { ...denial, ...ask.capstan }));
    const { input } = await player.model();
    expect(JSON.stringify(input.at(-1))).toContain('The user rejected this tool call: not there');
    expect(player.world.harness.performed).not.toContain(ask.id);
  });

  it('has a reason with a denial only', async () => {
    const { player, ask } = await asked();
    await expect(player.send(confirm(ask.id, { deny_message: 'but' }))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('events.0.deny_message'),
    });
  });

  it('is answered once: of two decisions that race the second is refused', async () => {
    const { player, ask } = await asked();
    const [one, other] = await Promise.allSettled([
      player.send(confirm(ask.id)),
      player.send(confirm(ask.id, { result: 'deny' })),
    ]);
    expect([one?.status, other?.status]).toEqual(['fulfilled', 'rejected']);
    await player.tool();
    expect(await player.count('user.tool_confirmation')).toBe(1);
  });

  it('waits for days and processes, and runs once', async () => {
    const { player, ask } = await asked();
    for (let day = 0; day < 3; day++) {
      player.world.now += 86_400_000;
      await player.restart();
      expect(player.runtime.view.status).toBe('idle');
    }
    expect(await player.stops()).toEqual(['requires_action']);
    await player.send(confirm(ask.id, ask.capstan));
    (await player.tool()).settle(outcome('written'));
    (await player.model()).settle([say('done')]);
    await player.rests();
    expect(player.world.harness.performed.filter((id) => id === ask.id)).toHaveLength(1);
  });

  it('that was approved and not begun when its process died is recovered, never run blindly', async () => {
    const { player, ask } = await asked();
    await player.send(confirm(ask.id));
    await player.tool();
    await player.restart();
    await player.retries();
    const { input } = await player.model();
    expect(JSON.stringify(input)).toContain('Outcome unknown');
    expect(player.world.harness.performed.filter((id) => id === ask.id)).toHaveLength(1);
  });

  it('may be too large for a row: what runs is the whole input, and its hash is of that', async () => {
    const content = 'x'.repeat(400_000);
    const { player, ask } = await asked({ path: 'a', content });
    expect(ask.input).toEqual({});
    expect(ask.capstan?.input_sha256).toBe(sha256(`{"content":"${content}","path":"a"}`));
    await player.restart();
    await player.send(confirm(ask.id, ask.capstan));
    expect((await player.tool()).input.input).toEqual({ path: 'a', content });
  });

  it('does not run when its stored input is no longer what was approved', async () => {
    const { player, ask } = await asked({ path: 'a', content: 'x'.repeat(400_000) });
    const { texts } = player.world.blobs;
    for (const key of texts.keys()) texts.set(key, '{"path":"/etc/passwd"}');
    await player.send(confirm(ask.id, ask.capstan));
    const { input } = await player.model();
    expect(JSON.stringify(input)).toContain('not the one that was approved');
    expect(player.world.harness.performed).not.toContain(ask.id);
  });

  it('of another call with the same input needs an approval of its own', async () => {
    const { player, ask } = await asked();
    await player.send(confirm(ask.id));
    (await player.tool()).settle(outcome('written'));
    (await player.model()).settle([use('write', { path: 'a', content: 'b' })]);
    await player.rests();
    await quiesce();
    expect(await player.stops()).toEqual(['requires_action', 'requires_action']);
    expect(player.world.harness.performed.filter((id) => id !== ask.id)).toHaveLength(1);
  });
});

describe('the hash of an input', () => {
  const inputs = fc.dictionary(fc.string(), fc.jsonValue());

  it('is the same whatever order its keys are in', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        expect(await inputHash(shuffled(input))).toBe(await inputHash(input));
      }),
    );
  });

  it('is the same after the log has kept it', async () => {
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        expect(await inputHash(JSON.parse(JSON.stringify(input)))).toBe(await inputHash(input));
      }),
    );
  });

  it('is of JSON with the same meaning, so that other inputs have others', () => {
    fc.assert(
      fc.property(inputs, inputs, (one, other) => {
        expect(JSON.parse(canonical(one))).toEqual(JSON.parse(JSON.stringify(one)));
        if (canonical(one) === canonical(other))
          expect(JSON.parse(JSON.stringify(one))).toEqual(JSON.parse(JSON.stringify(other)));
      }),
    );
  });

  it('is what anybody computes: keys in the order of their code units, no spaces', () => {
    expect(canonical({ b: [1, { z: null, a: 'é' }], a: 1e21, '': true })).toBe(
      '{"":true,"a":1e+21,"b":[1,{"a":"é","z":null}]}',
    );
  });
});

function shuffled(value: Record<string, unknown>): Record<string, unknown> {
  const turned = (member: unknown): unknown => {
    if (Array.isArray(member)) return member.map(turned);
    return member !== null && typeof member === 'object' ? shuffled({ ...member }) : member;
  };
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, turned(member)]),
  );
}

it('approvals of several calls are given in any order, and those that are allowed run at once', async () => {
  const player = await Player.open();
  await player.send(message('write them'));
  (await player.model()).settle([use('write', { path: 'a' }), use('write', { path: 'b' })]);
  await player.rests();
  const [one, other] = await player.all('agent.tool_use');
  await player.send(confirm(other?.id ?? '', other?.capstan));
  await until(() => player.world.harness.performed.length === 1 || player.runtime.view.status === 'idle');
  await player.send(confirm(one?.id ?? '', one?.capstan));
  await until(() => player.world.harness.performed.length === 2);
  for (const call of player.world.harness.waitingTools) call.settle(outcome('ok'));
  (await player.model()).settle([say('done')]);
  await player.rests();
  expect((await player.stops()).at(-1)).toBe('end_turn');
});
