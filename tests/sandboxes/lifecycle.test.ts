// The life of a session's sandbox on real processes: what is done in it outlives it, and what does not is told.
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Conversation, count, eventsOf, type Ground, prepare, textOf } from '../support/conversation.ts';
import { FailpointServer } from '../support/failpoint-server.ts';
import { kill } from '../support/processes.ts';
import { SandboxView } from '../support/sandbox-view.ts';
import { TestPlatform } from '../support/test-platform.ts';

let view: SandboxView;
let failpoints: FailpointServer;
let platform: TestPlatform;
let client: Anthropic;
let ground: Ground;

beforeAll(async () => {
  failpoints = await FailpointServer.start();
  platform = await TestPlatform.open({
    vars: { FAILPOINTS: failpoints.url, SANDBOX_SNAPSHOT_AFTER_SECONDS: '1' },
    restartAfterMs: 200,
  });
  view = new SandboxView(platform.state);
  client = platform.connect();
  ground = await prepare(client, 'claude-sonnet-4-6');
}, 240_000);

afterAll(async () => {
  await platform.close();
  await failpoints.stop();
});

const soon = { timeout: 30_000, interval: 50 };

/** Says it, and waits for what comes of it. */
async function told(conversation: Conversation, text: string) {
  const before = count(await eventsOf(client, conversation.id), 'session.status_idle');
  await conversation.say(text);
  return conversation.ended(before + 1);
}

const lastResult = (events: Awaited<ReturnType<typeof eventsOf>>) =>
  textOf(events.filter((event) => event.type === 'agent.tool_result').slice(-1), 'agent.tool_result');

const linesOf = (event: string, sessionId: string) =>
  view.lines('workers', event).filter((line) => line.session_id === sessionId);

const photographed = (sessionId: string, times = 1) =>
  expect.poll(() => linesOf('sandbox.snapshot', sessionId).length, soon).toBe(times);

describe('a session whose sandbox has ended', () => {
  it('has the files of its last snapshot again, and its log says what came back and what did not', async () => {
    const session = await Conversation.begin(client, ground, 'Run: echo kept > /workspace/kept.txt');
    await session.ended();
    await photographed(session.id);
    await view.end(session.id);
    const events = await told(session, 'Run: cat /workspace/kept.txt');
    expect(lastResult(events)).toContain('kept');
    const replaced = events.filter((event) => String(event.type) === 'session.sandbox_replaced');
    const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
    const lost = { files: 'none', processes: false };
    expect(replaced).toMatchObject([{ restored: { snapshot_taken_at: at }, lost }]);
  }, 90_000);

  it('says what is gone when nothing had been photographed, and goes on', async () => {
    const session = await Conversation.begin(
      client,
      ground,
      'Run: sleep 600 & echo gone > /workspace/gone.txt',
    );
    await session.ended();
    await view.end(session.id);
    const events = await told(session, 'Run: ls /workspace');
    expect(lastResult(events)).toMatch(/Note: the session's sandbox had ended/);
    const [replaced] = events.filter((event) => String(event.type) === 'session.sandbox_replaced');
    expect(replaced).toMatchObject({ restored: null, lost: { files: 'all', processes: true } });
  }, 90_000);
});

describe('a session whose sandbox a command has made unusable', () => {
  const kept = async () => {
    const session = await Conversation.begin(client, ground, 'Run: echo kept > /workspace/kept.txt');
    await session.ended();
    await photographed(session.id);
    return session;
  };

  it('is told so by the next call, and the one after has the files of the last snapshot', async () => {
    const session = await kept();
    const commands = ['rm -rf /usr/bin /bin', 'echo hi', 'cat /workspace/kept.txt'];
    const script = commands.map((command) => `[[tool bash ${JSON.stringify({ command })}]]`).join(' ');
    const events = await told(session, script);
    const results = events.filter((event) => event.type === 'agent.tool_result').slice(-2);
    expect(results).toMatchObject([{ is_error: true }, { is_error: false }]);
    const [refused, last] = results.map((result) => textOf([result], 'agent.tool_result'));
    expect(refused).toContain('cannot be used any more');
    expect(last).toMatch(/Note: the session's sandbox had ended.*kept/);
    const replaced = events.filter((event) => String(event.type) === 'session.sandbox_replaced');
    const restored = { snapshot_taken_at: expect.any(String) };
    const lost = { files: 'since_snapshot', processes: true };
    expect(replaced).toMatchObject([{ restored, lost }]);
  }, 120_000);

  it('keeps its last snapshot: the wreck is not photographed, and is ended once the session rests', async () => {
    const session = await kept();
    const before = view.snapshots(session.id);
    await told(session, 'Run: echo more > /workspace/kept.txt; chmod 000 /bin/bash');
    await expect.poll(() => view.of(session.id), soon).toBeNull();
    expect(linesOf('sandbox.wrecked', session.id)).toHaveLength(1);
    expect(view.snapshots(session.id)).toEqual(before);
    expect(lastResult(await told(session, 'Run: cat /workspace/kept.txt'))).toMatch(/Note: .*kept/);
  }, 120_000);
});

it('a sandbox in which a command still runs is not photographed', async () => {
  const session = await Conversation.begin(client, ground, 'Run: sleep 600 >/dev/null 2>&1 &');
  await session.ended();
  await expect.poll(() => linesOf('sandbox.background', session.id).length, soon).toBeGreaterThan(0);
  expect(view.snapshots(session.id)).toEqual([]);
  const events = await told(session, 'Run: pkill sleep; echo stopped');
  expect(lastResult(events)).toContain('stopped');
  await photographed(session.id);
  expect(view.snapshots(session.id)).toHaveLength(1);
}, 60_000);

it('workerd dies between a snapshot and its record: it is recorded by the next, and nothing is left over', async () => {
  const session = await client.beta.sessions.create(ground);
  const conversation = new Conversation(client, session.id);
  const struck = failpoints.strike({
    point: 'sandbox.snapshot:after',
    session: session.id,
    kill: () => kill(platform, 'workerd'),
  });
  await conversation.say('Run: echo kept > /workspace/kept.txt');
  await struck;
  expect(view.snapshots(session.id)).toHaveLength(1);
  await photographed(session.id);
  expect(view.snapshots(session.id)).toHaveLength(1);
  await view.end(session.id);
  expect(
    lastResult(await told(conversation, 'Run: cat /workspace/kept.txt; echo more >> /workspace/kept.txt')),
  ).toContain('kept');
  await expect
    .poll(
      () => view.lines('workers', 'sandbox.snapshot').filter((line) => line.session_id === session.id).length,
      soon,
    )
    .toBe(2);
  await expect.poll(() => view.snapshots(session.id).length, soon).toBe(1);
  await client.beta.sessions.delete(session.id);
  await expect.poll(() => view.snapshots(session.id).length, soon).toBe(0);
  await expect.poll(() => view.of(session.id), soon).toBeNull();
}, 120_000);

it('a fork begins with the files of its session, and keeps them when that is gone', async () => {
  const source = await Conversation.begin(client, ground, 'Run: echo shared > /workspace/shared.txt');
  const events = await source.ended();
  const early = events.find((event) => event.type === 'user.message')?.id;
  const forkAt = (at: string | undefined) =>
    client.post<{ id: string; capstan: { sandbox_snapshot: { taken_at: string } | null } }>(
      `/v1/sessions/${source.id}/fork`,
      { body: { at } },
    );
  await photographed(source.id);
  expect((await forkAt(early)).capstan.sandbox_snapshot).toBeNull();
  const fork = await forkAt(events.at(-1)?.id);
  expect(fork.capstan.sandbox_snapshot?.taken_at).toMatch(/^\d{4}-/);
  await client.beta.sessions.delete(source.id);
  await expect.poll(() => view.of(source.id), soon).toBeNull();
  const branch = new Conversation(client, fork.id);
  expect(lastResult(await told(branch, 'Run: cat /workspace/shared.txt'))).toContain('shared');
  expect(view.snapshots(source.id)).toHaveLength(1);
  await client.beta.sessions.delete(fork.id);
  await expect.poll(() => view.snapshots(source.id).length, soon).toBe(0);
  await expect.poll(() => view.snapshots(fork.id).length, soon).toBe(0);
}, 120_000);

describe('prewarming', () => {
  const prewarm = (id: string) => client.post(`/v1/sessions/${id}/prewarm`).asResponse();

  it('makes the sandbox before anything is said, once however often it is asked for', async () => {
    const session = await client.beta.sessions.create(ground);
    const answers = await Promise.all([prewarm(session.id), prewarm(session.id)]);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    await expect.poll(() => view.of(session.id), soon).not.toBeNull();
    const made = () => linesOf('sandbox.ready', session.id);
    const steps = { image_ms: expect.any(Number), create_ms: expect.any(Number) };
    await expect.poll(made, soon).toMatchObject([{ how: 'spawned', ...steps }]);
    await client.beta.sessions.archive(session.id);
    await expect(prewarm(session.id)).rejects.toMatchObject({ status: 409 });
    await expect(prewarm('sesn_none')).rejects.toMatchObject({ status: 404 });
    await expect.poll(() => view.of(session.id), soon).toBeNull();
  }, 60_000);
});

it('an image that cannot be built is an error on the session, and the next message tries again', async () => {
  const environment = await client.beta.environments.create({
    name: 'Broken',
    config: { type: 'cloud', packages: { type: 'packages', apt: ['no-such-package-anywhere'] } },
  });
  const broken = { agent: ground.agent, environment_id: environment.id };
  const session = await Conversation.begin(client, broken, 'Run: echo hi');
  const events = await session.ended();
  const errors = () => events.filter((event) => event.type === 'session.error');
  expect(errors()).toMatchObject([
    { error: { type: 'environment_image_error', retry_status: { type: 'retrying' } } },
  ]);
  expect(lastResult(events)).toContain('the image of the environment cannot be built');
  const again = await told(session, 'Run: echo hi');
  expect(again.filter((event) => event.type === 'session.error')).toHaveLength(2);
}, 120_000);
