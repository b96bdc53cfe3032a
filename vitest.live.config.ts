// What is run against Modal itself; scripts/live.ts asks for what it needs first.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.live.test.ts'],
    // The token comes from the environment, never from a developer's own configuration.
    env: { MODAL_CONFIG_PATH: '/nonexistent' },
    // Images are pulled and built, sandboxes are scheduled.
    testTimeout: 5 * 60_000,
    hookTimeout: 10 * 60_000,
  },
});
