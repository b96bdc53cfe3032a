// A rubric that is a file: it is read before an event reaches its session, which knows texts only.
import { ApiError } from '@capstan/schema/error';
import type { EventParam } from '@capstan/schema/events/user-events';

/** Refuses (`invalid_request`) a rubric that nobody has read; `path` names the event to its sender. */
export function refuseFiles(event: EventParam, path: string): void {
  if (event.type !== 'user.define_outcome' || event.rubric.type !== 'file') return;
  throw new ApiError(
    'invalid_request',
    `${path}.rubric: the file was not read; send the rubric itself as text`,
  );
}
