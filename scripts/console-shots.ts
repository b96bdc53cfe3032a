// Screenshots of every page of the Console, at 1440 and 390 pixels, light and dark: `node scripts/console-shots.ts [folder]`.
import { mkdir, rm } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { buildConsole, launch } from '../tests/console/browser.ts';
import { API_KEY, FakePlatform } from '../tests/console/platform.ts';
import {
  type Draft,
  idle,
  makeAgent,
  makeId,
  makeSession,
  minutesAgo,
  text,
} from '../tests/console/seeds.ts';

const folder = process.argv[2] ?? '/tmp/capstan-console-shots';
const SIZES = [
  { name: '1440', width: 1440, height: 900 },
  { name: '390', width: 390, height: 844 },
];

const LONG = Array.from({ length: 240 }, (_, line) => `test ${line + 1} … ok (${(line * 7) % 40} ms)`).join(
  '\n',
);
const ANSWER = `The build fails because \`tsconfig.json\` sets **verbatimModuleSyntax** and one import is missing \`type\`.

## What to change

\`\`\`diff
-import { Session } from './session.ts';
+import type { Session } from './session.ts';
\`\`\`

- The other 41 files already do this.
- Nothing else in the project depends on it.

I ran the whole suite afterwards: 240 tests pass.`;

function call(tool: Record<string, Record<string, unknown>>, output: string, failed = false): Draft[] {
  const [name = '', input = {}] = Object.entries(tool)[0] ?? [];
  const id = makeId('sevt');
  return [
    { id, type: 'agent.tool_use', name, input },
    { type: 'agent.tool_result', tool_use_id: id, content: text(output), is_error: failed },
  ];
}

const dev: Draft = { type: 'span.model_request_start', capstan: { provider: 'dev', model: 'capstan-dev-1' } };
const conversation: Draft[] = [
  { type: 'user.message', content: text('The build is red since this morning. Find out why and mend it.') },
  { type: 'session.status_running' },
  dev,
  { type: 'agent.thinking' },
  { type: 'agent.message', content: text('I will look at what the compiler says first.') },
  ...call(
    { bash: { command: 'pnpm typecheck' } },
    "src/turn.ts(4,10): error TS1484: 'Session' is a type and must be imported using a type-only import when 'verbatimModuleSyntax' is enabled.\n\nELIFECYCLE Command failed with exit code 2.",
    true,
  ),
  ...call(
    { read: { file_path: '/workspace/src/turn.ts', offset: 1, limit: 8 } },
    "1\timport { appendFile } from 'node:fs/promises';\n2\timport { Clock } from './clock.ts';\n3\t\n4\timport { Session } from './session.ts';",
  ),
  ...call(
    {
      edit: {
        file_path: '/workspace/src/turn.ts',
        old_string: 'import { Session }',
        new_string: 'import type { Session }',
      },
    },
    'Edited /workspace/src/turn.ts (1 replacement)',
  ),
  ...call({ bash: { command: 'pnpm test' } }, LONG),
  { type: 'agent.message', content: text(ANSWER) },
  ...idle(),
];

const approvalId = makeId('sevt');
const customId = makeId('sevt');
const waiting: Draft[] = [
  { type: 'user.message', content: text('Remove the old build directories and tell the team.') },
  { type: 'session.status_running' },
  dev,
  {
    type: 'agent.message',
    content: text('These directories have not been touched for a month. I would remove them now.'),
  },
  {
    id: approvalId,
    type: 'agent.tool_use',
    name: 'bash',
    input: { command: 'rm -rf build-2026-0*' },
    evaluated_permission: 'ask',
  },
  {
    id: customId,
    type: 'agent.custom_tool_use',
    name: 'notify_team',
    input: { channel: '#builds', text: 'Old build directories are being removed.' },
  },
  ...idle([approvalId, customId]),
];

const troubled: Draft[] = [
  { type: 'user.message', content: text('Summarise the incident.') },
  { type: 'session.status_running' },
  {
    type: 'session.error',
    error: {
      type: 'model_overloaded_error',
      message: 'The provider answered 529 (overloaded).',
      retry_status: { type: 'retrying' },
    },
  },
  { type: 'session.status_rescheduled' },
  { type: 'session.status_running' },
  {
    type: 'session.error',
    error: {
      type: 'model_request_failed_error',
      message: 'The provider refused the key (401). Set OPENAI_API_KEY in .dev.vars and start again.',
      retry_status: { type: 'exhausted' },
    },
  },
  { type: 'session.status_idle', stop_reason: { type: 'retries_exhausted' }, stop_details: null },
];

function seed(platform: FakePlatform) {
  const agents = [
    makeAgent('Release engineer', { system: 'You keep builds green.' }),
    makeAgent('Incident writer', { model: 'gpt-6' }),
    makeAgent('Careful cleaner', { ask: true }),
  ];
  const [engineer = makeAgent('A'), writer = makeAgent('B'), cleaner = makeAgent('C')] = agents;
  platform.agents = agents;
  const titles = [
    'Nightly dependency report',
    'Translate the changelog',
    'Why is the cache cold?',
    null,
    'Port the importer to streams',
  ];
  for (const [index, title] of titles.entries()) {
    platform.addSession(
      makeSession(index % 2 ? writer : engineer, {
        title,
        updated_at: minutesAgo(60 * 30 - index * 400),
        status: index === 1 ? 'terminated' : 'idle',
      }),
    );
  }
  const failed = platform.addSession(
    makeSession(writer, { title: 'Incident of Tuesday night', updated_at: minutesAgo(42), status: 'idle' }),
    troubled,
  );
  const asks = platform.addSession(
    makeSession(cleaner, { title: 'Clean up old builds', updated_at: minutesAgo(8) }),
    waiting,
  );
  const busy = platform.addSession(
    makeSession(engineer, {
      title: 'Measure the cold start',
      status: 'running',
      updated_at: minutesAgo(0.2),
    }),
    [
      { type: 'user.message', content: text('Measure the cold start ten times.') },
      { type: 'session.status_running' },
      dev,
      {
        id: makeId('sevt'),
        type: 'agent.tool_use',
        name: 'bash',
        input: { command: 'for i in $(seq 10); do ./bench cold; done' },
      },
    ],
  );
  const talk = platform.addSession(
    makeSession(engineer, {
      title: 'The build is red since this morning. Find out why',
      updated_at: minutesAgo(2),
    }),
    conversation,
  );
  return { failed, asks, busy, talk };
}

async function capture(
  browser: Browser,
  dist: string,
  look: { size: (typeof SIZES)[number]; scheme: 'light' | 'dark' },
) {
  const platform = new FakePlatform(dist);
  await platform.listen();
  const { width, height } = look.size;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: look.scheme,
    hasTouch: width < 500,
  });
  const page = await context.newPage();
  const shot = async (name: string) => {
    await page.waitForLoadState('networkidle', { timeout: 1500 }).catch(() => undefined);
    await page.screenshot({ path: `${folder}/${name}-${look.size.name}-${look.scheme}.png` });
  };
  await visit(page, platform, shot);
  await context.close();
  await platform.close();
}

async function visit(page: Page, platform: FakePlatform, shot: (name: string) => Promise<void>) {
  await page.goto(`${platform.origin}/login`);
  await page.getByLabel('API key').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await shot('login');
  await page.getByLabel('API key').fill(API_KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('No sessions yet').waitFor();
  await shot('empty');
  await page.goto(`${platform.origin}/sessions/new`);
  await page.getByRole('button', { name: 'Create agent' }).waitFor();
  await shot('new-agent');
  const { failed, asks, busy, talk } = seed(platform);
  for (const [name, path, ready] of [
    ['list', '/', 'Clean up old builds'],
    ['new-session', '/sessions/new', 'Release engineer'],
    ['talk', `/sessions/${talk.session.id}`, 'Nothing else in the project'],
    ['asks', `/sessions/${asks.session.id}`, 'The agent waits until you decide'],
    ['busy', `/sessions/${busy.session.id}`, 'Measure the cold start ten times'],
    ['failed', `/sessions/${failed.session.id}`, 'gave this turn up'],
    ['missing', '/sessions/sesn_nope', 'does not exist'],
    ['nowhere', '/nowhere', 'no page here'],
  ] as const) {
    await page.goto(platform.origin + path);
    await page.getByText(ready).first().waitFor();
    await shot(name);
  }
}

await mkdir(folder, { recursive: true });
const dist = await buildConsole();
const browser = await launch();
for (const size of SIZES)
  for (const scheme of ['light', 'dark'] as const) await capture(browser, dist, { size, scheme });
await browser.close();
await rm(dist, { recursive: true });
console.log(`screenshots are in ${folder}`);
