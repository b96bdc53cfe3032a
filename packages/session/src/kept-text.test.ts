// What readers were shown of a message is kept, whatever becomes of the process and of the model that wrote it.
import { describe, expect, it } from 'vitest';
import type { ModelCall, ModelPart } from './harness.ts';
import { ModelFailure } from './harness.ts';
import { say, USAGE, use } from './scripted-harness.ts';
import { FrameReader, previewedTexts } from './sse-testing.ts';
import { Player } from './testing/player.ts';
import { quiesce, until } from './testing.ts';

const { message } = Player;
const DELTAS = ['agent.message' as const];

function watch({ runtime }: Player, after?: number): FrameReader {
  const reader = new FrameReader(
    runtime.stream({ deltas: DELTAS, ...(after === undefined ? {} : { after }) }),
  );
  reader.follow().catch(() => undefined);
  return reader;
}

/** A model that says its words when it is told to. */
class Speaker {
  words: ModelPart[] = [];
  #next: () => void = () => {};

  constructor({ world }: Player) {
    world.harness.call = (_call: ModelCall, signal: AbortSignal) => this.#speak(signal);
  }

  say(text: string): void {
    this.words.push({ type: 'text', output: 0, text });
    this.#next();
  }

  end(text: string): void {
    this.words.push({ type: 'end', outputs: [say(text)], usage: USAGE, refusal: null });
    this.#next();
  }

  async *#speak(signal: AbortSignal): AsyncGenerator<ModelPart> {
    for (;;) {
      const part = this.words.shift();
      if (part !== undefined) yield part;
      if (part?.type === 'end') return;
      if (this.words.length > 0) continue;
      await new Promise<void>((resolve) => {
        this.#next = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      if (signal.aborted) throw new Error('aborted');
    }
  }
}

const texts = (player: Player) =>
  player.all('agent.message').then((said) => said.map(({ id, content }) => [id, JSON.stringify(content)]));

describe('a process that dies while a message is told', () => {
  it('leaves what was told as a message under the id it was announced with, and the turn goes on from there', async () => {
    const player = await Player.open();
    player.world.harness.deltas = ['Once upon', ' a time'];
    const reader = watch(player);
    await player.send(message('a story'));
    await player.model();
    await until(() => [...previewedTexts(reader.frames).values()][0] === 'Once upon a time');
    const [id] = previewedTexts(reader.frames).keys();
    player.world.harness.deltas = [];
    await player.restart();
    const again = await player.model();
    expect(again.input.slice(1)).toEqual([
      { type: 'message', text: 'Once upon a time' },
      { type: 'user', content: [{ type: 'text', text: expect.stringContaining('Go on exactly where') }] },
    ]);
    again.settle([say(' there was a fox.')]);
    await player.rests();
    const said = await player.all('agent.message');
    expect(said.map((event) => event.content)).toEqual([
      [{ type: 'text', text: 'Once upon a time' }],
      [{ type: 'text', text: ' there was a fox.' }],
    ]);
    expect(said[0]?.id).toBe(id);
    expect(await player.world.log.drafts()).toEqual([]);
  });

  it('and a reader that comes back where it was has the same transcript as the list', async () => {
    const player = await Player.open();
    player.world.harness.deltas = ['Once', ' upon'];
    const before = watch(player);
    await player.send(message('a story'));
    await until(() => [...previewedTexts(before.frames).values()][0] === 'Once upon');
    const shown = previewedTexts(before.frames);
    player.world.harness.deltas = [' a', ' time'];
    await player.restart();
    const after = watch(player, before.ids.at(-1) ?? 0);
    (await player.model()).settle([say(' a time')]);
    await player.rests();
    await until(() => after.frames.some(({ event }) => event === 'session.status_idle'));
    const listed = (await player.runtime.events({ limit: 1_000, order: 'asc' })).data;
    const persisted = [...before.frames, ...after.frames].filter(({ id }) => id !== null);
    expect(persisted.map(({ data }) => data.id)).toEqual(listed.map(({ id }) => id));
    for (const [id, text] of [...shown, ...previewedTexts(after.frames)]) {
      const event = listed.find((each) => each.id === id);
      expect(event?.type).toBe('agent.message');
      expect(JSON.stringify(event).includes(JSON.stringify(text).slice(1, -1))).toBe(true);
    }
  });

  it('in one death after another: each piece is a message, in the order it was told', async () => {
    const player = await Player.open();
    await player.send(message('a story'));
    const reply = ['one', ' two', ' three'];
    for (const word of reply) {
      player.world.harness.deltas = [word];
      const reader = watch(player);
      await player.model();
      await until(() => previewedTexts(reader.frames).size > 0);
      await until(() => [...previewedTexts(reader.frames).values()].includes(word));
      player.world.harness.deltas = [];
      await player.restart();
      await player.retries();
    }
    (await player.model()).settle([say(' four')]);
    await player.rests();
    const said = await player.all('agent.message');
    expect(
      said.flatMap(({ content }) => content.map((block) => (block.type === 'text' ? block.text : ''))),
    ).toEqual([...reply, ' four']);
  });

  it('with nobody watching: nothing of it was written, and nothing is kept', async () => {
    const player = await Player.open();
    player.world.harness.deltas = ['Once upon', ' a time'];
    await player.send(message('a story'));
    await player.model();
    await quiesce();
    expect(await player.world.log.drafts()).toEqual([]);
    await player.restart();
    (await player.model()).settle([say('Once upon a time.')]);
    await player.rests();
    expect(await player.count('agent.message')).toBe(1);
  });
});

describe('a model connection that breaks off in a message', () => {
  it('leaves what was told as a message, before the error', async () => {
    const player = await Player.open();
    player.world.harness.deltas = ['Once upon'];
    const reader = watch(player);
    await player.send(message('a story'));
    const call = await player.model();
    await until(() => [...previewedTexts(reader.frames).values()][0] === 'Once upon');
    player.world.harness.deltas = [];
    call.fail(new ModelFailure('model_request_failed_error', 'connection lost', { retryable: true }));
    await until(() => player.runtime.view.status === 'rescheduling');
    const types = await player.world.types();
    expect(types.slice(-5)).toEqual([
      'agent.message',
      'span.model_request_end',
      'session.error',
      'session.thread_status_rescheduled',
      'session.status_rescheduled',
    ]);
    await player.retries();
    const again = await player.model();
    expect(JSON.stringify(again.input)).toContain('Once upon');
    again.settle([say(' a time')]);
    await player.rests();
    expect(await texts(player)).toHaveLength(2);
    expect(previewedTexts(reader.frames).size).toBe(1);
  });

  it('again and again is bounded: what it had said is no progress', async () => {
    const player = await Player.open();
    player.world.harness.deltas = ['word'];
    watch(player);
    await player.send(message('a story'));
    for (let attempt = 0; attempt < 5; attempt++) {
      const call = await player.model();
      await until(async () => (await player.world.log.drafts()).length === 1);
      call.fail(new ModelFailure('model_request_failed_error', 'connection lost', { retryable: true }));
      await until(() => player.runtime.view.status !== 'running');
      await player.retries();
    }
    await player.rests();
    expect(await player.stops()).toEqual(['retries_exhausted']);
    expect(await player.count('agent.message')).toBe(5);
  });
});

describe('an interrupt while a message is told', () => {
  it('drops it: no message, no draft, and no later turn has it', async () => {
    const player = await Player.open();
    player.world.harness.deltas = ['Once upon'];
    const reader = watch(player);
    await player.send(message('a story'));
    await until(() => previewedTexts(reader.frames).size === 1);
    await player.send({ type: 'user.interrupt' });
    await player.rests();
    expect(await player.count('agent.message')).toBe(0);
    expect(await player.world.log.drafts()).toEqual([]);
    player.world.harness.deltas = [];
    await player.send(message('something else'));
    await player.model();
    await player.restart();
    (await player.model()).settle([say('ok')]);
    await player.rests();
    expect(await texts(player)).toEqual([[expect.any(String), '[{"type":"text","text":"ok"}]']]);
  });

  it('also of the words that come while the interrupt is being written', async () => {
    const player = await Player.open();
    const speaker = new Speaker(player);
    watch(player);
    await player.send(message('a story'));
    speaker.say('Once');
    await until(async () => (await player.world.log.drafts()).length === 1);
    const { log } = player.world;
    const append = log.append.bind(log);
    let written: () => void = () => {};
    // Durable, and not known to be: as long as the storage takes.
    log.append = async (...args) => {
      await append(...args);
      await new Promise<void>((resolve) => {
        written = resolve;
      });
    };
    const sent = player.send({ type: 'user.interrupt' });
    await until(async () => (await log.drafts()).length === 0);
    speaker.say(' upon');
    await until(async () => (await log.drafts()).length === 1);
    log.append = append;
    written();
    await sent;
    await player.rests();
    await player.send(message('something else'));
    await until(async () => (await player.world.types()).at(-1) === 'span.model_request_start');
    await player.restart();
    await quiesce();
    expect(await player.count('agent.message')).toBe(0);
  });
});

it('a message that ends in a tool call is whole, and nothing of it is left', async () => {
  const player = await Player.open();
  player.world.harness.deltas = ['Looking'];
  const reader = watch(player);
  await player.send(message('look'));
  const call = await player.model();
  await until(() => previewedTexts(reader.frames).size === 1);
  player.world.harness.deltas = [];
  call.settle([say('Looking.'), use('bash')]);
  await player.tool();
  expect(await player.world.log.drafts()).toEqual([]);
  await player.restart();
  await player.model();
  expect(await player.count('agent.message')).toBe(1);
});
