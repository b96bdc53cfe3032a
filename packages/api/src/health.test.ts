import { describe, expect, it } from 'vitest';
import { ask } from './health.ts';

const backend = (answer: () => Promise<Record<string, { status: 'ok' }>>) => ({
  name: 'agent',
  answer,
  fix: 'deploy it',
});

describe('ask', () => {
  it('passes on what a backend says of itself', async () => {
    expect(
      await ask(
        backend(async () => ({ models: { status: 'ok' } })),
        1000,
      ),
    ).toEqual({ models: { status: 'ok' } });
  });

  it('fails a backend that throws, with the reason and what mends it', async () => {
    const broken = backend(async () => {
      throw new TypeError('binding is not a function');
    });
    expect(await ask(broken, 1000)).toEqual({
      agent: { status: 'failed', problem: 'binding is not a function', fix: 'deploy it' },
    });
  });

  it('fails a backend that never answers', async () => {
    expect(
      await ask(
        backend(() => Promise.withResolvers<never>().promise),
        5,
      ),
    ).toEqual({
      agent: { status: 'failed', problem: 'no answer in 5 ms', fix: 'deploy it' },
    });
  });
});
