// Models and tools made when a turn first needs them: a session can be read, and archived, on a server whose models or
// sandboxes are not configured. What is missing then ends the turn, as an error on the session that names it.
import type { Workers } from '@capstan/harness/harness';
import { isApiError } from '@capstan/schema/error';
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { ModelFailure } from '@capstan/session/harness';

export function lateHarness(make: () => Workers): Workers {
  let made: Workers | undefined;
  const harness = () => {
    made ??= make();
    return made;
  };
  return {
    ready: async () => told(harness).ready(),
    settling: () => {
      try {
        return harness().settling();
      } catch {
        // Whoever chooses is told what is missing.
        return null;
      }
    },
    choose: (model) => told(harness).choose(model),
    call: (call, signal) => harness().call(call, signal),
    prepare: (toolName) => harness().prepare(toolName),
    perform: (call, signal) => harness().perform(call, signal),
    recover: (call, signal) => harness().recover(call, signal),
    cancel: (call) => harness().cancel(call),
  };
}

/** The harness, or what is missing as a failure of the turn. */
function told(harness: () => Workers): Workers {
  try {
    return harness();
  } catch (error) {
    if (!isApiError(error)) throw error;
    const { message } = error;
    throw new ModelFailure('model_request_failed_error', message, {
      retryable: false,
      usage: ZERO_MODEL_USAGE,
      cause: error,
    });
  }
}
