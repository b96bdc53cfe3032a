// What a deployment is made of, looked at as a session would: a deployment that is saved could run now.
import { resourceTokenIdentity } from '@capstan/db/deployment-resource';
import { stores } from '@capstan/db/stores';
import type { KeptResource } from '@capstan/db/tables/deployments';
import type { CreateDeployment, DeploymentAddress, UpdateDeployment } from '@capstan/schema/deployments';
import { ApiError } from '@capstan/schema/error';
import { requireBudgetable } from './budgetable.ts';
import { withFiles } from './file-references.ts';
import { type ResourceParam, toNewResources } from './new-resources.ts';
import { requireVaults } from './required-vaults.ts';
import type { SessionPorts } from './session-creation.ts';

interface Pinned {
  id: string;
  version: number;
}

/** The version that is current, unless one is named. Refuses an unknown agent (`not_found`) and an archived one. */
export async function pinAgent(
  { db }: SessionPorts,
  { tenantId }: DeploymentAddress,
  given: CreateDeployment['agent'],
): Promise<Pinned> {
  const { id, version } = typeof given === 'string' ? { id: given } : given;
  const agent = await stores(db, tenantId).agents.retrieve(id, version);
  if (agent.archived_at === null) return { id, version: agent.version };
  throw new ApiError('invalid_request', `agent: ${id} is archived and starts no new sessions`, {
    reason: 'agent_archived',
  });
}

type Parts = Pick<
  UpdateDeployment,
  'environment_id' | 'initial_events' | 'resources' | 'vault_ids' | 'budget'
>;

interface Looked {
  tenantId: string;
  agent: Pinned;
  parts: Parts;
  /** Epoch ms. */
  now: number;
}

/** Refuses what a run could not have. Parts that are absent are not looked at. */
export async function requireParts(
  ports: SessionPorts,
  { tenantId, agent, parts, now }: Looked,
): Promise<void> {
  const { db, blobs, sealer, sessions } = ports;
  const { environments, memoryStores, sessions: store } = stores(db, tenantId);
  if (parts.environment_id !== undefined) {
    const { archived_at } = await environments.retrieve(parts.environment_id);
    const reason = 'environment_archived';
    if (archived_at !== null)
      throw new ApiError('invalid_request', 'environment_id: the environment is archived', { reason });
  }
  const { vault_ids: vaultIds, environment_id: environmentId = null } = parts;
  await requireVaults(db, { tenantId, vaultIds: vaultIds ?? [], environmentId });
  const events = parts.initial_events ?? [];
  await withFiles({ db, blobs }, { tenantId, events, path: 'initial_events', now });
  const resources = parts.resources ?? [];
  await toNewResources(resources, { tenantId, sealer, now, memoryStores });
  await requireFiles(ports, { tenantId, resources, now });
  const snapshot = parts.budget?.max_list_cost ? await store.agentFor(agent) : null;
  if (snapshot) await requireBudgetable(sessions, { tenantId, agent: snapshot, budget: parts.budget });
}

/** As they are kept: without their tokens, which are sealed beside them. */
export async function keepResources(
  { sealer }: SessionPorts,
  { tenantId, deploymentId }: DeploymentAddress,
  params: readonly ResourceParam[],
): Promise<KeptResource[]> {
  const kept: KeptResource[] = [];
  for (const [index, param] of params.entries()) {
    if (param.type !== 'github_repository') {
      kept.push({ config: param, token: null });
      continue;
    }
    const { authorization_token: token, ...config } = param;
    const identity = resourceTokenIdentity(tenantId, deploymentId, index);
    kept.push({ config, token: token === undefined ? null : await sealer.seal(token, identity) });
  }
  return kept;
}

interface Files {
  tenantId: string;
  resources: readonly ResourceParam[];
  now: number;
}

/** Names the first file that is not there. */
async function requireFiles({ db }: SessionPorts, { tenantId, resources, now }: Files): Promise<void> {
  const wanted = resources.flatMap((resource, index) =>
    resource.type === 'file' ? [{ index, id: resource.file_id }] : [],
  );
  if (wanted.length === 0) return;
  const rows = await stores(db, tenantId).files.rows(wanted.map(({ id }) => id));
  const there = rows.filter(({ blob, expiresAt }) => blob !== null && (expiresAt ?? now + 1) > now);
  const missing = wanted.find(({ id }) => !there.some((row) => row.id === id));
  if (missing === undefined) return;
  const path = `resources.${missing.index}.file_id`;
  throw new ApiError('not_found', `${path}: no file ${missing.id}, or it has expired`, {
    reason: 'file_not_found',
  });
}
