// `npx -y pnpm@12.21.0 bench` measures the platform as a whole, `… bench engine` its session engine, `… bench sandboxes`
// its sandboxes, `… bench files` its files, `… bench api` single requests.
import { argv } from 'node:process';

const PARTS = new Map([
  ['engine', './engine.ts'],
  ['sandboxes', './sandboxes.ts'],
  ['files', './files.ts'],
  ['api', './api.ts'],
]);
await import(PARTS.get(argv[2] ?? '') ?? './run.ts');
