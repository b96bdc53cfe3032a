import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findBreaches } from './source-rules.ts';

function breachesIn(file: string, text: string): number {
  const root = mkdtempSync(join(tmpdir(), 'capstan-rules-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), text);
  return findBreaches(root, [file]).length;
}

describe('source rules', () => {
  it.each([
    ['packages/session/src/turn.ts', 'const at = Date.now();'],
    ['packages/session/src/turn.ts', 'const id = crypto.randomUUID();'],
    ['packages/api/src/app.ts', 'if (process.env.DEBUG) log();'],
    ['apps/main/src/blobs.ts', 'const secret = env.PLATFORM_ROOT_SECRET;'],
    ['packages/db/src/agents.test.ts', "vi.mock('./d1.ts');"],
    ['packages/db/src/agents.test.ts', "it.skip('later', () => {});"],
    ['packages/db/src/agents.test.ts', 'await sleep(100);'],
    ['packages/db/src/agents.ts', '// @ts-ignore'],
    ['packages/db/src/agents.ts', 'const a = 1; // TODO tidy'],
  ])('%s may not say %s', (file, line) => {
    expect(breachesIn(file, `export {};\n${line}\n`)).toBe(1);
  });

  it.each([
    ['packages/session/src/turn.test.ts', 'const at = Date.now();'],
    ['packages/session/src/turn.ts', '// Date.now() would make the fold depend on when it runs'],
    ['apps/main/src/index.ts', 'const secret = env.PLATFORM_ROOT_SECRET;'],
    ['scripts/dev.ts', 'const path = process.env.PATH;'],
    ['packages/db/src/agents.ts', '// TODO(#12) tidy'],
    ['packages/dev-model/src/intent.ts', "const sample = 'write TODO';"],
  ])('%s may say %s', (file, line) => {
    expect(breachesIn(file, `${line}\n`)).toBe(0);
  });
});
