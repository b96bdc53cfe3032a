// What a session remembers of its sandbox, in memory: it outlives the processes of a test.
import { NOTHING_RECORDED, REST_MS, type SandboxRecord } from '@capstan/sandbox/lifecycle';
import type { SandboxFacts } from '../record-book.ts';
import type { BootDeps } from '../sandbox-boot.ts';
import type { SessionSandboxDeps } from '../session-sandbox.ts';

export class MemoryFacts implements SandboxFacts {
  record: SandboxRecord = NOTHING_RECORDED;

  load(): SandboxRecord {
    return this.record;
  }

  save(record: SandboxRecord): void {
    this.record = JSON.parse(JSON.stringify(record));
  }

  get sandboxId(): string | null {
    return this.record.live?.sandboxId ?? null;
  }

  set sandboxId(sandboxId: string | null) {
    const { live } = this.record;
    const other = {
      expiresAt: Number.MAX_SAFE_INTEGER,
      used: true,
      wanted: false,
      changed: true,
      ended: false,
      madeAfter: null,
    };
    this.record = { ...this.record, live: sandboxId === null ? null : { ...other, ...live, sandboxId } };
  }
}

const ENVIRONMENT: BootDeps['environment'] = {
  type: 'cloud',
  networking: { type: 'unrestricted' },
  packages: { type: 'packages', apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] },
};

let ids = 0;

/** Of a session that shares its snapshots with nobody; what is not said is the least. */
export function sandboxDeps(
  said: Pick<SessionSandboxDeps, 'sandboxes' | 'logger'> & Partial<SessionSandboxDeps>,
): SessionSandboxDeps {
  return {
    sessionId: 'sesn_test',
    environment: ENVIRONMENT,
    network: { type: 'unrestricted' },
    imageStamp: async () => null,
    holdsTokens: async () => false,
    pool: null,
    clock: { now: () => Date.now() },
    facts: new MemoryFacts(),
    sharing: { hold: async () => {}, letGo: async () => true },
    newId: (kind) => `${kind}_${String(++ids).padStart(6, '0')}`,
    restMs: REST_MS,
    ...said,
  };
}
