// A request that was refused or could not be made.
export interface Refusal {
  /** 0: no answer came. */
  status: number;
  /** The API's error type, e.g. `not_found_error`. Null: the answer was not of this API. */
  type: string | null;
  message: string;
  requestId: string | null;
  retryAfterMs: number | null;
}

export class Failure extends Error {
  override name = 'Failure';
  status: number;
  type: string | null;
  requestId: string | null;
  retryAfterMs: number | null;

  constructor(refusal: Refusal, cause?: unknown) {
    super(refusal.message, cause === undefined ? undefined : { cause });
    this.status = refusal.status;
    this.type = refusal.type;
    this.requestId = refusal.requestId;
    this.retryAfterMs = refusal.retryAfterMs;
  }

  /** Whether the same request may fare better later: nothing was answered, or the server said it cannot now. */
  get passing(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

export async function toFailure(response: Response): Promise<Failure> {
  const body: unknown = await response.json().catch(() => null);
  const error = memberOf(body, 'error');
  const message = memberOf(error, 'message');
  const type = memberOf(error, 'type');
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new Failure({
    status: response.status,
    type: typeof type === 'string' ? type : null,
    message:
      typeof message === 'string' ? message : `the server answered ${response.status} without saying why`,
    requestId: response.headers.get('request-id'),
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : null,
  });
}

export function unreachable(cause: unknown): Failure {
  const message = 'the server cannot be reached, or the line broke before it answered';
  return new Failure({ status: 0, type: null, message, requestId: null, retryAfterMs: null }, cause);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
