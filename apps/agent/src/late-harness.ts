// A harness made when a turn first needs one: a session can be read, and archived, on a server whose models or sandboxes
// are not configured. What is missing then ends the turn, as an error on the session that names it.
import { isApiError } from '@capstan/schema/error';
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { type Harness, ModelFailure } from '@capstan/session/harness';

/** `holds` answers while none was made: what an earlier process left. */
export function lateHarness(make: () => Harness, holds: () => boolean): Harness {
  let made: Harness | undefined;
  const harness = () => {
    made ??= make();
    return made;
  };
  return {
    choose(model) {
      try {
        return harness().choose(model);
      } catch (error) {
        if (!isApiError(error)) throw error;
        throw new ModelFailure('model_request_failed_error', error.message, {
          retryable: false,
          usage: ZERO_MODEL_USAGE,
          cause: error,
        });
      }
    },
    call: (call, signal) => harness().call(call, signal),
    prepare: (toolName) => harness().prepare(toolName),
    perform: (call, signal) => harness().perform(call, signal),
    recover: (call, signal) => harness().recover(call, signal),
    cancel: (call) => harness().cancel(call),
    holds: () => (made === undefined ? holds() : made.holds()),
    release: async () => harness().release(),
  };
}
