// Names of volumes and secrets, as Modal's clients check them.
import { Status } from 'nice-grpc';
import { fail } from './failure.ts';

const NAME = /^[a-zA-Z0-9\-_.]{1,64}$/;

export function assertObjectName(kind: 'Secret' | 'Volume', name: string): void {
  if (NAME.test(name)) return;
  fail(
    Status.INVALID_ARGUMENT,
    `${kind} name ${JSON.stringify(name)} is invalid: use up to 64 letters, digits, dashes, underscores and periods.`,
  );
}
