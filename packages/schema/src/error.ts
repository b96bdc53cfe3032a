// The one error of the platform, and the one table that gives it a wire form.
// Errors cross Workers RPC without their class: own data fields, recognised by shape.
import { z } from 'zod';

export const ERRORS = {
  invalid_request: { status: 400, type: 'invalid_request_error' },
  unauthenticated: { status: 401, type: 'authentication_error' },
  payment_required: { status: 402, type: 'billing_error' },
  forbidden: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'not_found_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  conflict: { status: 409, type: 'invalid_request_error' },
  held: { status: 409, type: 'conflict_error' },
  precondition_failed: { status: 412, type: 'invalid_request_error' },
  memory_path_conflict: { status: 409, type: 'memory_path_conflict_error' },
  memory_precondition_failed: { status: 409, type: 'memory_precondition_failed_error' },
  too_large: { status: 413, type: 'request_too_large' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  range_not_satisfiable: { status: 416, type: 'invalid_request_error' },
  idempotency_mismatch: { status: 422, type: 'invalid_request_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  internal: { status: 500, type: 'api_error' },
  not_implemented: { status: 501, type: 'not_implemented_error' },
  unavailable: { status: 503, type: 'api_error' },
  timeout: { status: 504, type: 'timeout_error' },
  overloaded: { status: 529, type: 'overloaded_error' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorOptions {
  cause?: unknown;
  /** Machine-readable reason, sent as `error.details.error_code`. */
  reason?: string;
  /** More for machines, sent beside `error_code` in `error.details`. */
  details?: Readonly<Record<string, unknown>>;
  /** What this type of error has beside its message, e.g. `conflicting_path`. */
  members?: Readonly<Record<string, string>>;
  /** Sent as `retry-after`; also tells SDKs that a retry may help. */
  retryAfterSeconds?: number;
}

export class ApiError extends Error {
  override name = 'ApiError';
  code: ErrorCode;
  reason: string | undefined;
  details: Readonly<Record<string, unknown>> | undefined;
  members: Readonly<Record<string, string>> | undefined;
  retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = options.reason;
    this.details = options.details;
    this.members = options.members;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export function isApiError(error: unknown): error is ApiError {
  return (
    error instanceof Error &&
    error.name === 'ApiError' &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code in ERRORS
  );
}

/** Everything that is not an ApiError becomes one with a fixed sentence; its cause is for the log. */
export function toApiError(error: unknown): ApiError {
  if (isApiError(error)) return error;
  if (!isWithoutRoom(error)) return new ApiError('internal', 'Internal server error', { cause: error });
  return new ApiError('unavailable', 'The server has no room left to store this', {
    reason: 'storage_full',
    cause: error,
  });
}

/** SQLite's and the system's words for a full disk, however often they were passed on as a cause. */
function isWithoutRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /\bSQLITE_FULL\b|\bENOSPC\b/.test(error.message) || isWithoutRoom(error.cause);
}

export const errorEnvelope = z
  .object({
    type: z.literal('error'),
    error: z.looseObject({
      type: z.string(),
      message: z.string(),
      details: z.looseObject({ error_code: z.string().optional() }).optional(),
    }),
    request_id: z.string(),
  })
  .meta({ id: 'Error' });
export type ErrorEnvelope = z.infer<typeof errorEnvelope>;

/** The Managed Agents form of an error. `request_id` equals the `request-id` header. */
export function toEnvelope(error: ApiError, requestId: string): ErrorEnvelope {
  const { reason, details: more, members } = error;
  const code = reason === undefined ? {} : { error_code: reason };
  const details = reason === undefined && more === undefined ? {} : { details: { ...code, ...more } };
  return {
    type: 'error',
    error: { type: ERRORS[error.code].type, message: error.message, ...members, ...details },
    request_id: requestId,
  };
}

/** Statuses that SDKs try again by themselves, though nothing would change. */
const FINAL: ReadonlySet<number> = new Set([409, 501]);

/** Headers that tell Anthropic's SDKs whether a retry can help. */
export function retryHeaders(error: ApiError): Record<string, string> {
  if (error.retryAfterSeconds !== undefined) return { 'retry-after': String(error.retryAfterSeconds) };
  return FINAL.has(ERRORS[error.code].status) ? { 'x-should-retry': 'false' } : {};
}
