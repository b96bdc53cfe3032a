// Failures that say that a sandbox is there no more.
import { isSandboxError } from '@capstan/sandbox/error';

export function isLost(error: unknown): boolean {
  return isSandboxError(error, 'gone') || isSandboxError(error, 'not_found');
}
