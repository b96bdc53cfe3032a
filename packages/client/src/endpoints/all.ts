// Written by `pnpm client` from the routes of the schema: change those, not this.
import type { Transport } from '../transport.ts';
import { agents } from './agents.ts';
import { consoleLogin } from './console-login.ts';
import { credentials } from './credentials.ts';
import { deploymentRuns } from './deployment-runs.ts';
import { deployments } from './deployments.ts';
import { dreams } from './dreams.ts';
import { environmentKeys } from './environment-keys.ts';
import { environmentVersions } from './environment-versions.ts';
import { environments } from './environments.ts';
import { events } from './events.ts';
import { files } from './files.ts';
import { health } from './health.ts';
import { memories } from './memories.ts';
import { memoryStores } from './memory-stores.ts';
import { memoryVersions } from './memory-versions.ts';
import { modelCards } from './model-cards.ts';
import { models } from './models.ts';
import { organizations } from './organizations.ts';
import { previewUrls } from './preview-urls.ts';
import { resources } from './resources.ts';
import { sandboxFiles } from './sandbox-files.ts';
import { sessions } from './sessions.ts';
import { skills } from './skills.ts';
import { threads } from './threads.ts';
import { usage } from './usage.ts';
import { userProfiles } from './user-profiles.ts';
import { vaults } from './vaults.ts';
import { warmPools } from './warm-pools.ts';
import { webhooks } from './webhooks.ts';
import { work } from './work.ts';

export function endpoints(transport: Transport) {
  return {
    agents: agents(transport),
    consoleLogin: consoleLogin(transport),
    credentials: credentials(transport),
    deploymentRuns: deploymentRuns(transport),
    deployments: deployments(transport),
    dreams: dreams(transport),
    environmentKeys: environmentKeys(transport),
    environmentVersions: environmentVersions(transport),
    environments: environments(transport),
    events: events(transport),
    files: files(transport),
    health: health(transport),
    memories: memories(transport),
    memoryStores: memoryStores(transport),
    memoryVersions: memoryVersions(transport),
    modelCards: modelCards(transport),
    models: models(transport),
    organizations: organizations(transport),
    previewUrls: previewUrls(transport),
    resources: resources(transport),
    sandboxFiles: sandboxFiles(transport),
    sessions: sessions(transport),
    skills: skills(transport),
    threads: threads(transport),
    usage: usage(transport),
    userProfiles: userProfiles(transport),
    vaults: vaults(transport),
    warmPools: warmPools(transport),
    webhooks: webhooks(transport),
    work: work(transport),
  };
}
