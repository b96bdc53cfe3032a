import { describe, expect, it } from 'vitest';
import { type Cases, collect } from '../ground.ts';

export const environmentCases: Cases = (ground) => {
  describe('beta.environments', () => {
    it('are created, changed, listed, archived and deleted', async () => {
      const { environments } = ground().client.beta;
      const made = await environments.create({ name: 'Compat' });
      expect(made).toMatchObject({
        type: 'environment',
        description: null,
        config: { type: 'cloud', networking: { type: 'unrestricted' }, packages: { pip: [] } },
        archived_at: null,
      });
      const networking = { type: 'limited' as const, allowed_hosts: ['example.com'] };
      const changed = await environments.update(made.id, { config: { type: 'cloud', networking } });
      expect(changed.config).toMatchObject({
        networking: { allowed_hosts: ['example.com'], allow_mcp_servers: false },
      });
      expect(await environments.retrieve(made.id)).toEqual(changed);
      expect((await collect(environments.list({ limit: 2 }))).map(({ id }) => id)).toContain(made.id);
      expect((await environments.archive(made.id)).archived_at).not.toBeNull();
      await expect(environments.update(made.id, { name: 'x' })).rejects.toMatchObject({
        status: 400,
        errorCode: 'environment_archived',
      });
      expect(await environments.delete(made.id)).toMatchObject({ id: made.id, type: 'environment_deleted' });
      await expect(environments.retrieve(made.id)).rejects.toMatchObject({ status: 404 });
    });
  });
};
