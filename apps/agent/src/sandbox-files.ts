// Files of a session's sandbox, as the API asks for them.
import type { FileList } from '@capstan/sandbox/port';
import type { SandboxFiles } from '@capstan/session/service';

/** As the API shows a directory. */
export function toSandboxFiles({ entries, truncated }: FileList): SandboxFiles {
  const data = entries.map(({ path, type, sizeBytes, modifiedAt, mode }) => ({
    path,
    type,
    size_bytes: sizeBytes,
    modified_at: new Date(modifiedAt).toISOString(),
    mode: mode.toString(8).padStart(4, '0'),
  }));
  return { data, truncated };
}
