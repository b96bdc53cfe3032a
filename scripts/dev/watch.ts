// Watch: calls back after sources changed and then rested for a moment, one call at a time.
import { existsSync, type FSWatcher, watch } from 'node:fs';

const REST_MS = 150;

/** Returns the way to stop. */
export function watchSources(paths: string[], changed: () => Promise<void>): () => void {
  let rest: NodeJS.Timeout | undefined;
  let atWork = Promise.resolve();
  const note = () => {
    clearTimeout(rest);
    rest = setTimeout(() => {
      atWork = atWork.then(changed);
    }, REST_MS);
  };
  const watchers: FSWatcher[] = [...new Set(paths)]
    .filter((path) => existsSync(path))
    .map((path) =>
      watch(path, { recursive: true, persistent: false }, (_event, file) => isSource(file) && note()),
    );
  return () => {
    clearTimeout(rest);
    for (const watcher of watchers) watcher.close();
  };
}

function isSource(file: string | null): boolean {
  return file !== null && !/(^|\/)(node_modules|dist|\.wrangler|\.turbo)(\/|$)|\.test\.ts$/.test(file);
}
