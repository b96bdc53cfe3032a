import { configDefaults, defineConfig } from 'vitest/config';

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
    // A developer's real Modal account is never used by accident.
    env: { MODAL_CONFIG_PATH: '/nonexistent' },
    maxWorkers: 2,
    // Bounds what hangs. How fast things are is what `bench` measures.
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // How long `expect.poll` waits: less than a test has, so that what was not met is told.
    expect: { poll: { timeout: 20_000 } },
  },
});
