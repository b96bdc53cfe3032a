// Welcome: asks the started platform who it is, and says how to use it. Commands in it work as they are pasted.
import { Fault, reasonOf } from './fault.ts';

const PATIENCE_MS = 120_000;

export type Platform = { url: string; apiKey: string; model: string; loginLink: string };

/** Waits for a healthy answer, then makes a one-time login link. A platform that is not well is a Fault. */
export async function greet(url: string, apiKey: string): Promise<Platform> {
  await checkHealth(url);
  const [me, link] = await Promise.all([
    ask(url, apiKey, 'GET /api/me'),
    ask(url, apiKey, 'POST /api/login_links'),
  ]);
  return {
    url,
    apiKey,
    model: textAt(me, ['model', 'message']),
    loginLink: `${url}/login#code=${textAt(link, ['code'])}`,
  };
}

export function welcomeText({ url, apiKey, model, loginLink }: Platform): string {
  return `
Capstan is ready.

  API      ${url}
  API key  ${apiKey}
  Console  ${loginLink}
           (signs you in once, within ten minutes; later sign in with the API key)
  Model    ${model}

First request, to paste into another terminal:

${firstRequest(url, apiKey)}

Ctrl-C stops everything. State stays in .capstan; --reset clears it.
`;
}

function firstRequest(url: string, apiKey: string): string {
  return `  URL=${url} KEY=${apiKey}
  call() { curl -s "$URL/v1/$1" -H "x-api-key: $KEY" -H 'content-type: application/json' "\${@:2}"; }
  id() { grep -o '"id":"'$1'_[^"]*"' | head -n 1 | cut -d'"' -f4; }
  AGENT=$(call agents -d '{"name":"First","model":"claude-sonnet-4-6","system":"You are brief.","tools":[{"type":"bash"}]}' | id agent)
  SESSION=$(call sessions -d '{"agent_id":"'$AGENT'"}' | id sesn)
  call sessions/$SESSION/events -d '{"events":[{"type":"user.message","content":[{"type":"text","text":"Run: uname -a"}]}]}'
  call "sessions/$SESSION/events/stream?after=0" -N --max-time 5`;
}

/** One that has much to make up for is slow at first: that alone is no fault. */
async function checkHealth(url: string): Promise<void> {
  for (const until = Date.now() + PATIENCE_MS; ; ) {
    const response = await fetch(`${url}/health`).catch((error: unknown) => {
      throw new Fault(`The platform does not answer: ${reasonOf(error)}.`, 'See .capstan/logs/workers.log');
    });
    const body: unknown = await response.json().catch(() => undefined);
    if (response.ok) return;
    if (Date.now() < until && isSlow(body)) continue;
    throw new Fault(`The platform is not well (${response.status} from ${url}/health).`, problemsIn(body));
  }
}

/** Whether all that is wrong is that backends did not answer in time, which the check has waited for. */
function isSlow(health: unknown): boolean {
  const backends = Object.values(Object(at(health, 'backends')));
  const failed = backends.filter((backend) => at(backend, 'status') !== 'ok');
  return (
    failed.length > 0 &&
    failed.every((backend) => /^no answer in|due to timeout/.test(String(at(backend, 'problem'))))
  );
}

async function ask(url: string, apiKey: string, call: string): Promise<unknown> {
  const [method, path] = call.split(' ');
  const response = await fetch(`${url}${path}`, { method, headers: { 'x-api-key': apiKey } });
  if (response.ok) return await response.json();
  throw new Fault(
    `${call} answered ${response.status}: ${await response.text()}`,
    'See .capstan/logs/workers.log',
  );
}

/** Each failed backend's own words on what is wrong and what mends it. */
function problemsIn(health: unknown): string {
  const backends = at(health, 'backends');
  if (typeof backends !== 'object' || backends === null) return `It said: ${JSON.stringify(health)}`;
  return Object.entries(backends)
    .filter(([, backend]) => at(backend, 'status') !== 'ok')
    .map(([name, backend]) => `${name}: ${at(backend, 'problem')} ${at(backend, 'fix') ?? ''}`)
    .join('\n');
}

function textAt(value: unknown, path: string[]): string {
  const found = path.reduce(at, value);
  if (typeof found !== 'string')
    throw new Fault(`The platform's answer has no ${path.join('.')}.`, JSON.stringify(value));
  return found;
}

function at(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}
