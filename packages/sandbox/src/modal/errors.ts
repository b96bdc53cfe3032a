// What Modal's SDK throws, as SandboxErrors. Its errors are told by name and gRPC code: classes differ between bundles.
import { isSandboxError, SandboxError } from '../error.ts';

/** gRPC status codes, by number. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;

/** True for an error that a terminated or unknown sandbox may be the reason of: ask for its status. */
export function mayBeEnded(error: unknown): boolean {
  const name = nameOf(error);
  if (name === 'NotFoundError' || name === 'ConflictError') return true;
  const code = grpcCode(error);
  return code === NOT_FOUND || code === FAILED_PRECONDITION;
}

export function isNotFound(error: unknown): boolean {
  return nameOf(error) === 'NotFoundError' || grpcCode(error) === NOT_FOUND;
}

export function isNameTaken(error: unknown): boolean {
  return nameOf(error) === 'AlreadyExistsError';
}

/** The image that could not be built, and what Modal tells about it; null for every other error. */
export function buildFailure(error: unknown): { imageId: string; reason: string } | null {
  // The SDK throws a plain Error for it.
  if (!(error instanceof Error)) return null;
  const [start, imageId] =
    /^Image build for (\S*) (?:failed with the exception:\n)?/.exec(error.message) ?? [];
  if (start === undefined || imageId === undefined) return null;
  return { imageId, reason: error.message.slice(start.length) };
}

export function toSandboxError(error: unknown, doing: string): SandboxError {
  if (isSandboxError(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = grpcCode(error);
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED) {
    const fix = 'set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET to a token of this workspace';
    return new SandboxError('misconfigured', `Modal refuses our token (${doing}): ${fix}`, { cause: error });
  }
  if (code === INVALID_ARGUMENT || nameOf(error) === 'InvalidError') {
    return new SandboxError('invalid', `Modal refuses the request (${doing}): ${message}`, { cause: error });
  }
  if (code === RESOURCE_EXHAUSTED) {
    return new SandboxError('quota_exceeded', `Modal has no room for it (${doing}): ${message}`, {
      cause: error,
    });
  }
  if (code === UNIMPLEMENTED) {
    const why = 'this Modal does not know the call, which Modal and this version of its emulator do';
    return new SandboxError('misconfigured', `${doing}: ${why}`, { cause: error });
  }
  if (nameOf(error) === 'TimeoutError')
    return new SandboxError('timeout', `Modal did not answer in time (${doing})`, { cause: error });
  if (isNotFound(error))
    return new SandboxError('not_found', `Modal does not know it (${doing})`, { cause: error });
  return new SandboxError('unavailable', `Modal does not answer (${doing}): ${message}`, { cause: error });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

function grpcCode(error: unknown): number | undefined {
  if (nameOf(error) !== 'ClientError' || !(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'number' ? error.code : undefined;
}
