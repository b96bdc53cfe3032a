import { SandboxError } from '@capstan/sandbox/error';
import { describe, expect, it } from 'vitest';
import { persist } from './persistence.ts';

const away = () => new SandboxError('unavailable', 'away');
const delaysMs = [1, 1, 1];

function failing(times: number, error: () => Error) {
  let calls = 0;
  const ask = async () => {
    calls++;
    if (calls <= times) throw error();
    return calls;
  };
  return { ask, calls: () => calls };
}

describe('persist', () => {
  it('asks again while the backend is away', async () => {
    expect(await persist(failing(3, away).ask, { delaysMs })).toBe(4);
  });

  it('gives up with the last error', async () => {
    const backend = failing(9, away);
    await expect(persist(backend.ask, { delaysMs })).rejects.toMatchObject({ code: 'unavailable' });
    expect(backend.calls()).toBe(4);
  });

  it('does not repeat what the backend has refused', async () => {
    const backend = failing(1, () => new SandboxError('gone', 'gone'));
    await expect(persist(backend.ask, { delaysMs })).rejects.toMatchObject({ code: 'gone' });
    expect(backend.calls()).toBe(1);
  });

  it('stops waiting when it is aborted', async () => {
    const abort = new AbortController();
    const asked = persist(failing(9, away).ask, { signal: abort.signal, delaysMs: [60_000] });
    abort.abort('stopped');
    await expect(asked).rejects.toBe('stopped');
  });
});
