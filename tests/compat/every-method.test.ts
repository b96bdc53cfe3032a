// Every method of the official SDK, unchanged, against the whole platform as `pnpm dev` starts it.
// What becomes of each is docs/compatibility.md: `vitest run tests/compat/every-method.test.ts -u` writes it, CI compares.
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestPlatform } from '../support/test-platform.ts';
import { agentCases } from './cases/agents.ts';
import { deploymentCases } from './cases/deployments.ts';
import { dreamCases } from './cases/dreams.ts';
import { environmentCases } from './cases/environments.ts';
import { fileCases } from './cases/files.ts';
import { memoryStoreCases } from './cases/memory-stores.ts';
import { modelCases } from './cases/models.ts';
import { sessionCases } from './cases/sessions.ts';
import { skillCases } from './cases/skills.ts';
import { userProfileCases } from './cases/user-profiles.ts';
import { vaultCases } from './cases/vaults.ts';
import { vendorOnlyCases } from './cases/vendor-only.ts';
import { webhookCases } from './cases/webhooks.ts';
import { workCases } from './cases/work.ts';
import { compatibilityPage } from './compatibility-page.ts';
import { type Ground, MODEL } from './ground.ts';
import { MethodBook } from './methods.ts';

const PAGE = join(import.meta.dirname, '../../docs/compatibility.md');
const nobody = createServer((_, response) => response.writeHead(404).end());
let made: Ground | null = null;

const ground: () => Ground = () => {
  if (made === null) throw new Error('the platform does not stand');
  return made;
};

beforeAll(async () => {
  await new Promise<void>((resolve) => nobody.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${Object(nobody.address()).port}`;
  const platform = await TestPlatform.open({ vars: { PRIVATE_HOSTS: host } });
  const client = platform.connect({ maxRetries: 0 });
  const book = new MethodBook(client);
  const tools = [{ type: 'agent_toolset_20260401' as const }];
  const agent = await client.beta.agents.create({ name: 'Under test', model: MODEL, tools });
  const environment = await client.beta.environments.create({ name: 'Under test' });
  const ids = { agentId: agent.id, environmentId: environment.id };
  made = { platform, client, book, ...ids, nobody: `http://${host}` };
}, 240_000);

afterAll(async () => {
  await made?.platform.close();
  nobody.close();
});

for (const cases of [
  agentCases,
  environmentCases,
  workCases,
  sessionCases,
  vaultCases,
  memoryStoreCases,
  fileCases,
  skillCases,
  modelCases,
  deploymentCases,
  dreamCases,
  userProfileCases,
  webhookCases,
  vendorOnlyCases,
]) {
  cases(ground);
}

describe('docs/compatibility.md', () => {
  it('says what became of every method', async () => {
    const { book } = ground();
    expect(book.names.filter((name) => book.outcome(name) === null)).toEqual([]);
    await expect(compatibilityPage(book)).toMatchFileSnapshot(PAGE);
  });
});
