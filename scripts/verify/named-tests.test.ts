import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findUnproved } from './named-tests.ts';

const FILES = ['packages/session/src/hub.test.ts', 'tests/engine/churn.test.ts'];

function rulesOn(...rows: string[]): string[] {
  const root = mkdtempSync(join(tmpdir(), 'capstan-named-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'docs'));
  writeFileSync(join(root, 'docs/streams.md'), '');
  const table = ['| Guarantee | Test |', '| --------- | ---- |', ...rows];
  writeFileSync(join(root, 'docs/engine.md'), `${table.join('\n')}\n\n| Other | table |\n`);
  return findUnproved(root, FILES).map(({ line, rule }) => `${line}: ${rule}`);
}

describe('a guarantee of a document', () => {
  it('may name tests of its package, and of any folder', () => {
    expect(rulesOn('| Streams | `hub.test.ts`, `tests/engine/churn.test.ts` |')).toEqual([]);
  });

  it('that names a test which is not there is found', () => {
    expect(rulesOn('| Streams | `hub.test.ts`, `hubs.test.ts` |')).toEqual([
      '3: names a test that is not there: hubs.test.ts',
    ]);
  });

  it('that names none is found', () => {
    expect(rulesOn('| Streams | `hub.test.ts` |', '| Budgets | budgets |')).toEqual([
      '4: a guarantee names the test that proves it',
    ]);
  });
});
