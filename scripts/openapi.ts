// `pnpm openapi` writes docs/openapi.json from the route list; `--check` fails when the committed one differs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '../packages/api/src/document.ts';

const ROOT = join(import.meta.dirname, '..');
const FILE = join(ROOT, 'docs/openapi.json');

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const wanted = `${JSON.stringify(openApiDocument(String(version)), null, 2)}\n`;

if (!process.argv.includes('--check')) writeFileSync(FILE, wanted);
else if (readFileSync(FILE, 'utf8') !== wanted) {
  console.error('docs/openapi.json is not what the routes say: run `pnpm openapi` and commit the change.');
  process.exitCode = 1;
}
