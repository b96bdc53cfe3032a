import { execFileSync } from 'node:child_process';
import { configDefaults, defineConfig } from 'vitest/config';

const { PROPERTY_SEED = String(seedOfCommit()) } = process.env;

/** 0 where there is no repository. */
function seedOfCommit(): number {
  try {
    const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: 'pipe' });
    return Number.parseInt(commit.slice(0, 7), 16);
  } catch {
    return 0;
  }
}

export default defineConfig({
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'apps/*/src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'tests/**/*.test.ts',
    ],
    // `test:live` runs these.
    exclude: [...configDefaults.exclude, '**/*.live.test.ts'],
    setupFiles: ['tests/support/property-seed.ts'],
    // A developer's real Modal account is never used by accident.
    env: { MODAL_CONFIG_PATH: '/nonexistent', PROPERTY_SEED },
    maxWorkers: 2,
    // Bounds what hangs. How fast things are is what `bench` measures.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // How long `expect.poll` waits: less than a test has, so that what was not met is told.
    expect: { poll: { timeout: 20_000 } },
  },
});
