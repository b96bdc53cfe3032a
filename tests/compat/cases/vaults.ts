import { describe, expect, it } from 'vitest';
import { type Cases, collect } from '../ground.ts';

export const vaultCases: Cases = (ground) => {
  describe('beta.vaults', () => {
    it('keep credentials that are never shown again', async () => {
      const { vaults } = ground().client.beta;
      const vault = await vaults.create({ display_name: 'Compat', metadata: { team: 'a' } });
      expect(vault).toMatchObject({ type: 'vault', display_name: 'Compat', archived_at: null });
      expect(await vaults.update(vault.id, { display_name: 'Renamed' })).toMatchObject({
        display_name: 'Renamed',
      });
      expect(await vaults.retrieve(vault.id)).toMatchObject({ metadata: { team: 'a' } });
      expect((await collect(vaults.list())).map(({ id }) => id)).toContain(vault.id);
      const of = { vault_id: vault.id };
      const made = await vaults.credentials.create(vault.id, {
        display_name: 'A key',
        auth: {
          type: 'environment_variable',
          secret_name: 'SERVICE_KEY',
          secret_value: 'canary-of-the-compat-suite',
          networking: { type: 'limited', allowed_hosts: ['api.example.com'] },
        },
      });
      expect(made).toMatchObject({
        type: 'vault_credential',
        vault_id: vault.id,
        auth: {
          type: 'environment_variable',
          secret_name: 'SERVICE_KEY',
          injection_location: { header: true, body: true },
        },
      });
      const shown = await vaults.credentials.retrieve(made.id, of);
      expect(JSON.stringify([made, shown])).not.toContain('canary');
      const rotated = { type: 'environment_variable' as const, secret_value: 'canary-two' };
      expect((await vaults.credentials.update(made.id, { ...of, auth: rotated })).id).toBe(made.id);
      expect(await collect(vaults.credentials.list(vault.id))).toHaveLength(1);
      expect((await vaults.credentials.archive(made.id, of)).archived_at).not.toBeNull();
      const token = await vaults.credentials.create(vault.id, {
        auth: { type: 'static_bearer', mcp_server_url: 'https://mcp.example.com/mcp', token: 'canary-token' },
      });
      expect(await vaults.credentials.delete(token.id, of)).toMatchObject({
        type: 'vault_credential_deleted',
      });
      expect((await vaults.archive(vault.id)).archived_at).not.toBeNull();
      expect(await vaults.delete(vault.id)).toMatchObject({ id: vault.id, type: 'vault_deleted' });
    });

    it('say whether an OAuth credential still works', async () => {
      const { client, nobody } = ground();
      const { vaults } = client.beta;
      const vault = await vaults.create({ display_name: 'OAuth' });
      const made = await vaults.credentials.create(vault.id, {
        auth: { type: 'mcp_oauth', mcp_server_url: `${nobody}/mcp`, access_token: 'canary-access' },
      });
      const validation = await vaults.credentials.mcpOAuthValidate(made.id, { vault_id: vault.id });
      expect(validation).toMatchObject({
        type: 'vault_credential_validation',
        credential_id: made.id,
        has_refresh_token: false,
      });
      expect(['invalid', 'unknown']).toContain(validation.status);
    });
  });
};
