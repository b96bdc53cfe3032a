// A second tenant of a platform, with an API key, written into its database while it is stopped: no route makes tenants.
import { createHash, randomUUID } from 'node:crypto';
import { openControlPlane } from './control-plane.ts';

/** `stateDir` is the platform's; returns the key. */
export function addTenant(stateDir: string): string {
  const tenant = 'tnt_stranger';
  const key = `stranger-${randomUUID()}`;
  const db = openControlPlane(stateDir);
  try {
    db.prepare('INSERT INTO tenants (id, name, created_at) VALUES (?, ?, 0)').run(tenant, 'Stranger');
    db.prepare(
      'INSERT INTO api_keys (id, tenant_id, name, hash, last_four, created_at) VALUES (?, ?, ?, ?, ?, 0)',
    ).run(
      'key_00000000000000000000000000',
      tenant,
      'Stranger',
      createHash('sha256').update(key).digest('hex'),
      key.slice(-4),
    );
    return key;
  } finally {
    db.close();
  }
}
