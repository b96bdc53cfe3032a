// The sandboxes of a platform, from outside of it: ended as a host would end them, and counted as its backend keeps them.
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createGatewaySandboxes } from '../../packages/sandbox/src/gateway-client.ts';
import type { Sandboxes } from '../../packages/sandbox/src/port.ts';

const SNAPSHOTS = `
  SELECT image_records.id FROM image_records
  JOIN sandboxes ON content_key LIKE 'snapshot ' || task_id || ' %' WHERE sandboxes.name = ?`;

export class SandboxView {
  #stateDir: string;

  constructor(stateDir: string) {
    this.#stateDir = stateDir;
  }

  get sandboxes(): Sandboxes {
    const { gatewaySecret: secret } = JSON.parse(readFileSync(join(this.#stateDir, 'secrets.json'), 'utf8'));
    const { url } = this.lines('gateway', 'gateway.listening').at(-1) ?? {};
    return createGatewaySandboxes({ url: String(url), secret });
  }

  /** The lines of that event in the log of a program, oldest first. */
  lines(program: string, event: string): Record<string, unknown>[] {
    const text = readFileSync(join(this.#stateDir, 'logs', `${program}.log`), 'utf8');
    return text.split('\n').flatMap((line) => {
      if (!line.includes(`"${event}"`)) return [];
      const at = line.indexOf('{');
      return [JSON.parse(line.slice(at))];
    });
  }

  async of(sessionId: string): Promise<string | null> {
    return (await this.sandboxes.findByName(`session-${sessionId}`))?.sandboxId ?? null;
  }

  /** Ends the sandbox of a session, without a word to the session. */
  async end(sessionId: string): Promise<void> {
    const sandboxId = await this.of(sessionId);
    if (sandboxId === null) throw new Error(`${sessionId} has no sandbox that lives`);
    await this.sandboxes.terminate(sandboxId);
  }

  /** The snapshots of a session's sandboxes that the backend keeps. Its database is its own: a copy is read. */
  snapshots(sessionId: string): string[] {
    const copies = mkdtempSync(join(this.#stateDir, 'copy-'));
    const state = join(this.#stateDir, 'emulator/state');
    for (const file of readdirSync(state)) {
      if (file.startsWith('emulator.sqlite')) copyFileSync(join(state, file), join(copies, file));
    }
    const db = new DatabaseSync(join(copies, 'emulator.sqlite'));
    try {
      const rows = db.prepare(SNAPSHOTS).all(`session-${sessionId}`);
      return rows.map(({ id }) => String(id));
    } finally {
      db.close();
      rmSync(copies, { recursive: true });
    }
  }
}
