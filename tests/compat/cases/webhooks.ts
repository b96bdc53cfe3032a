import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Cases, collect } from '../ground.ts';

export const webhookCases: Cases = (ground) => {
  describe('beta.organization', () => {
    it('tells who it is', async () => {
      const { client } = ground();
      expect(await client.beta.organization.retrieve()).toMatchObject({ type: 'organization' });
      expect(await client.organization.retrieve()).toMatchObject({ type: 'organization' });
    });

    it('has webhook endpoints with secrets that are shown once', async () => {
      const { webhooks } = ground().client.beta.organization;
      const made = await webhooks.create({
        url: 'https://hooks.example.com/capstan',
        enabled_events: ['user_profile.program_status_updated'],
        name: 'Compat',
      });
      expect(made.signing_secret).toMatch(/^whsec_/);
      expect(await webhooks.retrieve(made.id)).toMatchObject({ state: 'enabled', disabled_reason: '' });
      expect(JSON.stringify(await webhooks.retrieve(made.id))).not.toContain('whsec_');
      expect(await webhooks.update(made.id, { state: 'disabled' })).toMatchObject({ state: 'disabled' });
      expect((await collect(webhooks.list())).map(({ id }) => id)).toContain(made.id);
      const { signing_secret } = await webhooks.regenerateSigningSecret(made.id);
      expect(signing_secret).not.toBe(made.signing_secret);
      expect(await webhooks.delete(made.id)).toMatchObject({ type: 'webhook_endpoint_deleted' });
    });
  });

  describe('beta.webhooks', () => {
    it('accept what is signed as this server signs, and nothing else', () => {
      const { client, book } = ground();
      const key = `whsec_${Buffer.from('a secret for the compat suite').toString('base64')}`;
      const body = JSON.stringify({
        type: 'event',
        id: 'whe_1',
        created_at: '2026-11-21T00:00:00Z',
        data: { type: 'session.status_idled', id: 'sesn_1', organization_id: 'org', workspace_id: 'wrkspc' },
      });
      const at = String(Math.floor(Date.now() / 1000));
      const secret = Buffer.from('a secret for the compat suite');
      const signature = createHmac('sha256', secret).update(`whe_1.${at}.${body}`).digest('base64');
      const headers = {
        'webhook-id': 'whe_1',
        'webhook-timestamp': at,
        'webhook-signature': `v1,${signature}`,
      };
      expect(client.beta.webhooks.unwrap(body, { headers, key }).data.type).toBe('session.status_idled');
      expect(() => client.beta.webhooks.unwrap(`${body} `, { headers, key })).toThrow();
      book.worked('beta.webhooks.unwrap');
      expect(client.beta.webhooks.parseUnverified(body).id).toBe('whe_1');
      book.worked('beta.webhooks.parseUnverified');
    });
  });
};
