// The compiler compares our wire with the official SDK's types: every answer is one that they promise, and every request
// that they allow is one that we take. Each function below compiles only while that holds of its route.
import type Anthropic from '@anthropic-ai/sdk';
import type { agentRoutes } from '../../packages/schema/src/agents.ts';
import type { credentialRoutes } from '../../packages/schema/src/credentials.ts';
import type { deploymentRunRoutes } from '../../packages/schema/src/deployment-runs.ts';
import type { deploymentRoutes } from '../../packages/schema/src/deployments.ts';
import type { environmentRoutes } from '../../packages/schema/src/environments.ts';
import type { eventRoutes, SessionEvent, StreamEvent } from '../../packages/schema/src/events.ts';
import type { fileRoutes } from '../../packages/schema/src/files.ts';
import type { memoryRoutes } from '../../packages/schema/src/memories.ts';
import type { memoryStoreRoutes } from '../../packages/schema/src/memory-stores.ts';
import type { memoryVersionRoutes } from '../../packages/schema/src/memory-versions.ts';
import type { modelRoutes } from '../../packages/schema/src/models.ts';
import type { resourceRoutes } from '../../packages/schema/src/resources.ts';
import type { RouteOutput, RouteRequest, RouteSpec } from '../../packages/schema/src/route.ts';
import type { sessionRoutes } from '../../packages/schema/src/sessions.ts';
import type { skillRoutes } from '../../packages/schema/src/skills.ts';
import type { threadRoutes } from '../../packages/schema/src/threads.ts';
import type { vaultRoutes } from '../../packages/schema/src/vaults.ts';
import type { webhookRoutes } from '../../packages/schema/src/webhooks.ts';
import type { workRoutes } from '../../packages/schema/src/work.ts';

type Body<R extends RouteSpec> = RouteRequest<R>['body'];
type Item<R extends RouteSpec> = RouteOutput<R> extends { data: (infer One)[] } ? One : never;
/** What travels in the body: the rest is said in headers and in the path. */
type Sent<P, Path extends string = never> = Known<Omit<P, 'betas' | 'workspace_id' | Path>>;

/** The SDK's types let more through than the API takes: any text for a region, and blocks that only the server makes. */
type Known<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends readonly (infer E)[]
    ? Known<Exclude<E, Anthropic.Beta.Sessions.BetaManagedAgentsRedactedBlock>>[]
    : { [K in keyof T]: K extends keyof Narrower ? Narrower[K] : Known<T[K]> };

/** Of these fields we refuse some values by name: see docs/compatibility.md. */
interface Narrower {
  precondition: { type: 'content_sha256'; content_sha256: string } | null;
  inference_geo: 'us' | 'global' | null;
  execution_identity: { type: 'service_account' } | null;
}

/** Of a tool's settings the name is always the type, which one schema for several tools does not say. */
type Paired<T> = T extends { configs: (infer C)[]; type: 'agent_toolset_20260401' }
  ? Omit<T, 'configs'> & { configs: PairedConfig<C>[] }
  : T extends readonly (infer E)[]
    ? Paired<E>[]
    : T extends object
      ? { [K in keyof T]: K extends 'budget' ? OfficialBudget<T[K]> : Paired<T[K]> }
      : T;
/** Budgets may have limits of ours beside the official one, for whoever sets them. */
type OfficialBudget<T> = T extends object ? Anthropic.Beta.Sessions.BetaManagedAgentsBudgetLimit : T;
/** Events and errors of ours stand beside the official ones: unions of the SDK are open. */
type OwnEvent = 'session.sandbox_replaced' | 'span.sandbox_boot';
type OwnError = 'environment_image_error';
type Told<E> = E extends { type: OwnEvent }
  ? never
  : E extends { type: 'session.error'; error: infer F }
    ? Omit<E, 'error'> & { error: Exclude<F, { type: OwnError }> }
    : Paired<E>;
type PairedConfig<C> = C extends { name: infer N }
  ? N extends string
    ? Omit<C, 'type' | 'name'> & { type: N; name: N }
    : never
  : never;

export const agentAnswer = (
  ours: Paired<RouteOutput<typeof agentRoutes.create>>,
): Anthropic.Beta.BetaManagedAgentsAgent => ours;
export const agentCreation = (
  theirs: Sent<Anthropic.Beta.AgentCreateParams>,
): Body<typeof agentRoutes.create> => theirs;
export const agentUpdate = (
  theirs: Sent<Anthropic.Beta.AgentUpdateParams>,
): Body<typeof agentRoutes.update> => theirs;
export const environmentAnswer = (
  ours: Paired<RouteOutput<typeof environmentRoutes.create>>,
): Anthropic.Beta.BetaEnvironment => ours;
export const environmentCreation = (
  theirs: Sent<Anthropic.Beta.EnvironmentCreateParams>,
): Body<typeof environmentRoutes.create> => theirs;
export const sessionAnswer = (
  ours: Paired<RouteOutput<typeof sessionRoutes.create>>,
): Anthropic.Beta.BetaManagedAgentsSession => ours;
export const sessionCreation = (
  theirs: Sent<Anthropic.Beta.SessionCreateParams>,
): Body<typeof sessionRoutes.create> => theirs;
export const threadAnswer = (
  ours: Paired<Item<typeof threadRoutes.list>>,
): Anthropic.Beta.Sessions.BetaManagedAgentsSessionThread => ours;
export const eventAnswer = (
  ours: Told<SessionEvent>,
): Anthropic.Beta.Sessions.BetaManagedAgentsSessionEvent => ours;
export const streamed = (
  ours: Told<StreamEvent>,
): Anthropic.Beta.Sessions.BetaManagedAgentsStreamSessionEvents => ours;
export const sending = (
  theirs: Sent<Anthropic.Beta.Sessions.EventSendParams>,
): Body<typeof eventRoutes.send> => theirs;
export const fileAnswer = (
  ours: Paired<RouteOutput<typeof fileRoutes.upload>>,
): Anthropic.Beta.BetaFileMetadata => ours;
export const resourceAnswer = (
  ours: Paired<Item<typeof resourceRoutes.list>>,
): Anthropic.Beta.Sessions.BetaManagedAgentsSessionResource => ours;
export const vaultAnswer = (
  ours: Paired<RouteOutput<typeof vaultRoutes.create>>,
): Anthropic.Beta.BetaManagedAgentsVault => ours;
export const vaultCreation = (
  theirs: Sent<Anthropic.Beta.VaultCreateParams>,
): Body<typeof vaultRoutes.create> => theirs;
export const vaultUpdate = (
  theirs: Sent<Anthropic.Beta.VaultUpdateParams>,
): Body<typeof vaultRoutes.update> => theirs;
export const credentialAnswer = (
  ours: Paired<RouteOutput<typeof credentialRoutes.create>>,
): Anthropic.Beta.Vaults.BetaManagedAgentsCredential => ours;
export const credentialCreation = (
  theirs: Sent<Anthropic.Beta.Vaults.CredentialCreateParams>,
): Body<typeof credentialRoutes.create> => theirs;
export const credentialUpdate = (
  theirs: Sent<Anthropic.Beta.Vaults.CredentialUpdateParams, 'vault_id'>,
): Body<typeof credentialRoutes.update> => theirs;
export const memoryStoreAnswer = (
  ours: Paired<RouteOutput<typeof memoryStoreRoutes.create>>,
): Anthropic.Beta.BetaManagedAgentsMemoryStore => ours;
export const memoryStoreCreation = (
  theirs: Sent<Anthropic.Beta.MemoryStoreCreateParams>,
): Body<typeof memoryStoreRoutes.create> => theirs;
export const memoryStoreUpdate = (
  theirs: Sent<Anthropic.Beta.MemoryStoreUpdateParams>,
): Body<typeof memoryStoreRoutes.update> => theirs;
export const memoryAnswer = (
  ours: Paired<RouteOutput<typeof memoryRoutes.create>>,
): Anthropic.Beta.MemoryStores.BetaManagedAgentsMemory => ours;
export const memoryItem = (
  ours: Paired<Item<typeof memoryRoutes.list>>,
):
  | Anthropic.Beta.MemoryStores.BetaManagedAgentsMemory
  | Anthropic.Beta.MemoryStores.BetaManagedAgentsMemoryPrefix => ours;
export const memoryCreation = (
  theirs: Sent<Anthropic.Beta.MemoryStores.MemoryCreateParams, 'view' | 'content'> & { content: string },
): Body<typeof memoryRoutes.create> => theirs;
export const memoryUpdate = (
  theirs: Sent<Anthropic.Beta.MemoryStores.MemoryUpdateParams, 'memory_store_id' | 'view'>,
): Body<typeof memoryRoutes.update> => theirs;
export const memoryVersionAnswer = (
  ours: Paired<RouteOutput<typeof memoryVersionRoutes.retrieve>>,
): Anthropic.Beta.MemoryStores.BetaManagedAgentsMemoryVersion => ours;
export const skillAnswer = (ours: Paired<RouteOutput<typeof skillRoutes.create>>): Anthropic.Beta.BetaSkill =>
  ours;
export const skillVersionAnswer = (
  ours: Paired<RouteOutput<typeof skillRoutes.retrieveVersion>>,
): Anthropic.Beta.Skills.BetaSkillVersion => ours;
export const deploymentAnswer = (
  ours: Paired<RouteOutput<typeof deploymentRoutes.create>>,
): Anthropic.Beta.BetaManagedAgentsDeployment => ours;
export const deploymentCreation = (
  theirs: Sent<Anthropic.Beta.DeploymentCreateParams>,
): Body<typeof deploymentRoutes.create> => theirs;
export const deploymentUpdate = (
  theirs: Sent<Anthropic.Beta.DeploymentUpdateParams>,
): Body<typeof deploymentRoutes.update> => theirs;
export const deploymentRunAnswer = (
  ours: Paired<RouteOutput<typeof deploymentRunRoutes.retrieve>>,
): Anthropic.Beta.BetaManagedAgentsDeploymentRun => ours;
export const modelAnswer = (
  ours: Paired<RouteOutput<typeof modelRoutes.retrieve>>,
): Anthropic.Beta.BetaModelInfo => ours;
export const workAnswer = (
  ours: Paired<RouteOutput<typeof workRoutes.retrieve>>,
): Anthropic.Beta.Environments.BetaSelfHostedWork => ours;
export const heartbeatAnswer = (
  ours: Paired<RouteOutput<typeof workRoutes.heartbeat>>,
): Anthropic.Beta.Environments.BetaSelfHostedWorkHeartbeatResponse => ours;
export const workStatsAnswer = (
  ours: Paired<RouteOutput<typeof workRoutes.stats>>,
): Anthropic.Beta.Environments.BetaSelfHostedWorkQueueStats => ours;
export const endpointAnswer = (
  ours: Omit<RouteOutput<typeof webhookRoutes.create>, 'enabled_events'>,
): Omit<Anthropic.Beta.Organization.BetaNewOrganizationWebhookEndpoint, 'enabled_events'> => ours;
export const sessionUpdate = (
  theirs: Sent<Anthropic.Beta.SessionUpdateParams, 'vault_ids'>,
): Body<typeof sessionRoutes.update> => theirs;
export const environmentUpdate = (
  theirs: Sent<Anthropic.Beta.EnvironmentUpdateParams>,
): Body<typeof environmentRoutes.update> => theirs;
