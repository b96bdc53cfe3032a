// What the agent Worker depends on, really asked: the models, and the sandboxes behind the gateway.
import { modelHealth } from '@capstan/harness/model-health';
import type { BackendHealth } from '@capstan/schema/health';
import type { Isolation } from '@capstan/schema/isolation';
import { within } from '@capstan/shared/within';
import type { Env } from './env.ts';
import { openSandboxes, readConfig } from './ports.ts';

const ISOLATION_MS = 1_000;

export async function checkBackends(env: Env): Promise<Record<string, BackendHealth>> {
  const [models, sandboxes] = await Promise.all([checkModels(env), checkSandboxes(env)]);
  return { models, sandboxes, ...checkRootSecret(env) };
}

/** It opens what tenants have handed in; nothing is said of one that is there. */
function checkRootSecret({ PLATFORM_ROOT_SECRET: root }: Env): Record<string, BackendHealth> {
  if (root) return {};
  const problem = 'the secret PLATFORM_ROOT_SECRET is missing: private repositories cannot be cloned';
  const fix =
    'Set it to that of the main Worker: pnpm wrangler secret put PLATFORM_ROOT_SECRET -c apps/agent/wrangler.jsonc';
  return { 'agent.PLATFORM_ROOT_SECRET': { status: 'failed', problem, fix } };
}

async function checkModels(env: Env): Promise<BackendHealth> {
  try {
    return await modelHealth(readConfig(env), Date.now());
  } catch (error) {
    return failed(
      error,
      'Mend the named variable in .dev.vars, or with: wrangler secret put <NAME> --config apps/agent/wrangler.jsonc',
    );
  }
}

async function checkSandboxes(env: Env): Promise<BackendHealth> {
  try {
    const sandboxes = openSandboxes(env);
    const [{ detail }, { isolation }] = await Promise.all([sandboxes.health(), sandboxes.capabilities()]);
    return { status: 'ok', detail, isolation };
  } catch (error) {
    return failed(
      error,
      'Start the gateway (node apps/gateway/src/main.ts) and set GATEWAY_URL and GATEWAY_SECRET to its address and secret: wrangler secret put <NAME> --config apps/agent/wrangler.jsonc',
    );
  }
}

/** Null: there are no sandboxes that can be asked, or they do not answer soon: a page waits for it. */
export async function isolationOf(env: Env): Promise<Isolation | null> {
  const asked = async () => (await openSandboxes(env).capabilities()).isolation;
  return within(asked(), ISOLATION_MS, null);
}

function failed(error: unknown, fix: string): BackendHealth {
  return { status: 'failed', problem: error instanceof Error ? error.message : 'It does not answer.', fix };
}
