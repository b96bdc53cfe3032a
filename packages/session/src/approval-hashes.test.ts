import { expect, it } from 'vitest';
import { inputHash } from './input-hash.ts';
import type { SessionRuntime } from './runtime.ts';
import { say, use } from './scripted-harness.ts';
import { until, World } from './testing.ts';

const input = { path: '/a', content: 'b' };

async function asked(): Promise<{ world: World; runtime: SessionRuntime; id: string }> {
  const world = new World();
  const runtime = await world.open();
  await runtime.send([{ type: 'user.message', content: [{ type: 'text', text: 'write' }] }]);
  await until(() => world.harness.waitingModels.length === 1);
  world.harness.waitingModels[0]?.settle([say('may I?'), use('write', input)]);
  await until(() => runtime.view.status === 'idle');
  const call = (await world.events()).find(({ type }) => type === 'agent.tool_use');
  return { world, runtime, id: call?.id ?? '' };
}

const confirmation = (id: string) => ({ type: 'user.tool_confirmation' as const, tool_use_id: id });

it('an ask tells the hash of its input, and an approval of that hash runs it', async () => {
  const { world, runtime, id } = await asked();
  const hash = await inputHash(input);
  const uses = (await world.events()).filter((event) => event.type === 'agent.tool_use');
  expect(uses).toMatchObject([{ capstan: { input_sha256: hash }, evaluated_permission: 'ask' }]);
  await runtime.send([{ ...confirmation(id), result: 'allow', input_sha256: hash }]);
  await until(() => world.harness.performed.includes(id));
});

it('an approval need not name the hash', async () => {
  for (const seen of [{}, { input_sha256: null }]) {
    const { world, runtime, id } = await asked();
    await runtime.send([{ ...confirmation(id), result: 'allow', deny_message: null, ...seen }]);
    await until(() => world.harness.performed.includes(id));
  }
});

it('an approval of another input is refused, and the call still waits', async () => {
  const { world, runtime, id } = await asked();
  const other = await inputHash({ ...input, content: 'c' });
  const refused = runtime.send([{ ...confirmation(id), result: 'allow', input_sha256: other }]);
  await expect(refused).rejects.toThrow('events.0.input_sha256: ');
  expect(runtime.view.status).toBe('idle');
  expect(world.harness.performed).toEqual([]);
});

it('an approval with a reason to deny is refused', async () => {
  const { runtime, id } = await asked();
  const both = runtime.send([{ ...confirmation(id), result: 'allow', deny_message: 'no' }]);
  await expect(both).rejects.toThrow('events.0.deny_message: only a denial has one');
});

it('the log says what was approved, and why something was denied', async () => {
  const approved = await asked();
  const hash = await inputHash(input);
  const [echo] = (await approved.runtime.send([{ ...confirmation(approved.id), result: 'allow' }])).events;
  expect(echo).not.toHaveProperty('deny_message');
  expect(await noteOf(approved.world)).toMatchObject({ approved: hash });
  const denied = await asked();
  const said = { ...confirmation(denied.id), result: 'deny' as const, deny_message: 'not now' };
  const { events } = await denied.runtime.send([said]);
  expect(events).toMatchObject([{ result: 'deny', deny_message: 'not now' }]);
  expect(await noteOf(denied.world)).toBeNull();
});

it('a wrong answer is told what is wrong with it', async () => {
  const { runtime, id } = await asked();
  const custom = { type: 'user.custom_tool_result' as const, custom_tool_use_id: id, content: [] };
  await expect(runtime.send([custom])).rejects.toThrow(
    `events.0.custom_tool_use_id: ${id} is not waiting for this kind of answer`,
  );
  await expect(runtime.send([{ ...confirmation('sevt_none'), result: 'allow' }])).rejects.toThrow(
    'events.0.tool_use_id: sevt_none is not an open tool call of this session, or was answered already',
  );
});

async function noteOf(world: World): Promise<unknown> {
  const lines = await world.log.lines(0, 1_000);
  const note = lines.find(({ type }) => type === 'user.tool_confirmation')?.note ?? null;
  return note === null ? null : JSON.parse(note);
}
