// Every route of the platform, in the order the API reference shows them.
import { agentRoutes } from './agents.ts';
import { consoleRoutes } from './console-login.ts';
import { credentialRoutes } from './credentials.ts';
import { deploymentRunRoutes } from './deployment-runs.ts';
import { deploymentRoutes } from './deployments.ts';
import { dreamRoutes } from './dreams.ts';
import { environmentKeyRoutes } from './environment-keys.ts';
import { environmentVersionRoutes } from './environment-versions.ts';
import { environmentRoutes } from './environments.ts';
import { eventRoutes } from './events.ts';
import { fileRoutes } from './files.ts';
import { healthRoutes } from './health.ts';
import { memoryRoutes } from './memories.ts';
import { memoryStoreRoutes } from './memory-stores.ts';
import { memoryVersionRoutes } from './memory-versions.ts';
import { modelCardRoutes } from './model-cards.ts';
import { modelRoutes } from './models.ts';
import { organizationRoutes } from './organizations.ts';
import { previewUrlRoutes } from './preview-urls.ts';
import { resourceRoutes } from './resources.ts';
import type { RouteSpec } from './route.ts';
import { sandboxFileRoutes } from './sandbox-files.ts';
import { sessionRoutes } from './sessions.ts';
import { skillRoutes } from './skills.ts';
import { threadRoutes } from './threads.ts';
import { usageRoutes } from './usage.ts';
import { userProfileRoutes } from './user-profiles.ts';
import { vaultRoutes } from './vaults.ts';
import { warmPoolRoutes } from './warm-pools.ts';
import { webhookRoutes } from './webhooks.ts';
import { workRoutes } from './work.ts';

export const ROUTES: readonly RouteSpec[] = [
  agentRoutes,
  environmentRoutes,
  warmPoolRoutes,
  environmentVersionRoutes,
  environmentKeyRoutes,
  workRoutes,
  sessionRoutes,
  eventRoutes,
  threadRoutes,
  resourceRoutes,
  sandboxFileRoutes,
  previewUrlRoutes,
  fileRoutes,
  vaultRoutes,
  credentialRoutes,
  skillRoutes,
  deploymentRoutes,
  deploymentRunRoutes,
  memoryStoreRoutes,
  memoryRoutes,
  memoryVersionRoutes,
  dreamRoutes,
  modelRoutes,
  modelCardRoutes,
  userProfileRoutes,
  usageRoutes,
  organizationRoutes,
  webhookRoutes,
  healthRoutes,
  consoleRoutes,
].flatMap((routes) => Object.values<RouteSpec>(routes));
