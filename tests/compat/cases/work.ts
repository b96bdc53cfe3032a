import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { atRest, type Cases, collect, type Ground, until } from '../ground.ts';

export const workCases: Cases = (ground) => {
  describe('beta.environments.work', () => {
    it('is polled, acknowledged, kept alive and stopped', async () => {
      const { client, platform } = ground();
      const { work } = client.beta.environments;
      const environment = await client.beta.environments.create({
        name: 'Ours',
        config: { type: 'self_hosted' },
      });
      const of = { environment_id: environment.id };
      const key = await keyOf(platform, environment.id);
      const asWorker = { headers: { authorization: `Bearer ${key}`, 'x-api-key': null } };
      expect(await work.poll(environment.id, {}, asWorker)).toBeNull();
      const session = await begin(ground(), environment.id);
      const item = await until(() => work.poll(environment.id, { block_ms: 500 }, asWorker));
      expect(item).toMatchObject({
        type: 'work',
        environment_id: environment.id,
        data: { type: 'session', id: session },
      });
      expect((await work.ack(item.id, of, asWorker)).acknowledged_at).not.toBeNull();
      const beat = await work.heartbeat(
        item.id,
        { ...of, expected_last_heartbeat: 'NO_HEARTBEAT' },
        asWorker,
      );
      expect(beat).toMatchObject({ type: 'work_heartbeat', lease_extended: true });
      await expect(
        work.heartbeat(item.id, { ...of, expected_last_heartbeat: 'NO_HEARTBEAT' }, asWorker),
      ).rejects.toMatchObject({ status: 412, errorCode: 'heartbeat_precondition_failed' });
      expect(await work.stats(environment.id, {}, asWorker)).toMatchObject({ type: 'work_queue_stats' });
      expect((await collect(work.list(environment.id, {}, asWorker))).map(({ id }) => id)).toContain(item.id);
      expect(await work.retrieve(item.id, of)).toMatchObject({ secret: null });
      expect(await work.update(item.id, { ...of, metadata: { seen: 'yes' } })).toMatchObject({
        metadata: { seen: 'yes' },
      });
      expect(await work.stop(item.id, { ...of, force: true }, asWorker)).toMatchObject({ state: 'stopped' });
    });

    it("is done by the SDK's own poller and worker", async () => {
      const { client, platform, book } = ground();
      const { work } = client.beta.environments;
      const { id: environmentId } = await client.beta.environments.create({
        name: 'Ours too',
        config: { type: 'self_hosted' },
      });
      const environmentKey = await keyOf(platform, environmentId);
      const sessions = [await begin(ground(), environmentId), await begin(ground(), environmentId)];
      await until(async () => (await work.stats(environmentId)).depth === 2);
      for await (const item of work.poller({ environmentId, environmentKey, drain: true, blockMs: null })) {
        const workSecret = item.secret ?? '';
        const claimed = { workId: item.id, environmentId, sessionId: item.data.id, workSecret };
        await work.worker({ workdir: tmpdir(), maxIdleMs: 300 }).handleItem(claimed);
      }
      for (const session of sessions) {
        const events = await atRest(ground(), session);
        expect(JSON.stringify(events)).toContain('from the worker');
      }
      book.worked('beta.environments.work.poller');
      book.worked('beta.environments.work.worker');
    }, 60_000);
  });
};

async function begin({ client, agentId }: Ground, environmentId: string): Promise<string> {
  const session = await client.beta.sessions.create({ agent: agentId, environment_id: environmentId });
  await client.beta.sessions.events.send(session.id, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: 'Run: echo from the worker' }] }],
  });
  return session.id;
}

/** A key of the environment, made over the API as the Console does. */
async function keyOf(platform: { url: string; apiKey: string }, environmentId: string): Promise<string> {
  const response = await fetch(`${platform.url}/v1/environments/${environmentId}/keys`, {
    method: 'POST',
    headers: { 'x-api-key': platform.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Worker' }),
  });
  const { key }: { key: string } = await response.json();
  expect(key).toMatch(/^sk-ant-oat01-/);
  return key;
}
