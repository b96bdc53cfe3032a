// How errors about images, volumes and their files reach the SDK: as statuses that say whether it is the caller, the disk or this
// machine. None is one that the SDK repeats a request for.
import { ServerError, Status } from 'nice-grpc';
import { ImageLayoutError, ImageSpaceError } from './image-trees.ts';
import { TreeCopyError } from './tree-copy.ts';
import { UnisolatedError } from './unisolated.ts';
import { VolumeMountError } from './volume-mounts.ts';

/** Throws the status for `cause`, or `cause` itself when it is about something else. */
export function failImage(cause: unknown): never {
  throw toStatus(cause) ?? cause;
}

/** The status for an error about images or volumes, undefined for any other. */
export function toStatus(cause: unknown): ServerError | undefined {
  if (cause instanceof ImageSpaceError) return new ServerError(Status.RESOURCE_EXHAUSTED, cause.message);
  if (cause instanceof VolumeMountError) return new ServerError(Status.INVALID_ARGUMENT, cause.message);
  if (cause instanceof UnisolatedError || cause instanceof ImageLayoutError || cause instanceof TreeCopyError)
    return new ServerError(Status.FAILED_PRECONDITION, cause.message);
  return undefined;
}
