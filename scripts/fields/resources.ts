// Which of our routes answer for which types of the official SDK.
import { agentRoutes } from '../../packages/schema/src/agents.ts';
import { credentialRoutes } from '../../packages/schema/src/credentials.ts';
import { deploymentRunRoutes } from '../../packages/schema/src/deployment-runs.ts';
import { deploymentRoutes } from '../../packages/schema/src/deployments.ts';
import { environmentRoutes } from '../../packages/schema/src/environments.ts';
import { fileRoutes } from '../../packages/schema/src/files.ts';
import { memoryRoutes } from '../../packages/schema/src/memories.ts';
import { memoryStoreRoutes } from '../../packages/schema/src/memory-stores.ts';
import { memoryVersionRoutes } from '../../packages/schema/src/memory-versions.ts';
import { modelRoutes } from '../../packages/schema/src/models.ts';
import { resourceRoutes } from '../../packages/schema/src/resources.ts';
import type { RouteSpec } from '../../packages/schema/src/route.ts';
import { sessionRoutes } from '../../packages/schema/src/sessions.ts';
import { skillRoutes } from '../../packages/schema/src/skills.ts';
import { threadRoutes } from '../../packages/schema/src/threads.ts';
import { userProfileRoutes } from '../../packages/schema/src/user-profiles.ts';
import { vaultRoutes } from '../../packages/schema/src/vaults.ts';
import { webhookRoutes } from '../../packages/schema/src/webhooks.ts';
import { workRoutes } from '../../packages/schema/src/work.ts';

export interface Resource {
  name: string;
  /** Of the SDK's declarations. */
  file: string;
  /** The route whose answer is the resource, and the SDK's type of it. */
  answer: { route: RouteSpec; type: string };
  /** What is sent to make and change one, and to list them. */
  requests: { route: RouteSpec; type: string }[];
}

export const RESOURCES: readonly Resource[] = [
  {
    name: 'agent',
    file: 'agents/agents',
    answer: { route: agentRoutes.create, type: 'BetaManagedAgentsAgent' },
    requests: [
      { route: agentRoutes.create, type: 'AgentCreateParams' },
      { route: agentRoutes.update, type: 'AgentUpdateParams' },
      { route: agentRoutes.list, type: 'AgentListParams' },
    ],
  },
  {
    name: 'environment',
    file: 'environments/environments',
    answer: { route: environmentRoutes.create, type: 'BetaEnvironment' },
    requests: [
      { route: environmentRoutes.create, type: 'EnvironmentCreateParams' },
      { route: environmentRoutes.update, type: 'EnvironmentUpdateParams' },
      { route: environmentRoutes.list, type: 'EnvironmentListParams' },
    ],
  },
  {
    name: 'work',
    file: 'environments/work',
    answer: { route: workRoutes.retrieve, type: 'BetaSelfHostedWork' },
    requests: [
      { route: workRoutes.update, type: 'WorkUpdateParams' },
      { route: workRoutes.poll, type: 'WorkPollParams' },
      { route: workRoutes.heartbeat, type: 'WorkHeartbeatParams' },
      { route: workRoutes.stop, type: 'WorkStopParams' },
    ],
  },
  {
    name: 'session',
    file: 'sessions/sessions',
    answer: { route: sessionRoutes.create, type: 'BetaManagedAgentsSession' },
    requests: [
      { route: sessionRoutes.create, type: 'SessionCreateParams' },
      { route: sessionRoutes.update, type: 'SessionUpdateParams' },
      { route: sessionRoutes.list, type: 'SessionListParams' },
    ],
  },
  {
    name: 'session thread',
    file: 'sessions/threads/threads',
    answer: { route: threadRoutes.retrieve, type: 'BetaManagedAgentsSessionThread' },
    requests: [{ route: threadRoutes.list, type: 'ThreadListParams' }],
  },
  {
    name: 'session resource (file)',
    file: 'sessions/resources',
    answer: { route: resourceRoutes.add, type: 'BetaManagedAgentsFileResource' },
    requests: [
      { route: resourceRoutes.add, type: 'ResourceAddParams' },
      { route: resourceRoutes.update, type: 'ResourceUpdateParams' },
    ],
  },
  {
    name: 'vault',
    file: 'vaults/vaults',
    answer: { route: vaultRoutes.create, type: 'BetaManagedAgentsVault' },
    requests: [
      { route: vaultRoutes.create, type: 'VaultCreateParams' },
      { route: vaultRoutes.update, type: 'VaultUpdateParams' },
      { route: vaultRoutes.list, type: 'VaultListParams' },
    ],
  },
  {
    name: 'vault credential',
    file: 'vaults/credentials',
    answer: { route: credentialRoutes.create, type: 'BetaManagedAgentsCredential' },
    requests: [
      { route: credentialRoutes.create, type: 'CredentialCreateParams' },
      { route: credentialRoutes.update, type: 'CredentialUpdateParams' },
      { route: credentialRoutes.list, type: 'CredentialListParams' },
    ],
  },
  {
    name: 'memory store',
    file: 'memory-stores/memory-stores',
    answer: { route: memoryStoreRoutes.create, type: 'BetaManagedAgentsMemoryStore' },
    requests: [
      { route: memoryStoreRoutes.create, type: 'MemoryStoreCreateParams' },
      { route: memoryStoreRoutes.update, type: 'MemoryStoreUpdateParams' },
      { route: memoryStoreRoutes.list, type: 'MemoryStoreListParams' },
    ],
  },
  {
    name: 'memory',
    file: 'memory-stores/memories',
    answer: { route: memoryRoutes.create, type: 'BetaManagedAgentsMemory' },
    requests: [
      { route: memoryRoutes.create, type: 'MemoryCreateParams' },
      { route: memoryRoutes.update, type: 'MemoryUpdateParams' },
      { route: memoryRoutes.list, type: 'MemoryListParams' },
      { route: memoryRoutes.delete, type: 'MemoryDeleteParams' },
    ],
  },
  {
    name: 'memory version',
    file: 'memory-stores/memory-versions',
    answer: { route: memoryVersionRoutes.retrieve, type: 'BetaManagedAgentsMemoryVersion' },
    requests: [{ route: memoryVersionRoutes.list, type: 'MemoryVersionListParams' }],
  },
  {
    name: 'file',
    file: 'files',
    answer: { route: fileRoutes.upload, type: 'BetaFileMetadata' },
    requests: [
      { route: fileRoutes.upload, type: 'FileUploadParams' },
      { route: fileRoutes.list, type: 'FileListParams' },
    ],
  },
  {
    name: 'skill',
    file: 'skills/skills',
    answer: { route: skillRoutes.create, type: 'BetaSkill' },
    requests: [
      { route: skillRoutes.create, type: 'SkillCreateParams' },
      { route: skillRoutes.list, type: 'SkillListParams' },
    ],
  },
  {
    name: 'skill version',
    file: 'skills/versions',
    answer: { route: skillRoutes.retrieveVersion, type: 'BetaSkillVersion' },
    requests: [{ route: skillRoutes.createVersion, type: 'VersionCreateParams' }],
  },
  {
    name: 'model',
    file: 'models',
    answer: { route: modelRoutes.retrieve, type: 'BetaModelInfo' },
    requests: [{ route: modelRoutes.list, type: 'ModelListParams' }],
  },
  {
    name: 'deployment',
    file: 'deployments',
    answer: { route: deploymentRoutes.create, type: 'BetaManagedAgentsDeployment' },
    requests: [
      { route: deploymentRoutes.create, type: 'DeploymentCreateParams' },
      { route: deploymentRoutes.update, type: 'DeploymentUpdateParams' },
      { route: deploymentRoutes.list, type: 'DeploymentListParams' },
    ],
  },
  {
    name: 'deployment run',
    file: 'deployment-runs',
    answer: { route: deploymentRunRoutes.retrieve, type: 'BetaManagedAgentsDeploymentRun' },
    requests: [{ route: deploymentRunRoutes.list, type: 'DeploymentRunListParams' }],
  },
  {
    name: 'user profile',
    file: 'user-profiles/user-profiles',
    answer: { route: userProfileRoutes.create, type: 'BetaUserProfile' },
    requests: [
      { route: userProfileRoutes.create, type: 'UserProfileCreateParams' },
      { route: userProfileRoutes.update, type: 'UserProfileUpdateParams' },
      { route: userProfileRoutes.list, type: 'UserProfileListParams' },
    ],
  },
  {
    name: 'webhook endpoint',
    file: 'organization/webhooks',
    answer: { route: webhookRoutes.create, type: 'BetaNewOrganizationWebhookEndpoint' },
    requests: [
      { route: webhookRoutes.create, type: 'WebhookCreateParams' },
      { route: webhookRoutes.update, type: 'WebhookUpdateParams' },
      { route: webhookRoutes.list, type: 'WebhookListParams' },
    ],
  },
];
