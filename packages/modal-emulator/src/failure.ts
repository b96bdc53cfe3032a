// How a call is refused: the SDK makes its own errors of the status and shows the text.
import { ServerError, type Status } from 'nice-grpc';

export function fail(status: Status, message: string): never {
  throw new ServerError(status, message);
}
