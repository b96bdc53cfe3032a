import { describe, expect, it } from 'vitest';
import { checkIsolation } from './preflight.ts';

describe('checkIsolation', () => {
  it('finds that this machine isolates sandboxes', async () => {
    expect(await checkIsolation()).toEqual({ level: 'namespaces', problems: [] });
  });
});
