// The agent's Worker in workerd as it is configured for deployment, with a caller beside it as main is. Where its gateway is
// said to be is nobody, unless a test says otherwise.
import { readFileSync } from 'node:fs';
import type { WarmSandbox } from '@capstan/harness/warm-pool';
import type { SandboxKind } from '@capstan/sandbox/warm-pool';
import type { EnvironmentKey } from '@capstan/schema/environment-images';
import type { D1Database } from '@cloudflare/workers-types';
import { createTestHarness } from 'wrangler';

const ROOT = `${import.meta.dirname}/../../../..`;
const VARS = {
  ENVIRONMENT: 'development',
  GATEWAY_URL: 'http://127.0.0.1:9',
  GATEWAY_SECRET: 'a secret for tests, 32 characters and more',
};

interface Pools {
  getByName(name: string): {
    claim(at: EnvironmentKey, sessionId: string, kind: SandboxKind): Promise<WarmSandbox | null>;
    settle(at: EnvironmentKey, sessionId: string, kept: string | null): Promise<void>;
  };
}

interface Bindings {
  DB: D1Database;
  POOLS: Pools;
}

export interface AgentHarness<Agent> {
  /** Of the Worker itself, over migrated tables. */
  env: Bindings;
  /** As main calls it. */
  agent: Agent;
  close(): Promise<void>;
}

export async function openAgentHarness<Agent>(vars: Record<string, string>): Promise<AgentHarness<Agent>> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
  const services = [{ binding: 'AGENT', service: 'capstan-agent', entrypoint: 'AgentService' }];
  const main = './apps/agent/src/testing/caller.ts';
  const harness = createTestHarness({
    root: ROOT,
    workers: [
      { config: { name: 'caller', main, compatibility_date: '2026-10-01', services } },
      { config: agentConfig(vars) },
    ],
  });
  await harness.listen();
  const worker = harness.getWorker<Bindings>('capstan-agent');
  await worker.applyD1Migrations('DB');
  const caller = await harness.getWorker<{ AGENT: Agent }>('caller').getEnv();
  return { env: await worker.getEnv(), agent: caller.AGENT, close: () => harness.close() };
}

function agentConfig(vars: Record<string, string>) {
  const text = readFileSync(`${ROOT}/apps/agent/wrangler.jsonc`, 'utf8');
  const own = JSON.parse(text.replaceAll(/^\s*\/\/.*$/gm, ''));
  return {
    ...own,
    main: './apps/agent/src/index.ts',
    d1_databases: [{ ...own.d1_databases[0], migrations_dir: './migrations/d1' }],
    vars: { ...VARS, ...vars },
  };
}
