// Removing what sandboxes leave: trees deeper than a path can name, directories that not even their owner may enter.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from '@capstan/shared/logger';

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

/** Removals nobody waits for, until the end. */
export class TreeRemovals {
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Resolves when they are gone, or when it is told that they are not. */
  add(...paths: string[]): Promise<void> {
    const removal = removeTrees(...paths).catch((cause: unknown) =>
      this.#log.warn('sandbox.directory_kept', { directories: paths.join(' '), cause: String(cause) }),
    );
    this.#running.add(removal);
    void removal.finally(() => this.#running.delete(removal));
    return removal;
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }
}
