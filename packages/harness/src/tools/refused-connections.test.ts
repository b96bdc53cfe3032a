import type { DeniedRequest, StartRun } from '@capstan/sandbox/port';
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

/** Tools whose sandboxes were refused these, as the end of a run tells; `asked` counts who wanted to know more. */
function wake(kept: DeniedRequest[], denials?: () => Promise<DeniedRequest[]>) {
  const { startRun } = world.sandboxes;
  const through = {
    asked: 0,
    ...world.sandboxes,
    startRun: async (request: StartRun, signal?: AbortSignal) => {
      const chunk = await startRun(request, signal);
      return { ...chunk, denied: kept.at(-1)?.number ?? 0 };
    },
    denials: async ({ after = 0 }) => {
      through.asked += 1;
      return denials ? denials() : kept.filter(({ number }) => number > after);
    },
  };
  const tools = world.wake(through);
  return {
    through,
    run: async (command: string) => textOf(await tools.perform(callOf('bash', { command }), NEVER)),
  };
}

const at = () => Date.now() + 60_000;

describe('a command whose connections are refused', () => {
  it('says so once for each place, after its output', async () => {
    const kept: DeniedRequest[] = [];
    const { run } = wake(kept);
    expect(await run('echo first')).toBe('first\n');
    kept.push(
      refused(at(), 'evil.test:443'),
      refused(at() + 1, 'evil.test:443'),
      refused(at() + 2, 'other.test:80'),
    );
    expect(await run('echo second')).toBe(
      'second\n\n[Network: evil.test:443 was refused. Add it.]\n[Network: other.test:80 was refused. Add it.]',
    );
    expect(await run('echo third')).toBe('third\n');
  });

  it('asks nobody when nothing was refused', async () => {
    const kept = [refused(Date.now() - 60_000, 'before.test:443')];
    const { run, through } = wake(kept);
    for (const word of ['one', 'two']) expect(await run(`echo ${word}`)).toBe(`${word}\n`);
    expect(through.asked).toBe(0);
  });

  it('is told of what was refused just after it had ended, with the next', async () => {
    const kept: DeniedRequest[] = [];
    const { run } = wake(kept);
    expect(await run('echo one')).toBe('one\n');
    kept.push(refused(Date.now() - 1, 'late.test:443'));
    expect(await run('echo two')).toBe('two\n\n[Network: late.test:443 was refused. Add it.]');
  });

  it('keeps its result when nobody knows what was refused, and is told later', async () => {
    const kept = [refused(at(), 'evil.test:443')];
    let answer: () => Promise<DeniedRequest[]> = () => Promise.reject(new Error('away'));
    const { run } = wake(kept, () => answer());
    expect(await run('echo fine')).toBe('fine\n');
    answer = async () => kept;
    expect(await run('echo fine')).toBe('fine\n\n[Network: evil.test:443 was refused. Add it.]');
  });
});
