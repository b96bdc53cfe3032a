// The sandbox of a session, over sandboxes to which happens what a test says; processes come and go around it.
import { LAST_MS, RENEW_MS, REST_MS, TRUSTED_MS } from '@capstan/sandbox/lifecycle';
import { silentLogger } from '@capstan/shared/logger';
import { beforeEach, describe, expect, it } from 'vitest';
import { SessionSandbox, type SessionSandboxDeps } from './session-sandbox.ts';
import { MemoryFacts, sandboxDeps } from './testing/memory-facts.ts';
import { ScriptedSandboxes } from './testing/scripted-sandboxes.ts';
import type { SessionPool } from './warm-pool.ts';

let world: ScriptedSandboxes;
let facts: MemoryFacts;
beforeEach(() => {
  world = new ScriptedSandboxes();
  facts = new MemoryFacts();
});

/** The sandbox as a process that has just woken has it. */
function wake(more: Partial<SessionSandboxDeps> = {}): SessionSandbox {
  const port = world.port();
  return new SessionSandbox(
    sandboxDeps({
      sandboxes: () => port,
      logger: silentLogger,
      clock: { now: () => world.now },
      facts,
      ...more,
    }),
  );
}

const change = (sandbox: SessionSandbox, text = 'kept') =>
  sandbox.use(async () => world.write('/a', text), { changes: true });

/** The session rests for long enough. */
async function rest(sandbox: SessionSandbox, upTo = 'sevt_1'): Promise<void> {
  sandbox.follow({ since: world.now, upTo });
  world.now += REST_MS;
  await sandbox.care();
}

async function photographed(): Promise<SessionSandbox> {
  const sandbox = wake();
  await change(sandbox);
  await rest(sandbox);
  return sandbox;
}

/** Beside how each came to be. */
const told = (sandbox: SessionSandbox) => sandbox.news().filter(({ kind }) => kind !== 'booted');

const end = () => {
  world.last.alive = false;
};

describe('the sandbox of a session that rests', () => {
  it('is photographed once it has rested for a while, if something was done in it', async () => {
    const sandbox = wake();
    sandbox.follow({ since: null, upTo: 'sevt_1' });
    await sandbox.use(async () => {}, { changes: false });
    sandbox.follow({ since: world.now, upTo: 'sevt_1' });
    expect(sandbox.careAt()).toBeNull();
    sandbox.follow({ since: null, upTo: 'sevt_1' });
    await change(sandbox);
    sandbox.follow({ since: world.now, upTo: 'sevt_1' });
    expect(sandbox.careAt()).toBe(world.now + REST_MS);
    world.now += REST_MS;
    await sandbox.care();
    expect(facts.record.snapshot).toMatchObject({
      imageId: expect.any(String),
      sandboxId: 'sb-1',
      upTo: 'sevt_1',
    });
    expect([world.images.size, sandbox.careAt()]).toEqual([1, null]);
  });

  it('keeps one snapshot: the one before goes when the next is there', async () => {
    const sandbox = await photographed();
    const first = facts.record.snapshot?.imageId ?? '';
    await change(sandbox, 'more');
    await rest(sandbox);
    expect(world.images.has(first)).toBe(false);
    expect([...world.images.keys()]).toEqual([facts.record.snapshot?.imageId]);
  });

  it('is left alone as long as something runs in it, and not ended as an idle one', async () => {
    const sandbox = wake();
    await change(sandbox);
    world.last.runs = true;
    await rest(sandbox);
    expect(world.images.size).toBe(0);
    const looked = world.asked.filter((name) => name === 'exec').length;
    world.now = sandbox.careAt() ?? 0;
    await sandbox.care();
    expect(world.asked.filter((name) => name === 'exec')).toHaveLength(looked + 1);
    world.last.runs = false;
    world.now = sandbox.careAt() ?? 0;
    await sandbox.care();
    expect(world.images.size).toBe(1);
  });

  it('is photographed whatever runs in it, shortly before its time is over', async () => {
    const sandbox = wake();
    await change(sandbox);
    world.last.runs = true;
    world.now = world.last.expiresAt - LAST_MS;
    sandbox.follow({ since: null, upTo: 'sevt_1' });
    expect(sandbox.careAt()).toBe(world.now);
    await sandbox.care();
    expect(facts.record.snapshot).toMatchObject({ running: true });
  });

  it('that has ended is not asked again before it is needed', async () => {
    const sandbox = wake();
    await change(sandbox);
    end();
    await rest(sandbox);
    expect([sandbox.careAt(), world.images.size]).toEqual([null, 0]);
  });

  it.each(['writeFile', 'snapshot'])(
    'is tried again when %s fails, by the next process too',
    async (name) => {
      const sandbox = wake();
      await change(sandbox);
      world.fails.set(name, 'internal');
      await expect(rest(sandbox)).rejects.toMatchObject({ code: 'internal' });
      world.fails.clear();
      const next = wake();
      expect(next.careAt()).toBe(world.now);
      await next.care();
      expect(world.images.size).toBe(1);
      expect(facts.record.taking).toBeNull();
    },
  );

  it('is photographed without a word of its own when it has no room for one', async () => {
    const sandbox = wake();
    await change(sandbox);
    world.fails.set('writeFile', 'quota_exceeded');
    await rest(sandbox);
    end();
    expect(await wake().acquire()).toBe(world.last.id);
    expect(world.read('/a')).toBe('kept');
  });
});

describe('a process that dies', () => {
  it('between a snapshot and its record leaves one image, and the next one has it', async () => {
    const dying = wake();
    await change(dying);
    let record = facts.record;
    facts.save = (next) => {
      // Nothing is written any more.
      if (next.taking === null && record.taking !== null) throw new Error('the process is gone');
      record = next;
      facts.record = next;
    };
    await expect(rest(dying)).rejects.toThrow('the process is gone');
    Reflect.deleteProperty(facts, 'save');
    expect([world.images.size, facts.record.snapshot]).toEqual([1, null]);
    await wake().care();
    expect([...world.images.keys()]).toEqual([facts.record.snapshot?.imageId]);
  });

  it('before it had a sandbox recorded leaves one: the next has that', async () => {
    await world.port().create({ name: 'session-sesn_test' });
    expect(await wake().acquire()).toBe('sb-1');
    expect(world.boxes).toHaveLength(1);
  });
});

describe('a sandbox that has ended', () => {
  it('is brought back from its snapshot, and the news say what came back and what did not', async () => {
    await photographed();
    const takenAt = new Date(facts.record.snapshot?.takenAt ?? 0).toISOString();
    const sandbox = wake();
    await change(sandbox, 'later');
    end();
    world.now += TRUSTED_MS;
    await sandbox.acquire();
    expect(world.read('/a')).toBe('kept');
    const restored = { snapshot_taken_at: takenAt };
    const lost = { files: 'since_snapshot', processes: true };
    expect(told(sandbox)).toMatchObject([{ kind: 'replaced', replacement: { restored, lost } }]);
    sandbox.told(told(sandbox)[0]?.id ?? '');
    expect(told(wake())).toEqual([]);
  });

  it('whose snapshot is gone begins anew, and says so', async () => {
    await photographed();
    world.images.clear();
    end();
    const sandbox = wake();
    await sandbox.acquire();
    expect([world.read('/a'), facts.record.snapshot]).toEqual([null, null]);
    const replacement = { restored: null, lost: { files: 'all', processes: false } };
    expect(told(sandbox)).toMatchObject([{ replacement }]);
  });

  it('does not come back as what was never its snapshot', async () => {
    await photographed();
    const imageId = facts.record.snapshot?.imageId ?? '';
    world.images.set(imageId, new Map([['/a', new TextEncoder().encode('forged')]]));
    end();
    const sandbox = wake();
    await sandbox.acquire();
    expect(world.read('/a')).toBeNull();
    expect(world.live).toHaveLength(1);
    expect(told(sandbox)).toMatchObject([{ replacement: { restored: null } }]);
  });

  it('is brought back by whoever comes next when that cannot be done now', async () => {
    await photographed();
    end();
    world.fails.set('create', 'internal');
    await expect(wake().acquire()).rejects.toMatchObject({ code: 'internal' });
    world.fails.clear();
    await wake().acquire();
    expect(world.read('/a')).toBe('kept');
  });
});

describe('a sandbox whose time is nearly over', () => {
  const nearly = () => {
    world.now = world.last.expiresAt - RENEW_MS + 1;
  };

  it('is replaced before it is used, with all that is in it', async () => {
    const sandbox = wake();
    await change(sandbox);
    nearly();
    expect(await sandbox.acquire()).not.toBe('sb-1');
    expect([world.read('/a'), world.live.length]).toEqual(['kept', 1]);
    const lost = { files: 'none', processes: false };
    expect(told(sandbox)).toMatchObject([{ replacement: { lost } }]);
  });

  it('is used as it is while another call is under way in it, or when it cannot be replaced', async () => {
    const sandbox = wake();
    await change(sandbox);
    const inCall = async () => {
      nearly();
      expect(await sandbox.acquire()).toBe('sb-1');
    };
    await sandbox.use(inCall, { changes: true });
    world.fails.set('snapshot', 'internal');
    expect(await sandbox.acquire()).toBe('sb-1');
    world.fails.clear();
    expect(await sandbox.acquire()).toBe('sb-1');
  });
});

describe('a sandbox that was made early', () => {
  const resting = async (sandbox: SessionSandbox) => {
    await sandbox.acquire();
    await rest(sandbox);
  };

  it('is ended when its session rests and nobody has used it, and is not made early again', async () => {
    const sandbox = wake();
    sandbox.provision();
    await resting(sandbox);
    expect([world.live.length, sandbox.holds(), sandbox.careAt()]).toEqual([0, false, null]);
    wake().provision();
    expect(world.boxes).toHaveLength(1);
    await change(wake());
    expect([world.boxes.length, told(wake())]).toEqual([2, []]);
  });

  it('is left alone while a person works in it, also when its session has long rested', async () => {
    const sandbox = wake();
    await rest(sandbox);
    const cared: Promise<void>[] = [];
    sandbox.watch(() => cared.push(sandbox.care()));
    const due = await sandbox.work(async () => {
      world.write('/a', 'by hand');
      return sandbox.careAt();
    });
    await Promise.all(cared);
    expect(due).toBeGreaterThan(world.now + REST_MS);
    expect([world.live.length, world.images.size]).toEqual([1, 0]);
    world.now += REST_MS;
    await sandbox.care();
    expect([world.live.length, world.images.size]).toEqual([1, 1]);
  });

  it('is kept when somebody asked for it', async () => {
    const sandbox = wake();
    sandbox.prewarm();
    await resting(sandbox);
    expect(world.live).toHaveLength(1);
    const other = wake({ facts: new MemoryFacts(), sessionId: 'sesn_other' });
    other.provision();
    await other.acquire();
    other.prewarm();
    await rest(other);
    expect(world.live).toHaveLength(2);
  });
});

describe('the environment of a sandbox', () => {
  const packages = { type: 'packages' as const, apt: ['jq'], cargo: [], gem: [], go: [], npm: [], pip: [] };
  const environment = { type: 'cloud' as const, networking: { type: 'unrestricted' as const }, packages };
  const network = { type: 'limited' as const, allowedHosts: ['example.com'] };

  it('is its image and its network, also when it is brought back', async () => {
    const sandbox = wake({ environment, network });
    await change(sandbox);
    await rest(sandbox);
    end();
    await wake({ environment, network }).acquire();
    const name = 'session-sesn_test';
    expect(world.requests).toEqual([
      { name, network, imageId: 'im-built' },
      { name, network, imageId: facts.record.snapshot?.imageId },
    ]);
  });

  it('that cannot be built is asked for once for each message, and told each time', async () => {
    world.fails.set('buildImage', 'image_failed');
    const sandbox = wake({ environment });
    const ask = () => expect(sandbox.acquire()).rejects.toMatchObject({ code: 'image_failed' });
    await Promise.all([ask(), ask()]);
    await ask();
    expect(told(sandbox)).toMatchObject([{ kind: 'image_failed', message: 'buildImage fails' }]);
    expect(world.asked).toEqual(['buildImage']);
    sandbox.provision();
    sandbox.retry();
    sandbox.provision();
    await ask();
    expect(world.asked).toEqual(['buildImage', 'buildImage']);
    expect(told(sandbox)).toHaveLength(2);
    world.fails.clear();
    sandbox.retry();
    await sandbox.acquire();
  });
});

describe('the end of a session', () => {
  it('ends the sandbox and deletes its snapshots, and goes on where it stopped half way', async () => {
    const sandbox = await photographed();
    world.fails.set('deleteImage', 'internal');
    await expect(sandbox.release()).rejects.toMatchObject({ code: 'internal' });
    expect([world.live.length, wake().holds()]).toEqual([0, true]);
    world.fails.clear();
    await wake().release();
    expect([world.images.size, wake().holds()]).toEqual([0, false]);
    await wake().release();
  });

  it('ends a sandbox that a dead process had made and nobody knows', async () => {
    const dying = wake();
    facts.save = (next) => {
      if (next.live !== null) throw new Error('the process is gone');
      facts.record = next;
    };
    await expect(dying.acquire()).rejects.toThrow('the process is gone');
    Reflect.deleteProperty(facts, 'save');
    const sandbox = wake();
    expect([world.live.length, sandbox.holds()]).toEqual([1, true]);
    await sandbox.release();
    expect([world.live.length, sandbox.holds()]).toEqual([0, false]);
  });

  it('deletes a snapshot that a dead process had asked for', async () => {
    const dying = wake();
    await change(dying);
    world.fails.set('snapshot', 'internal');
    await expect(rest(dying)).rejects.toThrow();
    world.fails.clear();
    const sandbox = wake();
    await sandbox.release();
    expect([world.images.size, sandbox.holds()]).toEqual([0, false]);
  });
});

describe('a snapshot that was lent', () => {
  it('is deleted by whoever lets it go last', async () => {
    const holders = new Set<string>();
    const sharing = (name: string) => ({
      hold: async () => void holders.add(name),
      letGo: async () => holders.delete(name) && holders.size === 0,
    });
    const source = wake({ sharing: sharing('source') });
    await change(source);
    await rest(source);
    const lent = await source.lend();
    if (lent === null) throw new TypeError('There is no snapshot.');
    holders.add('fork');
    const begins = { ...lent, sandboxId: '', running: true, lentAt: world.now };
    const forked = new MemoryFacts();
    forked.record = { ...forked.record, snapshot: begins };
    await source.release();
    expect(world.images.size).toBe(1);
    const fork = wake({ facts: forked, sessionId: 'sesn_fork', sharing: sharing('fork') });
    await fork.acquire();
    expect([world.read('/a'), fork.news()]).toEqual(['kept', []]);
    await fork.release();
    expect(world.images.size).toBe(0);
  });

  it('is not let go at once when the next is there: who it was lent to is being made', async () => {
    const sandbox = await photographed();
    const lent = await sandbox.lend();
    await change(sandbox, 'more');
    await rest(sandbox);
    expect(world.images.has(lent?.imageId ?? '')).toBe(true);
    world.now = sandbox.careAt() ?? 0;
    await sandbox.care();
    expect([...world.images.keys()]).toEqual([facts.record.snapshot?.imageId]);
  });
});

describe('a sandbox of the warm pool', () => {
  it('is the pool’s to forget once the session has recorded it, and the session’s to end', async () => {
    const { sandboxId, expiresAt } = await world.port().create({ name: 'warm-1' });
    const settled: (string | null)[] = [];
    const pool: SessionPool = {
      claim: async () => ({ sandboxId, expiresAt }),
      settle: async (kept) => {
        expect(facts.record).toMatchObject({ live: { sandboxId }, making: false });
        settled.push(kept);
      },
    };
    const sandbox = wake({ pool });
    await change(sandbox);
    expect([settled, world.live.map(({ name }) => name)]).toEqual([[sandboxId], ['warm-1']]);
    await sandbox.release();
    expect(world.live).toEqual([]);
  });

  it('is given back by a session that is over before it has recorded it', async () => {
    const settled: (string | null)[] = [];
    const settle: SessionPool['settle'] = async (kept) => {
      settled.push(kept);
    };
    // Its process died while it claimed.
    facts.record = { ...facts.record, making: true };
    await wake({ pool: { claim: async () => null, settle } }).release();
    expect([settled, facts.record.making]).toEqual([[null], false]);
  });
});

describe('the boot of a sandbox', () => {
  const boots = (sandbox: SessionSandbox) =>
    sandbox.news().flatMap((news) => (news.kind === 'booted' ? [news.boot] : []));

  it('is told when the sandbox is first used, once, also when a process dies in between', async () => {
    const first = wake();
    await first.acquire();
    expect(boots(first)).toEqual([]);
    const second = wake();
    await change(second);
    await change(second);
    const created = { name: 'create', started_after_ms: 0, duration_ms: 0, repository_url: null };
    expect(boots(second)).toMatchObject([
      { sandbox: 'created', duration_ms: 0, phases: [{ name: 'image' }, created] },
    ]);
    second.told(second.news().at(-1)?.id ?? '');
    const third = wake();
    await change(third);
    expect(boots(third)).toEqual([]);
  });

  it('is told of each sandbox, and how it came back', async () => {
    const sandbox = await photographed();
    end();
    sandbox.doubt();
    await change(sandbox);
    expect(boots(sandbox).map((boot) => boot.sandbox)).toEqual(['created', 'restored']);
    expect(boots(sandbox)[1]?.phases.map(({ name }) => name)).toEqual(['create', 'verify']);
  });
});
