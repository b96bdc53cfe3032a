// What the agent Worker depends on, really asked: its configuration, and the sandboxes behind the gateway.
import type { BackendHealth } from '@capstan/schema/health';
import type { Env } from './env.ts';
import { noticeOf, openSandboxes } from './ports.ts';

export async function checkBackends(env: Env): Promise<Record<string, BackendHealth>> {
  const [models, sandboxes] = await Promise.all([
    check(
      async () => checkModels(env),
      'Mend the named variable in .dev.vars (locally) or with: wrangler secret put <NAME>',
    ),
    check(
      async () => (await openSandboxes(env).health()).detail,
      'Start the gateway, and set GATEWAY_URL and GATEWAY_SECRET to its address and secret',
    ),
  ]);
  return { models, sandboxes };
}

function checkModels(env: Env): string {
  const notice = noticeOf(env);
  if (notice.provider === 'none') throw new Error(notice.message);
  return notice.message;
}

async function check(ask: () => Promise<string>, fix: string): Promise<BackendHealth> {
  try {
    return { status: 'ok', detail: await ask() };
  } catch (error) {
    const problem = error instanceof Error ? error.message : 'It does not answer.';
    return { status: 'failed', problem, fix };
  }
}
