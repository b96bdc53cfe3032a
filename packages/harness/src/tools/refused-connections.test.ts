import type { DeniedRequest } from '@capstan/sandbox/port';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld, textOf } from './testing.ts';

let world: SandboxWorld;
beforeAll(async () => {
  world = await startSandboxWorld();
});
afterAll(() => world.stop());

const refused = (number: number, target: string): DeniedRequest => ({
  number,
  target,
  reason: 'host_not_allowed',
  advice: 'Add it.',
});

/** Tools whose sandboxes were refused these, whenever somebody asks. */
function wake(answer: (after: number) => Promise<DeniedRequest[]>) {
  return world.wake({ ...world.sandboxes, denials: ({ after = 0 }) => answer(after) });
}

describe('a command whose connections are refused', () => {
  it('says so once for each place, after its output', async () => {
    const kept: DeniedRequest[] = [];
    const tools = wake(async (after) => kept.filter(({ number }) => number > after));
    const run = async (command: string) => textOf(await tools.perform(callOf('bash', { command }), NEVER));
    expect(await run('echo first')).toBe('first\n');
    const at = Date.now() + 60_000;
    kept.push(
      refused(at, 'evil.test:443'),
      refused(at + 1, 'evil.test:443'),
      refused(at + 2, 'other.test:80'),
    );
    expect(await run('echo second')).toBe(
      'second\n\n[Network: evil.test:443 was refused. Add it.]\n[Network: other.test:80 was refused. Add it.]',
    );
    expect(await run('echo third')).toBe('third\n');
  });

  it('keeps its result when nobody knows what was refused', async () => {
    const tools = wake(() => Promise.reject(new Error('away')));
    expect(textOf(await tools.perform(callOf('bash', { command: 'echo fine' }), NEVER))).toBe('fine\n');
  });
});
