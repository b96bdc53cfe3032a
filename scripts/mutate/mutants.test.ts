import { join } from 'node:path';
import { API } from 'typescript/unstable/sync';
import { afterAll, describe, expect, it } from 'vitest';
import { type Mutant, mutantsOf } from './mutants.ts';
import { withSwitches } from './switches.ts';

const SESSION = join(import.meta.dirname, '../../packages/session');

const api = new API({ cwd: SESSION });
afterAll(() => api.close());

function read(name: string): { text: string; mutants: Mutant[] } {
  const [project] = api.updateSnapshot({ openProject: join(SESSION, 'tsconfig.json') }).getProjects();
  const source = project?.program.getSourceFile(join(SESSION, `src/${name}.ts`));
  if (source === undefined) throw new Error(`the session has ${name}`);
  return { text: source.text, mutants: mutantsOf(`${name}.ts`, source) };
}

describe('mutants', () => {
  it('change each decision of a file, and nothing that is only there for the compiler', () => {
    const { text, mutants } = read('permit');
    for (const { start, end, was, within } of mutants) {
      expect(text.slice(start, end)).toBe(was);
      expect(within.start <= start && end <= within.end).toBe(true);
    }
    const changes = mutants.map(({ was, becomes }) => `${was} => ${becomes}`);
    expect(changes).toEqual(
      expect.arrayContaining(['some => every', '&& => ||', 'server !== undefined => false', '=== => !==']),
    );
    expect(changes.filter((change) => change.includes('import') || change.includes('ThreadAgent'))).toEqual(
      [],
    );
  });

  it('have a key each', () => {
    const { mutants } = read('evolve-thread');
    expect(new Set(mutants.map(({ key }) => key)).size).toBe(mutants.length);
  });
});

describe('a source with switches', () => {
  it('is itself when no mutant is switched on, and each mutant when that one is', () => {
    const text = 'const f = (a: number, b: number[]) => [a + 1 > 2 && a < 5, ...b.slice(1)];';
    const at = (within: string, [was, becomes]: [string, string]): Mutant => {
      const start = text.indexOf(within);
      const from = text.indexOf(was, start);
      const place = { start: from, end: from + was.length, within: { start, end: start + within.length } };
      return { ...place, file: 'f.ts', line: 1, was, becomes, key: `${was} ${becomes}` };
    };
    const mutants = [
      at('a + 1 > 2 && a < 5', ['&&', '||']),
      at('a + 1 > 2', ['>', '<']),
      at('a + 1', ['+', '-']),
      at('1', ['1', '2']),
      at('b.slice(1)', ['b.slice(1)', 'b']),
    ];
    const ids = new Map(mutants.map(({ key }, id) => [key, id]));
    const source = withSwitches(text, mutants, ids).replace(/: number(\[\])?/g, '');
    const run = (on: number): unknown =>
      new Function('on', `globalThis.mutates = (id) => id === on; ${source}; return f(3, [7, 8]);`)(on);
    expect(run(-1)).toEqual([true, 8]);
    expect([0, 1, 2, 3, 4].map(run)).toEqual([
      [true, 8],
      [false, 8],
      [false, 8],
      [true, 8],
      [true, 7, 8],
    ]);
  });
});
