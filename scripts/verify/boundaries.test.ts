// The rules of .dependency-cruiser.cjs, each against an import that breaks it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Names of the rules that files with these contents break. */
function broken(files: Record<string, string>): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'capstan-boundaries-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const vendor of ['hono', 'modal']) {
    mkdirSync(join(dir, 'node_modules', vendor), { recursive: true });
    writeFileSync(join(dir, 'node_modules', vendor, 'index.js'), '');
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const argv = [
    '--config',
    join(ROOT, '.dependency-cruiser.cjs'),
    '--output-type',
    'json',
    'apps',
    'packages',
  ];
  for (const floor of ['apps', 'packages']) mkdirSync(join(dir, floor), { recursive: true });
  const report = output(join(ROOT, 'node_modules/.bin/depcruise'), argv, dir);
  const { summary }: { summary: { violations: { rule: { name: string } }[] } } = JSON.parse(report);
  return [...new Set(summary.violations.map(({ rule }) => rule.name))].sort();
}

function output(file: string, argv: string[], cwd: string): string {
  try {
    return execFileSync(file, argv, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) return String(error.stdout);
    throw error;
  }
}

const empty = 'export type A = 1;';

// Nothing imports an app, apps not each other; rooms keep to their floor; vendors, Node and workerd have their homes.
it.each([
  ['packages/db/src/x.ts', '../../../apps/main/src/a.ts', 'no-app-is-imported'],
  ['apps/jobs/src/x.ts', '../../main/src/a.ts', 'no-app-is-imported'],
  ['packages/db/src/x.ts', '../../session/src/a.ts', 'packages-db'],
  ['packages/session/src/x.ts', '../../sandbox/src/a.ts', 'session-knows-the-sandbox-port-only'],
  ['apps/console/src/x.ts', '../../../packages/db/src/a.ts', 'apps-console'],
  ['packages/session/src/x.ts', 'node:fs', 'node-in-node-programs-only'],
  ['packages/api/src/x.ts', 'cloudflare:workers', 'cloudflare-in-workers-only'],
  ['packages/client/src/x.ts', 'hono', 'vendor-hono-hono'],
  ['packages/harness/src/x.ts', 'modal', 'vendor-modal-modal'],
  ['packages/schema/src/x.ts', 'hono', 'schema-knows-zod-only'],
  ['packages/client/src/x.ts', './missing.ts', 'every-import-resolves'],
  ['packages/db/src/x.ts', './a.test.ts', 'tests-stay-out-of-the-product'],
])('%s may not import %s, not even its types', (file, specifier, rule) => {
  const targets = [
    'apps/main/src/a.ts',
    'packages/session/src/a.ts',
    'packages/sandbox/src/a.ts',
    'packages/db/src/a.ts',
    'packages/db/src/a.test.ts',
  ];
  const files = Object.fromEntries(targets.map((path) => [path, empty]));
  expect(
    broken({ ...files, [file]: `import type { A } from '${specifier}';\nexport type B = A;` }),
  ).toContain(rule);
});

it('two files that import each other are refused', () => {
  const each = (other: string) =>
    `import type { A } from './${other}.ts';\nexport type B = A;\nexport type { B as A };`;
  expect(broken({ 'packages/db/src/a.ts': each('b'), 'packages/db/src/b.ts': each('a') })).toEqual([
    'no-cycles',
  ]);
});

it('what the table allows passes', () => {
  expect(
    broken({
      'packages/schema/src/a.ts': empty,
      'packages/sandbox/src/port.ts': empty,
      'packages/session/src/a.ts': `import type { A } from '../../schema/src/a.ts';\nimport type { A as P } from '../../sandbox/src/port.ts';\nexport type B = A | P;`,
      'apps/main/src/a.ts': `import type { B } from '../../../packages/session/src/a.ts';\nexport type C = B;`,
    }),
  ).toEqual([]);
});
