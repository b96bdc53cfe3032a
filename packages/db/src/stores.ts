// Everything one tenant owns in the control plane. There is no way to ask these stores about another tenant.
import { AgentStore } from './agents.ts';
import { CredentialStore } from './credentials.ts';
import type { Database } from './database.ts';
import { DeploymentRunStore } from './deployment-runs.ts';
import { DeploymentStore } from './deployments.ts';
import { DreamStore } from './dreams.ts';
import { EnvironmentImageStore } from './environment-images.ts';
import { EnvironmentKeyStore } from './environment-keys.ts';
import { EnvironmentVersionStore } from './environment-versions.ts';
import { EnvironmentStore } from './environments.ts';
import { FileStore } from './files.ts';
import { LedgerStore } from './ledger.ts';
import { MemoriesStore } from './memories.ts';
import { MemoryStoresStore } from './memory-stores.ts';
import { MemoryVersionsStore } from './memory-versions.ts';
import { ModelCardStore } from './model-cards.ts';
import { ReceiptStore } from './receipts.ts';
import { ResourceStore } from './resources.ts';
import { SessionStore } from './sessions.ts';
import { SkillStore } from './skills.ts';
import { SnapshotHolderStore } from './snapshot-holders.ts';
import { UserProfileStore } from './user-profiles.ts';
import { VaultStore } from './vaults.ts';
import { WarmPoolStore } from './warm-pools.ts';
import { WebhookDeliveryStore } from './webhook-deliveries.ts';
import { WebhookStore } from './webhooks.ts';

export interface Stores {
  agents: AgentStore;
  environments: EnvironmentStore;
  environmentImages: EnvironmentImageStore;
  environmentKeys: EnvironmentKeyStore;
  environmentVersions: EnvironmentVersionStore;
  sessions: SessionStore;
  deployments: DeploymentStore;
  deploymentRuns: DeploymentRunStore;
  modelCards: ModelCardStore;
  receipts: ReceiptStore;
  ledger: LedgerStore;
  files: FileStore;
  resources: ResourceStore;
  skills: SkillStore;
  snapshotHolders: SnapshotHolderStore;
  webhooks: WebhookStore;
  webhookDeliveries: WebhookDeliveryStore;
  vaults: VaultStore;
  credentials: CredentialStore;
  memoryStores: MemoryStoresStore;
  memories: MemoriesStore;
  memoryVersions: MemoryVersionsStore;
  dreams: DreamStore;
  userProfiles: UserProfileStore;
  warmPools: WarmPoolStore;
}

export function stores(db: Database, tenantId: string): Stores {
  const scope = { db, tenantId };
  return {
    agents: new AgentStore(scope),
    environments: new EnvironmentStore(scope),
    environmentImages: new EnvironmentImageStore(scope),
    environmentKeys: new EnvironmentKeyStore(scope),
    environmentVersions: new EnvironmentVersionStore(scope),
    sessions: new SessionStore(scope),
    deployments: new DeploymentStore(scope),
    deploymentRuns: new DeploymentRunStore(scope),
    modelCards: new ModelCardStore(scope),
    receipts: new ReceiptStore(scope),
    ledger: new LedgerStore(scope),
    files: new FileStore(scope),
    resources: new ResourceStore(scope),
    skills: new SkillStore(scope),
    snapshotHolders: new SnapshotHolderStore(scope),
    webhooks: new WebhookStore(scope),
    webhookDeliveries: new WebhookDeliveryStore(scope),
    vaults: new VaultStore(scope),
    credentials: new CredentialStore(scope),
    memoryStores: new MemoryStoresStore(scope),
    memories: new MemoriesStore(scope),
    memoryVersions: new MemoryVersionsStore(scope),
    dreams: new DreamStore(scope),
    userProfiles: new UserProfileStore(scope),
    warmPools: new WarmPoolStore(scope),
  };
}
