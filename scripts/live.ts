// `MODAL_LIVE=1 npx -y pnpm@12.21.0 test:live`: the contract of sandboxes against Modal itself, with a token of a workspace of
// yours. It makes sandboxes and images there, which cost money; it ends the sandboxes and deletes the snapshots that it made.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { liveProblem } from './live/live-problem.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const problem = liveProblem(process.env);
if (problem !== null) {
  console.error(`test:live does not run: ${problem}`);
  process.exit(1);
}
const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
const argv = [vitest, 'run', '--config', join(ROOT, 'vitest.live.config.ts'), ...process.argv.slice(2)];
process.exitCode = spawnSync(process.execPath, argv, { cwd: ROOT, stdio: 'inherit' }).status ?? 1;
