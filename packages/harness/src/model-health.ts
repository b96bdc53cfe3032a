// Whether the models that are configured can be reached: each is really asked, at most once in half a minute, because
// /health is open to everyone and asking spends the deployment's key.
import type { BackendHealth } from '@capstan/schema/health';
import type { ModelChoice } from '@capstan/session/harness';
import { answersEverything, whereToSet } from './answerer.ts';
import type { HarnessConfig } from './config.ts';
import { modelNotice } from './model-notice.ts';
import { scrub } from './models/failure.ts';
import { type ModelRoute, routeTo } from './models/route.ts';

const FRESH_MS = 30_000;
const TIMEOUT_MS = 4_000;

/** Answers, never promises: in Workers a request cannot wait for the I/O of another. */
const answers = new Map<string, { at: number; health: BackendHealth }>();

/** Never rejects. `now` is epoch ms. */
export async function modelHealth(config: HarnessConfig, now: number): Promise<BackendHealth> {
  const key = JSON.stringify(config);
  const known = answers.get(key);
  if (known !== undefined && now - known.at < FRESH_MS) return known.health;
  const health = await ask(config);
  answers.set(key, { at: now, health });
  return health;
}

async function ask(config: HarnessConfig): Promise<BackendHealth> {
  const notice = modelNotice(config);
  if (notice.provider === 'none') {
    return {
      status: 'failed',
      problem: notice.message,
      fix: `Set ANTHROPIC_API_KEY or OPENAI_API_KEY ${whereToSet(config)}`,
    };
  }
  const problems = await Promise.all(providers(config).map((provider) => problemOf(config, provider)));
  const found = problems.find((problem) => problem !== null);
  return found ?? { status: 'ok', detail: notice.message };
}

function providers(config: HarnessConfig): ModelChoice['provider'][] {
  if (answersEverything(config)) return ['dev'];
  const configured: ModelChoice['provider'][] = [];
  if (config.anthropic !== null) configured.push('anthropic');
  if (config.openai !== null) configured.push('openai');
  return configured;
}

async function problemOf(
  config: HarnessConfig,
  provider: ModelChoice['provider'],
): Promise<BackendHealth | null> {
  const route = routeTo(config, { provider, model: '' });
  const { key, address } = route.variables;
  try {
    const reply = await fetch(`${route.baseUrl}/models`, {
      headers: headersFor(route),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await reply.body?.cancel();
    if (reply.status === 401 || reply.status === 403) {
      return failed(`${route.name} refuses the key (${reply.status})`, `Set ${key} ${whereToSet(config)}`);
    }
    // A compatible server need not list its models: any other answer shows that it is there.
    return reply.status < 500
      ? null
      : failed(`${route.name} answers ${reply.status}`, 'Wait, or ask its operator');
  } catch (error) {
    const why = error instanceof Error ? scrub(error.message, route.apiKey) : 'no answer';
    const fix = provider === 'dev' ? 'Start it with: pnpm dev' : `Check ${address} and the network`;
    return failed(`${route.name} cannot be reached: ${why}`, fix);
  }
}

function headersFor({ apiKey, dialect }: ModelRoute): Record<string, string> {
  const version: Record<string, string> = dialect === 'messages' ? { 'anthropic-version': '2023-06-01' } : {};
  if (apiKey === null) return { ...version };
  return dialect === 'messages' ? { ...version, 'x-api-key': apiKey } : { authorization: `Bearer ${apiKey}` };
}

function failed(problem: string, fix: string): BackendHealth {
  return { status: 'failed', problem, fix };
}
