// Failures that say that a sandbox is there no more, or that nothing more is to be had of it.
import { isSandboxError } from '@capstan/sandbox/error';

export function isLost(error: unknown): boolean {
  return isSandboxError(error, 'gone') || isSandboxError(error, 'not_found') || isWrecked(error);
}

/** It lives, and cannot be used any more; also where that is the reason of a failure in other words. */
export function isWrecked(error: unknown): boolean {
  if (isSandboxError(error, 'unusable')) return true;
  return error instanceof Error && isSandboxError(error.cause, 'unusable');
}

/** A sandbox that is to go need not be photographed; one that cannot be reached cannot be ended either. */
export function unlessAway(error: unknown): void {
  if (!isSandboxError(error) || error.code === 'unavailable' || error.code === 'timeout') throw error;
}
