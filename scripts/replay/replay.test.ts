// Recordings played again: real sessions of the whole platform, and sessions made here in which processes die.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { outcome, say, use } from '../../packages/session/src/scripted-harness.ts';
import { quiesce, until, World } from '../../packages/session/src/testing.ts';
import { Player } from './player.ts';
import { readRecording } from './recording.ts';

const dir = mkdtempSync(join(tmpdir(), 'capstan-replay-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const NAMES = readdirSync(join(import.meta.dirname, 'recordings')).map((file) => file.replace('.jsonl', ''));

const recording = (name: string) => join(import.meta.dirname, 'recordings', `${name}.jsonl`);
const replay = (file: string) => new Player(readRecording(file)).play();
const rowsOf = (file: string) => readFileSync(file, 'utf8').trim().split('\n').length - 1;

/** The recording with one text of its rows changed. */
function changed(name: string, change: (text: string) => string): string {
  const file = join(dir, `${name}-changed.jsonl`);
  writeFileSync(file, change(readFileSync(recording(name), 'utf8')));
  return file;
}

describe('a recording', () => {
  it.each(NAMES)('of a real session (%s) comes out the same', async (name) => {
    expect(await replay(recording(name))).toBe(rowsOf(recording(name)));
  });

  it('that the engine no longer lives up to says which row differs, and how', async () => {
    const file = changed('day', (text) => text.replace('"type":"retries_exhausted"', '"type":"end_turn"'));
    const other = changed('fork', (text) =>
      text.replaceAll('"stop_reason":{"type":"end_turn"}', '"stop_reason":{"type":"refusal"}'),
    );
    await expect(replay(other)).rejects.toThrow(
      /^row \d+ \(session\.thread_status_idle\): stop_reason\.type: recorded "refusal", now "end_turn"$/,
    );
    expect(await replay(file)).toBe(rowsOf(file));
  });

  it('that is none says which line cannot be read', () => {
    const file = join(dir, 'none.jsonl');
    writeFileSync(file, '{"type":"session"}\n{"seq":');
    expect(() => readRecording(file)).toThrow('line 2 is no JSON');
    writeFileSync(file, '{"seq":1}');
    expect(() => readRecording(file)).toThrow('the first line has to be');
  });
});

const message = (text: string) => ({
  type: 'user.message' as const,
  content: [{ type: 'text' as const, text }],
});

async function exported(world: World, name: string): Promise<string> {
  const file = join(dir, `${name}.jsonl`);
  const runtime = await world.open();
  await until(() => runtime.view.status === 'idle');
  writeFileSync(file, await new Response(runtime.exportLog()).text());
  return file;
}

async function answered(world: World, reply: Parameters<World['harness']['models'][0]['settle']>[0]) {
  await until(() => world.harness.waitingModels.length > 0);
  world.harness.waitingModels[0]?.settle(reply);
}

describe('a session', () => {
  it('whose process died in a tool and in a model call is played with the same deaths', async () => {
    const world = new World();
    let runtime = await world.open();
    await runtime.send([message('work')]);
    await answered(world, [use('bash', { command: 'a' }), use('bash', { command: 'b' })]);
    await until(() => world.harness.tools.length === 2);
    world.harness.tools[0]?.settle(outcome('A'));
    await quiesce();
    world.harness.outcomes.set(world.harness.tools[1]?.input.effectId ?? '', outcome('B'));
    runtime = await world.open();
    await until(() => world.harness.models.length === 2);
    runtime = await world.open();
    await until(() => world.harness.models.length === 3);
    world.harness.models[2]?.settle([say('done')]);
    await until(() => runtime.view.status === 'idle');
    const file = await exported(world, 'deaths');
    expect(await replay(file)).toBe(rowsOf(file));
  });

  it('whose context was compacted is compacted at the same place', async () => {
    const world = new World();
    const runtime = await world.open();
    await runtime.send([message('tell me')]);
    await answered(world, [say('words '.repeat(50))]);
    await until(() => runtime.view.status === 'idle');
    world.harness.choice = { contextWindow: 1_600 };
    await runtime.send([message('go on')]);
    await until(() => world.harness.waitingModels.length > 0);
    world.harness.choice = {};
    await answered(world, [say('what was said before')]);
    await answered(world, [say('more')]);
    await until(() => runtime.view.status === 'idle');
    expect(await world.types()).toContain('agent.thread_context_compacted');
    const file = await exported(world, 'compacted');
    expect(await replay(file)).toBe(rowsOf(file));
  });
});
