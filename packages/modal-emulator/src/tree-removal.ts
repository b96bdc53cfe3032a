// Removing what sandboxes leave: trees deeper than a path can name, directories that not even their owner may enter.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Removes these files and directories, whatever is in them; rejects with what the last attempt complained of. */
export async function removeTrees(...paths: string[]): Promise<void> {
  try {
    await rm(paths);
  } catch {
    await run('chmod', ['-R', 'u+rwx', '--', ...paths]).catch(() => {});
    await rm(paths);
  }
}

/** Nothing is mounted below them any more; if something were, it would be the host's and stay. */
async function rm(paths: string[]): Promise<void> {
  await run('rm', ['-rf', '--one-file-system', '--', ...paths]);
}
