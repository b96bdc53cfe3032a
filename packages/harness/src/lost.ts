// Failures that say that a sandbox is there no more.
import { isSandboxError } from '@capstan/sandbox/error';

export function isLost(error: unknown): boolean {
  return isSandboxError(error, 'gone') || isSandboxError(error, 'not_found');
}

/** A sandbox that is to go need not be photographed; one that cannot be reached cannot be ended either. */
export function unlessAway(error: unknown): void {
  if (!isSandboxError(error) || error.code === 'unavailable' || error.code === 'timeout') throw error;
}
