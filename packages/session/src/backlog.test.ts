import { describe, expect, it } from 'vitest';
import { say, use } from './scripted-harness.ts';
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
