import { describe, expect, it } from 'vitest';
import { refuseFull } from './backlog.ts';
import { sizeOfContent } from './content-size.ts';
import { ROW_BYTES } from './log-row.ts';
import { say, use } from './scripted-harness.ts';
import type { Input } from './state.ts';
import { Machine } from './testing/machine.ts';
import { Player } from './testing/player.ts';

const HUNDRED = Array.from({ length: 100 }, (_, place) => Player.message(`message ${place}`));

/** A session that waits for an answer of its client. */
async function waiting(): Promise<Player> {
  const player = await Player.open();
  await player.send(Player.message('hello'));
  (await player.model()).settle([use('ticket')]);
  await player.rests();
  return player;
}

async function answer(player: Player): Promise<void> {
  const [call] = await player.uses();
  await player.send({ type: 'user.custom_tool_result', custom_tool_use_id: call?.id ?? '' });
}

describe('messages that wait', () => {
  it('are taken up to a number, then refused by name; answers are always taken', async () => {
    const player = await waiting();
    for (let sent = 0; sent < 10; sent++) await player.send(...HUNDRED);
    await expect(player.send(Player.message('one more'))).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^events\.0: 1000 messages wait/),
    });
    await answer(player);
    (await player.model()).settle([say('ok')]);
    await player.model();
    await expect(player.send(Player.message('one more'))).resolves.toMatchObject({
      events: [{ id: expect.any(String) }],
    });
  });

  it('are taken up to a size, however few they are', async () => {
    const player = await waiting();
    const long = Player.message('x'.repeat(200_000));
    for (let sent = 0; sent < 80; sent += 20) await player.send(...Array.from({ length: 20 }, () => long));
    await expect(player.send(long)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('count as much as a row has of them', async () => {
    const player = await waiting();
    const long = Player.message('x'.repeat(6_000_000));
    for (let sent = 0; sent < 4; sent++) await player.send(long);
    expect(await player.count('user.message')).toBe(5);
  });
});

describe('a thread has room for one more', () => {
  const input = (text: string): Input => {
    const content = [{ type: 'text' as const, text }];
    const message = { type: 'user.message' as const, id: 'sevt_m', processed_at: null, content };
    return { kind: 'event', id: 'sevt_m', event: message };
  };
  const message = (text: string): Input => {
    const content = [{ type: 'text' as const, text }];
    return { kind: 'message', id: 'sevt_s', from: 'sthr_2', fromName: 'scout', content };
  };
  const refuse = (queue: readonly Input[]) => () =>
    refuseFull({ ...new Machine().primary, queue }, 'events.0');

  it('below a thousand', () => {
    const waiting = Array.from({ length: 1_000 }, () => input('hello'));
    expect(refuse(waiting.slice(1))).not.toThrow();
    expect(refuse(waiting)).toThrow('events.0: 1000 messages wait');
  });

  it.each([
    ['a client', input],
    ['other agents', message],
  ])('below 16 million characters of %s, each counted for a row at most', (_, waits) => {
    const full = Math.floor(16_000_000 / ROW_BYTES);
    const waiting = Array.from({ length: full }, () => waits('x'.repeat(ROW_BYTES)));
    const frame = sizeOfContent([{ type: 'text', text: '' }]);
    const left = 16_000_000 - full * ROW_BYTES - frame;
    expect(refuse([...waiting, waits('x'.repeat(left - 1))])).not.toThrow();
    expect(refuse([...waiting, waits('x'.repeat(left))])).toThrow('messages wait');
  });
});
