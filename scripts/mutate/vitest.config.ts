import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { PLAN, type Plan } from './plan.ts';
import { withSwitches } from './switches.ts';

const plan: Plan = JSON.parse(readFileSync(process.env[PLAN] ?? '', 'utf8'));
const ids = new Map(plan.mutants.map(({ key }, id) => [key, id]));

export default defineConfig({
  root: plan.root,
  plugins: [
    {
      name: 'switches',
      enforce: 'pre',
      transform(code, id) {
        const mutants = plan.mutants.filter(({ file }) => id === join(plan.root, file));
        return mutants.length === 0 ? null : withSwitches(code, mutants, ids);
      },
    },
  ],
  test: {
    include: ['scripts/mutate/tries.ts'],
    testNamePattern: /^tries every mutant$/,
    testTimeout: 0,
    pool: 'forks',
    maxWorkers: 1,
    isolate: false,
    // A source has other switches in every run.
    fsModuleCache: false,
    execArgv: ['--max-old-space-size=2048'],
    // What a mutant's test leaves behind fails when nobody waits for it any more.
    dangerouslyIgnoreUnhandledErrors: true,
    silent: true,
    reporters: ['dot'],
  },
});
