// What one state has built serves the next: through the builds that use it.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildIfChanged } from './inputs.ts';

let root: string;
let runs: number;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'capstan-store-'));
  writeFileSync(join(root, 'source'), 'one');
  runs = 0;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A platform with a state of its own. */
function build(state: string, make = async () => {}): Promise<boolean> {
  const dir = join(root, state, 'out');
  const marks = join(root, state);
  mkdirSync(marks, { recursive: true });
  const stored = { dir, store: join(root, 'store') };
  const step = { name: 'sample', inputs: [join(root, 'source')], result: join(dir, 'made'), marks, stored };
  return buildIfChanged(step, async () => {
    runs += 1;
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir);
    writeFileSync(join(dir, 'made'), readFileSync(join(root, 'source')));
    await make();
  });
}

const made = (state: string) => readFileSync(join(root, state, 'out/made'), 'utf8');
const stored = () => readdirSync(join(root, 'store'));

describe('what was built', () => {
  it('is there for another state without building it again, whatever lay there', async () => {
    expect(await build('first')).toBe(true);
    mkdirSync(join(root, 'second/out'), { recursive: true });
    writeFileSync(join(root, 'second/out/left'), '');
    expect([await build('second'), await build('second')]).toEqual([true, false]);
    expect([runs, made('second')]).toEqual([1, 'one']);
    expect(existsSync(join(root, 'second/out/left'))).toBe(false);
  });

  it('is built again for other sources, and only the newest is kept', async () => {
    await build('first');
    writeFileSync(join(root, 'source'), 'two');
    await build('second');
    expect([runs, made('second'), stored().length]).toEqual([2, 'two', 1]);
    await build('first');
    expect([runs, made('first')]).toEqual([2, 'two']);
  });

  it('serves also when no copy of it can be kept, and what was left half copied goes', async () => {
    writeFileSync(join(root, 'store'), 'in the way');
    expect([await build('first'), await build('first')]).toEqual([true, false]);
    rmSync(join(root, 'store'));
    mkdirSync(join(root, 'store/draft-1-sample-x'), { recursive: true });
    utimesSync(join(root, 'store/draft-1-sample-x'), 1, 1);
    await build('second');
    expect(stored()).toEqual([expect.stringMatching(/^sample-/)]);
  });

  it('is not kept when it failed', async () => {
    await expect(build('first', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(existsSync(join(root, 'store'))).toBe(false);
  });

  it('is whole when two build it at the same time', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = build('first', () => promise);
    await build('second');
    resolve();
    await slow;
    expect([runs, made('first'), made('second'), stored().length]).toEqual([2, 'one', 'one', 1]);
  });
});
