// Failures as the vendors put them on the wire. OpenAI and Anthropic name the same trouble differently; both names
// are in one table, so that a status is answered the same way wherever it comes from.

export interface Failure {
  status: number;
  message: string;
  /** The request member at fault, where there is one. */
  param?: string;
  /** OpenAI's machine-readable code, where it differs from the table's. */
  code?: string;
  retryAfterSeconds?: number;
}

/** A request that cannot be answered; carries what the client is told. */
export class RequestError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.message);
    this.name = 'RequestError';
    this.failure = failure;
  }
}

export function badRequest(message: string, param?: string, code?: string): RequestError {
  return new RequestError({ status: 400, message, param, code });
}

interface Names {
  openai: string;
  code: string | null;
  anthropic: string;
}

const NAMES: Record<number, Names> = {
  400: { openai: 'invalid_request_error', code: null, anthropic: 'invalid_request_error' },
  401: { openai: 'invalid_request_error', code: 'invalid_api_key', anthropic: 'authentication_error' },
  402: { openai: 'insufficient_quota', code: 'insufficient_quota', anthropic: 'billing_error' },
  403: { openai: 'invalid_request_error', code: 'model_not_allowed', anthropic: 'permission_error' },
  404: { openai: 'invalid_request_error', code: 'model_not_found', anthropic: 'not_found_error' },
  408: { openai: 'server_error', code: 'timeout', anthropic: 'timeout_error' },
  413: { openai: 'invalid_request_error', code: 'request_too_large', anthropic: 'request_too_large' },
  429: { openai: 'requests', code: 'rate_limit_exceeded', anthropic: 'rate_limit_error' },
  500: { openai: 'server_error', code: null, anthropic: 'api_error' },
  503: { openai: 'server_error', code: 'service_unavailable', anthropic: 'overloaded_error' },
  504: { openai: 'server_error', code: 'timeout', anthropic: 'timeout_error' },
  529: { openai: 'server_error', code: 'overloaded', anthropic: 'overloaded_error' },
};

function namesOf(status: number): Names {
  const known = NAMES[status] ?? NAMES[status >= 500 ? 500 : 400];
  return known ?? { openai: 'server_error', code: null, anthropic: 'api_error' };
}

export function openaiError(failure: Failure) {
  const { openai, code } = namesOf(failure.status);
  return {
    error: {
      message: failure.message,
      type: openai,
      param: failure.param ?? null,
      code: failure.code ?? code,
    },
  };
}

export function anthropicError(failure: Failure, requestId: string) {
  const { anthropic } = namesOf(failure.status);
  return { type: 'error', error: { type: anthropic, message: failure.message }, request_id: requestId };
}
