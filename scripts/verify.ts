// `npx -y pnpm@12.21.0 verify`: every check that is not a test. The same command runs in CI.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTerminal } from './dev/terminal.ts';
import { findUnproved } from './verify/named-tests.ts';
import { type Breach, findBreaches } from './verify/source-rules.ts';
import { output, runSteps, type Step } from './verify/steps.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => join(ROOT, 'node_modules/.bin', name);

// Nothing about this run is told to anyone.
process.env.TURBO_TELEMETRY_DISABLED = '1';

const steps: Step[] = [
  {
    // turbo checks each unit after those it imports, and skips what has not changed. It needs pnpm on the path.
    name: 'types: apps and packages',
    work: () => output([bin('turbo'), 'run', 'typecheck', '--output-logs=errors-only'], ROOT),
  },
  ...['scripts', 'bench', 'tests'].map((folder) => ({
    name: `types: ${folder}`,
    work: () => output([bin('tsc'), '-p', folder], ROOT),
  })),
  { name: 'format', work: () => output([bin('biome'), 'format'], ROOT) },
  { name: 'lint', work: () => output([bin('biome'), 'lint', '--error-on-warnings'], ROOT) },
  {
    name: 'boundaries',
    work: () =>
      output(
        [
          bin('depcruise'),
          '--config',
          '.dependency-cruiser.cjs',
          '--output-type',
          'err-long',
          'apps',
          'packages',
          'scripts',
          'bench',
        ],
        ROOT,
      ),
  },
  { name: 'source rules', work: () => check(findBreaches) },
  { name: 'documents name tests that exist', work: () => check(findUnproved) },
  {
    name: 'README: at most 150 lines',
    work: () => output(['sh', '-c', 'test "$(wc -l < README.md)" -le 150'], ROOT),
  },
  {
    name: 'OpenAPI document is current',
    work: () => output([process.execPath, 'scripts/openapi.ts', '--check'], ROOT),
  },
  {
    name: 'the client is current',
    work: () => output([process.execPath, 'scripts/client.ts', '--check'], ROOT),
  },
  {
    name: 'every field of the official SDK is served',
    work: () => output([process.execPath, 'scripts/fields.ts', '--check'], ROOT),
  },
  {
    name: 'migrations are current',
    work: () => output([process.execPath, 'scripts/migrations.ts', '--check'], ROOT),
  },
];

const failed = await runSteps(steps, { width: availableParallelism(), tell: openTerminal() });
process.exitCode = failed.length === 0 ? 0 : 1;

async function check(find: (root: string, files: readonly string[]) => Breach[]): Promise<string> {
  const files = await output(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], ROOT);
  const present = files.split('\n').filter((file) => file !== '' && existsSync(join(ROOT, file)));
  const breaches = find(ROOT, present);
  if (breaches.length === 0) return '';
  throw new Error(breaches.map(({ file, line, rule }) => `${file}:${line}  ${rule}`).join('\n'));
}
