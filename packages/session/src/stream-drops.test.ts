// R5 over whole sessions: readers that lose their line at random places, thousands of times, end with the log, byte for byte.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { say, use } from './scripted-harness.ts';
import { type Frame, FrameReader, previewedTexts } from './sse-testing.ts';
import { until, World } from './testing.ts';

const DROPS = 2_000;
const READERS = 8;
const PIECES = ['Once ', 'upon ', 'a ', 'time ', 'there ', 'was ', 'a ', 'log. 😀'];

/** A reader as an application has it: it resumes where it was, and joins what its lines brought. */
class Follower {
  drops = 0;
  rows = new Map<number, string>();
  /** What came over each line it has had. */
  lines: Frame[][] = [];
  #reader: FrameReader | null = null;
  #open: (after: number) => ReadableStream<Uint8Array>;
  #last = 0;

  constructor(open: (after: number) => ReadableStream<Uint8Array>) {
    this.#open = open;
  }

  connect(): void {
    this.#reader = new FrameReader(this.#open(this.#last));
    void this.#reader.follow();
  }

  /** Loses the line, and comes back. */
  drop(): void {
    this.drops += 1;
    this.take();
    void this.#reader?.cancel();
    this.connect();
  }

  take(): void {
    const frames = this.#reader?.frames ?? [];
    for (const { id, data } of frames) {
      if (id === null) continue;
      if (this.rows.has(id)) throw new Error(`row ${id} came twice`);
      if (id !== this.#last + 1) throw new Error(`row ${id} came after ${this.#last}`);
      this.rows.set(id, JSON.stringify(data));
      this.#last = id;
    }
    this.lines.push(frames);
  }

  get position(): number {
    return this.#reader?.ids.at(-1) ?? this.#last;
  }
}

it(`${DROPS} dropped lines leave every reader with the log, and with no word that is not in it`, async () => {
  const world = new World();
  const runtime = await world.open();
  const random = fc.sample(fc.nat(1_000_000), { seed: 5, numRuns: DROPS * 4 }).values();
  const pick = (below: number) => (random.next().value ?? 0) % below;
  const followers = Array.from(
    { length: READERS },
    () => new Follower((after) => runtime.stream({ after, deltas: ['agent.message'] })),
  );
  for (const follower of followers) follower.connect();
  const churn = async (drops: number) => {
    for (let count = 0; count < drops; count++) {
      followers[pick(READERS)]?.drop();
      for (let tick = pick(6); tick > 0; tick--) await Promise.resolve();
      if (pick(4) === 0) await new Promise(setImmediate);
    }
  };
  for (let turn = 0; followers.reduce((sum, { drops }) => sum + drops, 0) < DROPS; turn++) {
    world.harness.deltas = PIECES.slice(0, 1 + pick(PIECES.length));
    await runtime.send([{ type: 'user.message', content: [{ type: 'text', text: `turn ${turn}` }] }]);
    await churn(25);
    await until(() => world.harness.waitingModels.length === 1);
    await churn(15);
    const words = world.harness.deltas.join('');
    const withTool = turn % 3 === 0;
    world.harness.waitingModels[0]?.settle(withTool ? [say(words), use('ticket')] : [say(words)]);
    await churn(10);
    await until(async () => (await world.types()).at(-1) === 'session.status_idle');
    if (!withTool) continue;
    await runtime.send([{ type: 'user.interrupt' }]);
    await churn(5);
  }
  const log = await world.log.lines(0, 100_000);
  const head = log.at(-1)?.seq ?? 0;
  await until(() => followers.every(({ position }) => position === head));
  const texts = new Map(log.map(({ data }) => [JSON.parse(data).id, JSON.parse(data).content?.[0]?.text]));
  let previewed = 0;
  for (const follower of followers) {
    follower.take();
    expect([...follower.rows.values()]).toEqual(log.map(({ data }) => data));
    for (const line of follower.lines)
      for (const [id, text] of previewedTexts(line)) {
        expect(texts.get(id)).toMatch(new RegExp(`^${text}`));
        previewed += 1;
      }
  }
  expect(previewed).toBeGreaterThan(100);
}, 60_000);
