import { join } from 'node:path';
import { API } from 'typescript/unstable/sync';
import { expect, it } from 'vitest';
import { mutantsOf } from './mutants.ts';

const SESSION = join(import.meta.dirname, '../../packages/session');

it('changes each decision of a file, and nothing that is only there for the compiler', () => {
  const api = new API({ cwd: SESSION });
  try {
    const [project] = api.updateSnapshot({ openProject: join(SESSION, 'tsconfig.json') }).getProjects();
    const source = project?.program.getSourceFile(join(SESSION, 'src/permit.ts'));
    if (source === undefined) throw new Error('the session has permits');
    const { text } = source;
    const mutants = mutantsOf('permit.ts', source);
    for (const { start, end, before, was } of mutants) {
      expect(text.slice(start, end)).toBe(was);
      expect(text.slice(0, start).endsWith(before)).toBe(true);
    }
    const changes = mutants.map(({ was, becomes }) => `${was} => ${becomes}`);
    expect(changes).toEqual(
      expect.arrayContaining(['some => every', '&& => ||', 'policy === null => false', '=== => !==']),
    );
    expect(changes.filter((change) => change.includes('import') || change.includes('ThreadAgent'))).toEqual(
      [],
    );
  } finally {
    api.close();
  }
});
