// Failures of a model call, sorted once by what to do next.
import { isApiError } from '@capstan/schema/error';
import type { Failure } from './endings.ts';
import { isModelFailure } from './harness.ts';
import type { ThreadState } from './state.ts';
import type { Desk } from './turn.ts';

/** `too_long`: the context has to become shorter before it is tried again. */
export function toFailure(error: unknown, desk: Desk, thread: ThreadState): Failure | 'too_long' {
  const jitter = desk.random();
  if (isModelFailure(error)) {
    if (error.contextTooLong) return 'too_long';
    const { type, message, retryable, retryAfterMs } = error;
    const took = error.usage === undefined ? {} : { took: error.usage };
    const note = error.badMedia ? { note: { badMedia: { upTo: desk.context(thread.id).position } } } : {};
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return { error: { type, message }, retryable, jitter, ...wait, ...note, ...took };
  }
  if (isApiError(error) && error.code === 'too_large') {
    const message = 'The reply of the model is too long to keep. Ask it for less at a time.';
    return { error: { type: 'model_request_failed_error', message }, retryable: false, jitter };
  }
  desk.logger.error('model.failed', {}, error);
  const message = 'The model call failed inside the platform; the cause is in the server log.';
  return { error: { type: 'unknown_error', message }, retryable: true, jitter };
}
