import { describe, expect, it } from 'vitest';
import { say, use } from './scripted-harness.ts';
import { Player } from './testing/player.ts';

const rule = (text: string) => ({
  type: 'system.message' as const,
  content: [{ type: 'text' as const, text }],
});
const result = (custom_tool_use_id: string) => ({
  type: 'user.custom_tool_result' as const,
  custom_tool_use_id,
  content: [{ type: 'text' as const, text: `of ${custom_tool_use_id}` }],
});
const { message } = Player;

const types = (context: readonly { type: string }[]) => context.map(({ type }) => type);

describe('a system message', () => {
  it('is read with the message it follows, after it', async () => {
    const player = await Player.open();
    await player.send(message('hello'), rule('be brief'));
    const call = await player.model();
    expect(types(call.input)).toEqual(['user', 'system']);
    expect(call.input[1]).toEqual({ type: 'system', text: 'be brief' });
    call.settle([say('hi')]);
    await player.rests();
    await player.send(message('more'));
    expect(types((await player.model()).input)).toEqual(['user', 'system', 'message', 'user']);
  });

  it('that came in during a model call is after its reply, with the message it came with', async () => {
    const player = await Player.open();
    await player.send(message('hello'));
    const first = await player.model();
    const { events } = await player.send(message('and'), rule('be brief'));
    expect(events.map(({ processed_at }) => processed_at)).toEqual([null, null]);
    await player.send(message('later'));
    first.settle([say('hi')]);
    const second = await player.model();
    expect(types(second.input)).toEqual(['user', 'message', 'user', 'system']);
    second.settle([say('ok')]);
    const third = await player.model();
    expect(third.input.at(-1)).toMatchObject({ content: [{ text: 'later' }] });
    third.settle([say('ok')]);
    await player.rests();
  });

  it('behind one of several results waits for the others: it stands between no call and its result', async () => {
    const player = await Player.open();
    await player.send(message('hello'));
    (await player.model()).settle([use('ticket'), use('ticket')]);
    await player.rests();
    const [one, other] = await player.uses();
    const { events } = await player.send(result(one?.id ?? ''), rule('be brief'));
    expect(events[1]?.processed_at).toBeNull();
    await player.send(result(other?.id ?? ''));
    const call = await player.model();
    expect(types(call.input)).toEqual([
      'user',
      'tool_call',
      'tool_call',
      'tool_result',
      'tool_result',
      'system',
    ]);
    call.settle([say('ok')]);
    await player.rests();
  });

  it.each([
    ['alone', [rule('x')], 'has to follow'],
    ['first', [rule('x'), message('hello')], 'has to be the last'],
    ['behind another', [message('hello'), rule('x'), rule('y')], 'has to be the last'],
    ['behind an interrupt', [{ type: 'user.interrupt' as const }, rule('x')], 'has to follow'],
  ])('%s is refused, and nothing of its send is kept', async (_place, events, why) => {
    const player = await Player.open();
    await expect(player.send(...events)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(why),
    });
    expect(await player.world.types()).toEqual([]);
  });

  it('while the session waits for an answer is taken behind a result only', async () => {
    const player = await Player.open();
    await player.send(message('hello'));
    (await player.model()).settle([use('ticket')]);
    await player.rests();
    await expect(player.send(message('and'), rule('x'))).rejects.toMatchObject({ code: 'invalid_request' });
    const [use_] = await player.uses();
    await player.send(result(use_?.id ?? ''), rule('x'));
    expect(types((await player.model()).input)).toEqual(['user', 'tool_call', 'tool_result', 'system']);
  });

  it('is for the primary thread', async () => {
    const player = await Player.open();
    await player.send(message('hello'), rule('x'));
    const { threads } = await player.world.state();
    expect(threads).toHaveLength(1);
    expect((await player.world.events())[1]).not.toHaveProperty('session_thread_id');
  });
});

describe('input that arrives during a model call', () => {
  it('is after the reply of that call, whatever it is', async () => {
    const player = await Player.open();
    await player.send(message('hello'));
    const first = await player.model();
    await player.send({
      type: 'user.define_outcome',
      description: 'a thing',
      rubric: { type: 'text', content: 'is there' },
    });
    first.settle([say('hi'), use('bash')]);
    (await player.tool()).settle({ content: [], isError: false });
    const second = await player.model();
    expect(types(second.input).slice(0, 4)).toEqual(['user', 'message', 'tool_call', 'tool_result']);
    expect(JSON.stringify(second.input.slice(4))).toContain('a thing');
  });
});
