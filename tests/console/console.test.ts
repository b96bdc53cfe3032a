// The built Console in a real browser, under the strictest policy: what a person sees and does.
import { rm } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildConsole, launch } from './browser.ts';
import { API_KEY, FakePlatform } from './platform.ts';
import { type Draft, idle, makeAgent, makeId, makeSession, text } from './seeds.ts';

let dist: string;
let browser: Browser;
let platform: FakePlatform;
let page: Page;
let complaints: string[];

vi.setConfig({ testTimeout: 60_000, hookTimeout: 240_000 });

beforeAll(async () => {
  [dist, browser] = await Promise.all([buildConsole(), launch()]);
});

afterAll(async () => {
  await browser?.close();
  if (dist) await rm(dist, { recursive: true, force: true });
});

beforeEach(async () => {
  platform = new FakePlatform(dist);
  await platform.listen();
  complaints = [];
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(30_000);
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  // Chromium reports every violation of the policy as an error of the console.
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) complaints.push(message.text());
  });
});

afterEach(async () => {
  await page.context().close();
  await platform.close();
  expect(complaints).toEqual([]);
});

async function signIn(path = '/'): Promise<void> {
  platform.codes.add('good');
  await page.goto(`${platform.origin}/login?next=${encodeURIComponent(path)}#code=good`);
  await page.getByRole('link', { name: 'Capstan' }).waitFor();
}

async function openSession(drafts: Draft[] = []) {
  const live = platform.addSession(makeSession(makeAgent('Engineer'), { title: 'A session' }), drafts);
  await signIn(`/sessions/${live.session.id}`);
  await page.getByRole('heading', { name: 'A session' }).waitFor();
  await expect.poll(() => live.streams.size).toBe(1);
  return live;
}

const messageBox = () => page.getByRole('textbox', { name: 'Message' });

describe('signing in', () => {
  it('takes an API key, goes where the person wanted to go and signs out again', async () => {
    const live = platform.addSession(makeSession(makeAgent('Engineer'), { title: 'Wanted' }));
    await page.goto(`${platform.origin}/sessions/${live.session.id}`);
    await page.getByLabel('API key').fill(API_KEY);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Wanted' }).waitFor();
    expect(await page.title()).toBe('Wanted · Capstan');
    expect(await page.evaluate(() => document.cookie)).toBe('');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in to Capstan' }).waitFor();
    expect(platform.cookie).toBeNull();
  });

  it('says that a key is wrong and keeps the form usable', async () => {
    await page.goto(platform.origin);
    await page.getByLabel('API key').fill('wrong');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('This API key is not valid');
    await page.getByLabel('API key').fill(API_KEY);
    await page.keyboard.press('Enter');
    await page.getByText('No sessions yet').waitFor();
  });

  it('uses the code of a link once and leaves no trace of it in the address', async () => {
    platform.codes.add('once');
    await page.goto(`${platform.origin}/login#code=once`);
    await page.getByText('No sessions yet').waitFor();
    expect(page.url()).toBe(`${platform.origin}/`);
    await page.goBack();
    expect(page.url()).not.toContain('once');
  });

  it('says that a link has expired', async () => {
    await page.goto(`${platform.origin}/login#code=stale`);
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('expired or was already used');
    expect(page.url()).toBe(`${platform.origin}/login`);
  });

  it('returns to the sign-in page when the cookie is no longer good, and never leaves this origin', async () => {
    await openSession();
    platform.cookie = null;
    await messageBox().fill('hello');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/login\?next=%2Fsessions%2F/);
    await page.goto(`${platform.origin}/login?next=//evil.example/`);
    await page.getByLabel('API key').fill(API_KEY);
    await page.keyboard.press('Enter');
    await page.getByText('A session').waitFor();
    expect(page.url()).toBe(`${platform.origin}/`);
  });
});

describe('the list', () => {
  it('shows the first request to paste while it is empty', async () => {
    await signIn();
    await page.getByText('No sessions yet').waitFor();
    expect(await page.locator('pre').textContent()).toContain(`export CAPSTAN=${platform.origin}`);
    expect(await page.getByRole('complementary', { name: 'Model' }).textContent()).toContain(
      'development model',
    );
  });

  it('shows more on request and opens a session', async () => {
    const of = makeAgent('Engineer');
    for (let n = 1; n <= 30; n += 1) platform.addSession(makeSession(of, { title: `Session ${n}` }));
    await signIn();
    await page.getByText('Session 30').waitFor();
    expect(await page.getByText('Session 5', { exact: true }).count()).toBe(0);
    await page.getByRole('button', { name: 'Load more' }).click();
    await page.getByText('Session 5', { exact: true }).click();
    await page.getByRole('heading', { name: 'Session 5' }).waitFor();
  });

  it('starts a session, making its agent first when there is none', async () => {
    await signIn('/sessions/new');
    await page.getByLabel('Name').fill('Gardener');
    await page.getByRole('radio', { name: /^Judge it/ }).click();
    await page.getByRole('button', { name: 'Create agent' }).click();
    await page.getByRole('radio', { name: /Gardener/ }).waitFor();
    const judged = { enabled: true, permission_policy: { type: 'auto' } };
    expect(platform.asked[0]?.tools).toMatchObject([{ configs: Array.from({ length: 6 }, () => judged) }]);
    await page.getByLabel('First message').fill('Run: uname -a');
    await page.getByRole('button', { name: 'Start session' }).click();
    await page.getByRole('heading', { name: 'Run: uname -a' }).waitFor();
    expect(platform.sent).toMatchObject([{ type: 'user.message', content: text('Run: uname -a') }]);
  });
});

describe('one session', () => {
  it('shows history, then a message growing word by word until its event takes its place', async () => {
    const live = await openSession([
      { type: 'user.message', content: text('earlier') },
      { type: 'span.model_request_start', capstan: { provider: 'dev', model: 'dev-1' } },
      { type: 'agent.message', content: text('an answer') },
      ...idle(),
    ]);
    await page.getByText('an answer').waitFor();
    expect(await page.getByText('development model', { exact: true }).count()).toBe(1);
    platform.emit(live, { type: 'session.status_running' });
    const id = makeId('sevt');
    platform.preview(live, { type: 'event_start', event: { type: 'agent.message', id } });
    for (const word of ['One ', 'two ']) {
      platform.preview(live, {
        type: 'event_delta',
        event_id: id,
        delta: { type: 'content_delta', index: 0, content: { type: 'text', text: word } },
      });
    }
    await page.locator('[data-live]', { hasText: 'One two' }).waitFor();
    platform.emit(live, { id, type: 'agent.message', content: text('One two three') }, ...idle());
    await page.getByText('One two three').waitFor();
    expect(await page.locator('[data-live]').count()).toBe(0);
    expect(await page.getByText('One two').count()).toBe(1);
  });

  it('sends a message and keeps it when the server refuses it', async () => {
    await openSession();
    platform.refuseSend = { status: 400, message: 'events.0.content: too long' };
    await messageBox().fill('hello there');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('events.0.content: too long');
    expect(await messageBox().inputValue()).toBe('hello there');
    await page.keyboard.press('Control+Enter');
    await page.locator('ol').getByText('hello there').waitFor();
    await expect.poll(() => messageBox().inputValue()).toBe('');
    expect(platform.sent).toMatchObject([{ type: 'user.message', content: text('hello there') }]);
  });

  it('takes a message for sent when the line broke after the server had it', async () => {
    await openSession();
    platform.breakSend = true;
    await messageBox().fill('only once');
    await page.keyboard.press('Enter');
    await page.locator('ol').getByText('only once').waitFor();
    await expect.poll(() => messageBox().inputValue()).toBe('');
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(platform.sent).toHaveLength(1);
  });

  it('stops a running agent', async () => {
    const live = await openSession();
    expect(await page.getByRole('button', { name: 'Stop the agent' }).count()).toBe(0);
    platform.emit(live, { type: 'session.status_running' });
    await page.getByRole('button', { name: 'Stop the agent' }).click();
    await page.getByText('You stopped the agent').waitFor();
    expect(platform.sent).toMatchObject([{ type: 'user.interrupt' }]);
    platform.emit(live, ...idle());
    await page.getByRole('button', { name: 'Stop the agent' }).waitFor({ state: 'detached' });
  });

  it('asks for approval, sends the denial with its reason and answers custom tools', async () => {
    const [first, second, third] = [makeId('sevt'), makeId('sevt'), makeId('sevt')];
    await openSession([
      { id: first, type: 'agent.tool_use', name: 'bash', input: { command: 'rm -rf build' } },
      { id: second, type: 'agent.tool_use', name: 'bash', input: { command: 'curl example.com' } },
      { id: third, type: 'agent.custom_tool_use', name: 'ask_weather', input: { city: 'Lyon' } },
      ...idle([first, second, third]),
    ]);
    await page.getByText('3 tool calls wait for you').waitFor();
    await page.locator(`#${first}`).getByRole('button', { name: 'Allow' }).click();
    await page.getByText('2 tool calls wait for you').waitFor();
    await page.locator(`#${second}`).getByRole('button', { name: 'Deny…' }).click();
    await page.keyboard.type('No network please');
    await page.keyboard.press('Enter');
    await page.getByText('The agent waits for you: ask_weather').waitFor();
    await page.getByLabel('Result of this tool').fill('Sunny');
    await page.getByRole('button', { name: 'Send result' }).click();
    await page.getByText('waits for you').waitFor({ state: 'detached' });
    expect(platform.sent).toMatchObject([
      { type: 'user.tool_confirmation', tool_use_id: first, result: 'allow' },
      {
        type: 'user.tool_confirmation',
        tool_use_id: second,
        result: 'deny',
        deny_message: 'No network please',
      },
      { type: 'user.custom_tool_result', custom_tool_use_id: third, content: text('Sunny'), is_error: false },
    ]);
  });

  it('shows hostile output as text: nothing runs, nothing is fetched', async () => {
    const hostile = `<img src="https://evil.example/x.png" onerror="window.owned=1"><script>window.owned=1</script>`;
    const use = makeId('sevt');
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await openSession([
      { type: 'user.message', content: text(hostile) },
      {
        type: 'agent.message',
        content: text(`${hostile}\n\n[click](javascript:window.owned=1)\n\`\`\`html\n${hostile}\n\`\`\``),
      },
      { id: use, type: 'agent.tool_use', name: hostile, input: { command: hostile } },
      { type: 'agent.tool_result', tool_use_id: use, content: text(hostile) },
      {
        type: 'session.error',
        error: { type: 'unknown_error', message: hostile, retry_status: { type: 'exhausted' } },
      },
      ...idle(),
    ]);
    await expect.poll(() => page.getByText(hostile).count()).toBeGreaterThanOrEqual(5);
    expect(await page.locator('main script, main img, main iframe, ol a').count()).toBe(0);
    expect(await page.evaluate(() => 'owned' in window)).toBe(false);
    expect(requests.filter((url) => !url.startsWith(platform.origin))).toEqual([]);
  });

  it('says that the line is lost, resumes after the last sequence and misses nothing', async () => {
    const live = await openSession();
    platform.emit(live, { type: 'agent.message', content: text('before') });
    await page.getByText('before').waitFor();
    platform.offline = true;
    platform.cutStreams(live);
    await page.getByText('Connection lost. Reconnecting…').waitFor();
    platform.emit(live, { type: 'agent.message', content: text('meanwhile') });
    platform.offline = false;
    await page.getByText('meanwhile').waitFor();
    await page.getByText('Connection lost. Reconnecting…').waitFor({ state: 'detached' });
    expect(platform.opened).toEqual([null, '1']);
    expect(await page.getByText('before').count()).toBe(1);
  });

  it('reads history again when the line broke before any event came', async () => {
    const live = await openSession([{ type: 'agent.message', content: text('before') }]);
    await page.getByText('before').waitFor();
    platform.offline = true;
    platform.cutStreams(live);
    await page.getByText('Connection lost. Reconnecting…').waitFor();
    platform.emit(live, { type: 'agent.message', content: text('meanwhile') });
    platform.offline = false;
    await page.getByText('meanwhile').waitFor();
    expect(await page.getByText('before').count()).toBe(1);
    expect(platform.opened).toEqual([null, null]);
  });

  it('stops asking once the session is over', async () => {
    const live = await openSession([{ type: 'session.status_terminated' }]);
    await page.getByText('it can be read, not continued').waitFor();
    platform.cutStreams(live);
    await page.getByText('The session has ended').waitFor();
    expect(await page.getByText('Connection lost').count()).toBe(0);
    expect(platform.opened).toEqual([null]);
  });

  it('clips long output until asked, and folds a tool call away', async () => {
    const use = makeId('sevt');
    const output = Array.from({ length: 100 }, (_, line) => `line ${line + 1}`).join('\n');
    await openSession([
      { id: use, type: 'agent.tool_use', name: 'bash', input: { command: 'make' } },
      { type: 'agent.tool_result', tool_use_id: use, content: text(output) },
      ...idle(),
    ]);
    await page.getByText('line 14').waitFor();
    expect(await page.getByText('line 15').count()).toBe(0);
    await page.getByRole('button', { name: 'Show all 100 lines' }).click();
    await page.getByText('line 100').waitFor();
    await page.getByRole('button', { name: /bash make/ }).click();
    expect(await page.getByText('line 1', { exact: false }).count()).toBe(0);
  });

  it('follows the newest line, but leaves a reader who scrolled up alone', async () => {
    const lines: Draft[] = Array.from({ length: 60 }, (_, n) => ({
      type: 'agent.message',
      content: text(`says ${n}`),
    }));
    const live = await openSession(lines);
    await page.getByText('says 59', { exact: true }).waitFor();
    const fromEnd = () =>
      page
        .locator('section .overflow-y-auto')
        .evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
    await expect.poll(fromEnd).toBeLessThan(2);
    platform.emit(live, { type: 'agent.message', content: text('newest') });
    // Growth between two frames must not look like a reader who left.
    await page.locator('section .overflow-y-auto > div').evaluate(async (inner) => {
      for (let n = 0; n < 10; n += 1) {
        await new Promise(requestAnimationFrame);
        await new Promise((done) => setTimeout(done));
        const line = document.createElement('div');
        line.style.height = '300px';
        inner.append(line);
      }
    });
    await expect.poll(fromEnd).toBeLessThan(2);
    await page.locator('section .overflow-y-auto').evaluate((box) => box.scrollTo(0, 100));
    await page.getByRole('button', { name: 'Latest' }).waitFor();
    platform.emit(live, { type: 'agent.message', content: text('unseen') });
    await page.getByText('unseen').waitFor({ state: 'attached' });
    expect(await page.locator('section .overflow-y-auto').evaluate((box) => box.scrollTop)).toBe(100);
    await page.getByRole('button', { name: 'Latest' }).click();
    await expect.poll(fromEnd).toBeLessThan(2);
  });

  it('reads long histories by pages', async () => {
    const lines: Draft[] = Array.from({ length: 300 }, (_, n) => ({
      type: 'agent.message',
      content: text(`says ${n};`),
    }));
    await openSession(lines);
    await page.getByText('says 299;').waitFor();
    expect(await page.getByText('says 10;').count()).toBe(0);
    await page.getByRole('button', { name: 'Show earlier events' }).click();
    await page.getByText('says 10;').waitFor({ state: 'attached' });
    expect(await page.locator('ol > li').first().textContent()).toContain('says 0;');
    expect(await page.getByRole('button', { name: 'Show earlier events' }).count()).toBe(0);
  });
});

describe('the frame', () => {
  it('has no sideways scroll at 360 pixels on any page', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    const long = 'x'.repeat(400);
    const use = makeId('sevt');
    const live = await openSession([
      { type: 'user.message', content: text(long) },
      { type: 'agent.message', content: text(`${long}\n\`\`\`\n${long}\n\`\`\`\n\`${long}\``) },
      { id: use, type: 'agent.tool_use', name: 'bash', input: { command: long } },
      { type: 'agent.tool_result', tool_use_id: use, content: text(long) },
      ...idle([use]),
    ]);
    for (const path of [
      `/sessions/${live.session.id}`,
      '/',
      '/sessions/new',
      '/login',
      '/nowhere',
      '/sessions/none',
    ]) {
      await page.goto(platform.origin + path);
      await page.getByRole('heading').first().waitFor();
      const overflowing = await page.evaluate(() =>
        [document.documentElement, ...document.querySelectorAll('main, section, section .overflow-y-auto')]
          .filter((box) => box.scrollWidth > box.clientWidth)
          .map((box) => box.tagName),
      );
      expect(overflowing, path).toEqual([]);
    }
  });

  it('keeps the chosen theme and obeys the system without one', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await signIn();
    const mode = () => page.evaluate(() => document.documentElement.dataset.mode);
    expect(await mode()).toBe('dark');
    await page.getByRole('button', { name: /^Theme: system/ }).click();
    expect(await mode()).toBe('light');
    await page.reload();
    await page.getByRole('button', { name: /^Theme: light/ }).waitFor();
    expect(await mode()).toBe('light');
  });

  it('answers an unknown address and an unknown session with a page of its own', async () => {
    await page.goto(`${platform.origin}/nowhere`);
    await page.getByRole('heading', { name: 'There is no page here' }).waitFor();
    await signIn('/sessions/sesn_none');
    await page.getByRole('heading', { name: 'This session does not exist' }).waitFor();
  });

  it('offers to try again when the server cannot be reached', async () => {
    await page.goto(`${platform.origin}/login`);
    await page.getByLabel('API key').fill(API_KEY);
    platform.offline = true;
    await page.keyboard.press('Enter');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('The server cannot be reached');
    platform.offline = false;
    await page.keyboard.press('Enter');
    await page.getByText('No sessions yet').waitFor();
  });
});
