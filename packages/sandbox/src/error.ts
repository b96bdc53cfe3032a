// The one error of the Sandboxes port. Errors lose their class across RPC and HTTP: it is recognised by its shape.

/** Codes, and the HTTP status each travels with. */
export const SANDBOX_ERRORS = {
  /** An argument is wrong; the message names it. */
  invalid: 400,
  /** The caller's signature was refused. */
  unauthenticated: 401,
  /** No permission inside the sandbox. */
  forbidden: 403,
  /** No such sandbox or run. */
  not_found: 404,
  /** No such file in the sandbox. */
  file_not_found: 404,
  /** No such image, or no longer. */
  image_not_found: 404,
  /** The runId is known with another command. */
  conflict: 409,
  /** The sandbox is terminated. */
  gone: 410,
  /** An argument or body is over its limit. */
  too_large: 413,
  is_directory: 422,
  not_directory: 422,
  /** The image cannot be built; the message ends with the log of the build. */
  image_failed: 422,
  /** The sandbox lives, and lacks what every call needs: its image never had it, or a command took it away. */
  unusable: 422,
  /** The sandbox did something this program cannot account for. */
  internal: 500,
  /** The backend refuses our credentials, or is set up wrongly; the message says what to mend. */
  misconfigured: 502,
  /** The backend cannot be reached; the same call may work later. */
  unavailable: 503,
  /** The call was not answered in time. */
  timeout: 504,
  /** The sandbox's disk or memory is full, or it can start no more processes. */
  quota_exceeded: 507,
} as const;

export type SandboxErrorCode = keyof typeof SANDBOX_ERRORS;

export class SandboxError extends Error {
  override name = 'SandboxError';
  code: SandboxErrorCode;

  constructor(code: SandboxErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
  }
}

export function isSandboxErrorCode(code: unknown): code is SandboxErrorCode {
  return typeof code === 'string' && Object.hasOwn(SANDBOX_ERRORS, code);
}

export function isSandboxError(error: unknown, code?: SandboxErrorCode): error is SandboxError {
  if (!(error instanceof Error) || error.name !== 'SandboxError' || !('code' in error)) return false;
  return isSandboxErrorCode(error.code) && (code === undefined || error.code === code);
}
