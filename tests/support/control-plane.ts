// The database of a platform, opened as the file it is: for what no route does, while the platform is stopped.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** `stateDir` is the platform's. To be closed by who opens it. */
export function openControlPlane(stateDir: string): DatabaseSync {
  for (const path of globSync(join(stateDir, 'workers/v3/d1/*/*.sqlite'))) {
    const db = new DatabaseSync(path);
    if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'api_keys'").get()) return db;
    db.close();
  }
  throw new Error(`no database with API keys under ${stateDir}`);
}
