import { expect, it } from 'vitest';
import { Crew, delegate, message, PRIMARY } from './testing/crew.ts';
import { until, World } from './testing.ts';

/** A session that begins with the crew's log, up to its last event of that type. */
async function fork(crew: Crew, type: string) {
  const at = (await crew.world.events()).findLast((event) => event.type === type)?.id ?? '';
  const world = new World(crew.world.spec.agent);
  world.ids = crew.world.ids;
  const origin = { sessionId: crew.world.spec.sessionId, eventId: at };
  world.spec = { ...world.spec, sessionId: 'sesn_fork', threadId: 'sthr_fork', origin };
  world.others.set(origin.sessionId, crew.runtime);
  return { world, runtime: await world.open() };
}

async function answer(
  world: World,
  thread: string,
  replies: Parameters<World['harness']['waitingModels'][0]['settle']>[0],
) {
  const waiting = () => world.harness.waitingModels.find(({ call }) => call.threadId === thread);
  await until(() => waiting() !== undefined);
  waiting()?.settle(replies);
}

it('a fork of an archived session is alive', async () => {
  const crew = await Crew.open();
  await crew.send(message('hello'));
  await crew.says(PRIMARY, 'hi');
  await crew.rests();
  await crew.runtime.archive();
  for (const type of ['session.status_terminated', 'session.thread_status_terminated']) {
    const { world, runtime } = await fork(crew, type);
    expect(runtime.view).toMatchObject({ status: 'idle', archivedAt: null });
    expect((await world.events()).at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    await runtime.send([message('again')]);
    await answer(world, 'sthr_fork', [{ type: 'message', text: 'here' }]);
    await until(() => runtime.view.status === 'idle');
  }
});

it('threads of a fork answer its own coordinator, and hear from it', async () => {
  const crew = await Crew.open();
  const [scout = ''] = await crew.delegated(['scout', 'look']);
  await crew.says(PRIMARY, 'waiting');
  await crew.says(scout, 'seen');
  const { world, runtime } = await fork(crew, 'session.thread_status_idle');
  expect(runtime.threads.map(({ parentId }) => parentId)).toEqual([null, 'sthr_fork']);
  await runtime.send([message('ask again')]);
  await answer(world, 'sthr_fork', [delegate({ thread_id: scout, message: 'look again' })]);
  await answer(world, scout, [{ type: 'message', text: 'seen again' }]);
  await answer(world, 'sthr_fork', [{ type: 'message', text: 'asked' }]);
  await answer(world, 'sthr_fork', [{ type: 'message', text: 'thanks' }]);
  await until(() => runtime.view.status === 'idle' && world.harness.waitingModels.length === 0);
  const received = (await world.events()).filter(({ type }) => type === 'agent.thread_message_received');
  expect(JSON.stringify(received)).toContain('seen again');
});
