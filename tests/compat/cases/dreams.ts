import { describe, expect, it } from 'vitest';
import { atRest, type Cases, collect, MODEL, say, until } from '../ground.ts';

export const dreamCases: Cases = (ground) => {
  describe('beta.dreams', () => {
    it('make a memory store of what was said in sessions', async () => {
      const { client, agentId, environmentId } = ground();
      const { dreams } = client.beta;
      const session = await client.beta.sessions.create({ agent: agentId, environment_id: environmentId });
      await say(ground(), session.id, '[[say Ada likes tea]]');
      await atRest(ground(), session.id);
      const store = await client.beta.memoryStores.create({ name: 'Before' });
      const inputs = [
        { type: 'memory_store' as const, memory_store_id: store.id },
        { type: 'sessions' as const, session_ids: [session.id] },
      ];
      const dream = await dreams.create({ inputs, model: MODEL });
      expect(dream).toMatchObject({ type: 'dream', inputs, error: null, archived_at: null });
      const ended = await until(async () => {
        const now = await dreams.retrieve(dream.id);
        return now.ended_at !== null && now;
      });
      expect(ended).toMatchObject({ status: 'completed', outputs: [{ type: 'memory_store' }] });
      expect((await collect(dreams.list())).map(({ id }) => id)).toContain(dream.id);
      expect((await dreams.archive(dream.id)).archived_at).not.toBeNull();
      const other = await dreams.create({ inputs, model: MODEL });
      expect(await dreams.cancel(other.id)).toMatchObject({ status: 'canceled' });
    });
  });
};
