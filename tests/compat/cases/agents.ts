import { describe, expect, it } from 'vitest';
import { type Cases, collect, MODEL } from '../ground.ts';

export const agentCases: Cases = (ground) => {
  describe('beta.agents', () => {
    it('are created, changed by version, listed and archived', async () => {
      const { agents } = ground().client.beta;
      const made = await agents.create({
        name: 'Compat',
        model: MODEL,
        tools: [{ type: 'agent_toolset_20260401' }],
      });
      expect(made).toMatchObject({
        type: 'agent',
        version: 1,
        name: 'Compat',
        description: null,
        system: null,
        multiagent: null,
        mcp_servers: [],
        skills: [],
        metadata: {},
        archived_at: null,
        execution_identity: { type: 'service_account' },
      });
      expect(made._request_id).toMatch(/^req_/);
      const changed = await agents.update(made.id, {
        version: 1,
        system: 'Be brief.',
        metadata: { team: 'a' },
      });
      expect(changed).toMatchObject({ version: 2, system: 'Be brief.', metadata: { team: 'a' } });
      expect((await agents.update(made.id, { version: 2, system: 'Be brief.' })).version).toBe(2);
      await expect(agents.update(made.id, { version: 1 })).rejects.toMatchObject({ status: 409 });
      expect(await agents.retrieve(made.id, { version: 1 })).toMatchObject({ version: 1, system: null });
      const versions = await collect(agents.versions.list(made.id, { limit: 1 }));
      expect(versions.map(({ version }) => version)).toEqual([2, 1]);
      expect((await collect(agents.list({ limit: 2 }))).map(({ id }) => id)).toContain(made.id);
      expect((await agents.archive(made.id)).archived_at).not.toBeNull();
      expect((await collect(agents.list())).map(({ id }) => id)).not.toContain(made.id);
      await expect(agents.update(made.id, { name: 'Other' })).rejects.toMatchObject({ status: 400 });
    });
  });
};
