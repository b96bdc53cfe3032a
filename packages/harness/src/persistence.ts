// Repeats a call of the Sandboxes port while its backend cannot be reached. Only for calls that are safe to repeat (S1, S2).
import { isSandboxError } from '@capstan/sandbox/error';

const DELAYS_MS = [100, 300, 1_000, 2_000, 4_000];

export interface Persistence {
  signal?: AbortSignal;
  delaysMs?: readonly number[];
}

/** Rejects with the last error when the backend stays away, at once with any other, and with the signal's reason on abort. */
export async function persist<T>(ask: () => Promise<T>, options: Persistence = {}): Promise<T> {
  const { signal, delaysMs = DELAYS_MS } = options;
  for (const delayMs of delaysMs) {
    try {
      return await ask();
    } catch (error) {
      if (!isSandboxError(error, 'unavailable') && !isSandboxError(error, 'timeout')) throw error;
    }
    signal?.throwIfAborted();
    await pause(delayMs, signal);
    signal?.throwIfAborted();
  }
  return ask();
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener('abort', end, { once: true });
  });
}
