import { Digester } from '@capstan/db/blobs';
import { OPEN_CLOUD } from '@capstan/db/environments';
import { stores } from '@capstan/db/stores';
import { files } from '@capstan/db/tables/files';
import { openTestDatabase, type TestDatabase } from '@capstan/db/testing';
import { plainAgent } from '@capstan/db/testing-agent';
import { ApiError } from '@capstan/schema/error';
import { ZERO_USAGE } from '@capstan/schema/usage';
import { newId } from '@capstan/shared/ids';
import { silentLogger } from '@capstan/shared/logger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DreamPorts, keepDream } from './dream-keeper.ts';

const tenantId = 'tnt_dreamer';
const began = Date.parse('2026-11-21T07:00:00Z');
/** More than are copied at a time. */
const MANY = 51;
const MINUTE_MS = 60_000;

let database: TestDatabase;
let talk: string;

beforeAll(async () => {
  database = await openTestDatabase();
  const settings = plainAgent('Talker');
  const agent = await mine().agents.create({ settings, metadata: {}, now: began });
  const cloud = { name: 'Cloud', description: null, config: OPEN_CLOUD, metadata: {} };
  const environment = await mine().environments.create({ ...cloud, scope: 'organization', now: began });
  const created = await mine().sessions.create({
    agent: { id: agent.id },
    environmentId: environment.id,
    title: null,
    metadata: {},
    now: began,
  });
  talk = created.id;
});
afterAll(() => database.close());

const mine = () => stores(database.db, tenantId);
const row = async (id: string) => {
  const found = await mine().dreams.find(id);
  if (found) return found;
  throw new Error(`no dream ${id}`);
};

async function storeOf(memories: number): Promise<string> {
  const plain = { name: 'Notes', description: 'What is known', metadata: {} };
  const { id: storeId } = await mine().memoryStores.create({ ...plain, now: began });
  const actor = { type: 'api_actor' as const, api_key_id: 'key_1' };
  for (let index = 0; index < memories; index++) {
    const path = `/deep/${index}.md`;
    await mine().memories.create({
      storeId,
      path,
      content: `text ${index}`,
      actor,
      view: 'basic',
      now: began,
    });
  }
  return storeId;
}

async function dreamOf(storeId: string, output: 'create_new' | 'update_existing' = 'create_new') {
  const id = newId('dream', began);
  const model = { id: 'some-model' };
  await mine().dreams.create({
    id,
    storeId,
    sessionIds: [talk],
    model,
    instructions: null,
    output,
    now: began,
  });
  return id;
}

const sums = async (storeId: string) =>
  ((await mine().memories.all(storeId))?.rows ?? []).map(({ path, contentSha256 }) => [path, contentSha256]);

interface Life {
  now?: number;
  /** Dies at this moment: no call that the process makes from then on does anything. */
  diesAt?: number;
  /** What the dream's session is doing. */
  working?: boolean;
  refusal?: ApiError;
}

const written = new Map<string, number>();
const asked: string[] = [];

/** A process, with the moments before and after each of its calls counted. */
function live({ now = began, diesAt = Number.POSITIVE_INFINITY, working = false, refusal }: Life = {}) {
  let moments = 0;
  /** Those round what has an effect. */
  const telling: number[] = [];
  const moment = () => {
    moments += 1;
    if (moments > diesAt) throw new Error('the process is dead');
  };
  const passing = async <T>(work: () => Promise<T> | T): Promise<T> => {
    moment();
    const result = await work();
    telling.push(moments, moments + 1);
    moment();
    return result;
  };
  const db = new Proxy(database.db, {
    get(target, key) {
      if (key === 'batch')
        return (statements: Parameters<typeof target.batch>[0]) => passing(() => target.batch(statements));
      moment();
      return Reflect.get(target, key);
    },
  });
  const view = async ({ sessionId }: { sessionId: string }) => {
    if ((await mine().sessions.find(sessionId)) === null) throw new ApiError('not_found', 'No session');
    const usage = { ...ZERO_USAGE, output_tokens: 7 };
    return { status: working ? 'running' : 'idle', archivedAt: null, usage };
  };
  const sessions = {
    expect: () => passing(() => undefined),
    view: (address: { sessionId: string }) => passing(() => view(address)),
    send: (_address: object, [event]: { type: string }[]) => passing(() => asked.push(event?.type ?? '')),
    archive: () => passing(() => asked.push('archive')),
    listEvents: () =>
      passing(() => {
        if (refusal) throw refusal;
        const said = { id: 'sevt_1', processed_at: null, content: [{ type: 'text', text: 'Ada likes tea' }] };
        return { data: [{ ...said, type: 'user.message' }], next_page: null };
      }),
  };
  const blobs = {
    put: (key: string, content: AsyncIterable<Uint8Array<ArrayBuffer>>) =>
      passing(async () => {
        const digester = new Digester();
        for await (const piece of content) await digester.add(piece);
        const kept = await digester.end();
        written.set(key, kept.sizeBytes);
        return kept;
      }),
    remove: (keys: readonly string[]) =>
      passing(() => {
        for (const key of keys) written.delete(key);
      }),
  };
  const ports = {
    db,
    sessions,
    blobs,
    logger: silentLogger,
    clock: { now: () => now },
  } as unknown as DreamPorts;
  return {
    ring: (dreamId: string) => keepDream(ports, { tenantId, dreamId }),
    telling,
  };
}

/** What the session itself says when it comes to rest. */
async function rest(dreamId: string, how: 'succeeded' | 'failed') {
  const { sessionId } = await row(dreamId);
  const told = {
    type: 'session.status_idled' as const,
    id: sessionId,
    eventId: newId('webhookEvent'),
    now: began,
  };
  const index = { title: null, metadata: {}, budget: null, outcomeEvaluations: [], agentTools: null };
  const standing = {
    status: 'idle' as const,
    usage: ZERO_USAGE,
    activeSeconds: 0,
    updatedAt: began,
    archivedAt: null,
  };
  const also = { announcements: [{ ...told, ends: how }] };
  await mine().sessions.putIndex(sessionId, { ...standing, ...index }, also);
}

/** Until nothing is owed, or the session is waited for. */
async function settled(dreamId: string): Promise<void> {
  for (let rings = 0; rings < 10; rings++) {
    const { begunAt, rested, endedAt } = await row(dreamId);
    if (begunAt !== null && rested === null && endedAt === null) return;
    if ((await live().ring(dreamId)) === null) return;
  }
}

describe('the keeper of a dream', () => {
  it('makes one session, one copy and one transcript, at whatever moment its process dies', async () => {
    const storeId = await storeOf(2);
    const whole = live();
    await whole.ring(await dreamOf(storeId));
    expect(whole.telling.length).toBeGreaterThan(15);
    for (const diesAt of whole.telling) {
      const id = await dreamOf(storeId);
      await live({ diesAt })
        .ring(id)
        .catch(() => undefined);
      await settled(id);
      const { targetId, sessionId } = await row(id);
      expect(await sums(targetId), `dead at ${diesAt}`).toEqual(await sums(storeId));
      const session = await mine().sessions.find(sessionId);
      expect(session?.resources, `dead at ${diesAt}`).toHaveLength(2);
      const kept = (await database.db.select().from(files)).filter((file) => file.sessionId === sessionId);
      expect(kept, `dead at ${diesAt}`).toHaveLength(1);
    }
  }, 300_000);

  it('takes what the session came to, and lets it go, at whatever moment its process dies', async () => {
    const storeId = await storeOf(1);
    for (let diesAt = 1; ; diesAt++) {
      const id = await dreamOf(storeId);
      await settled(id);
      await rest(id, 'succeeded');
      const process = live({ diesAt });
      const ended = async () => {
        while ((await process.ring(id)) !== null);
        return true;
      };
      const lived = await ended().catch(() => false);
      await settled(id);
      const { targetId, sessionId, releasedAt } = await row(id);
      expect(await mine().dreams.retrieve(id), `dead at ${diesAt}`).toMatchObject({
        status: 'completed',
        outputs: [{ type: 'memory_store', memory_store_id: targetId }],
        session_id: sessionId,
        usage: { output_tokens: 7 },
      });
      expect(releasedAt, `dead at ${diesAt}`).not.toBeNull();
      if (lived) return;
    }
  }, 300_000);

  it('goes on with a copy where a process has left it', async () => {
    const storeId = await storeOf(MANY);
    const id = await dreamOf(storeId);
    const { targetId } = await row(id);
    const copied = async () => (await sums(targetId)).length;
    for (let diesAt = 1; (await copied()) === 0; diesAt++)
      await live({ diesAt })
        .ring(id)
        .catch(() => undefined);
    expect(await copied()).toBe(MANY - 1);
    await settled(id);
    expect(await sums(targetId)).toEqual(await sums(storeId));
  }, 300_000);

  it('writes the memories of the copy in the name of the session', async () => {
    const id = await dreamOf(await storeOf(1));
    await live().ring(id);
    const { targetId, sessionId } = await row(id);
    const { data } = await mine().memoryVersions.list({
      storeId: targetId,
      limit: 5,
      view: 'full',
      created: {},
    });
    expect(data).toMatchObject([
      {
        operation: 'created',
        content: 'text 0',
        created_by: { type: 'session_actor', session_id: sessionId },
      },
    ]);
    expect(await mine().memoryStores.retrieve(targetId)).toMatchObject({
      name: 'Dream of Notes',
      description: 'What is known',
    });
  });

  it('fails a dream whose input is archived, and one whose sessions are gone', async () => {
    const storeId = await storeOf(0);
    const one = await dreamOf(storeId);
    const refusal = new ApiError('not_found', 'No session');
    await live({ refusal }).ring(one);
    expect(await mine().dreams.retrieve(one)).toMatchObject({
      status: 'failed',
      error: { type: 'input_session_unavailable', message: expect.stringContaining(talk) },
    });
    const other = await dreamOf(storeId);
    await mine().memoryStores.archive(storeId, began);
    await live().ring(other);
    expect(await mine().dreams.retrieve(other)).toMatchObject({
      status: 'failed',
      error: { type: 'input_memory_store_unavailable', message: expect.stringContaining(storeId) },
      outputs: [],
      session_id: null,
    });
    expect(await live().ring(other)).toBeNull();
  });

  it('fails a dream whose session failed, and one that takes too long', async () => {
    const failed = await dreamOf(await storeOf(0));
    await live().ring(failed);
    await rest(failed, 'failed');
    await rest(failed, 'succeeded');
    await live().ring(failed);
    expect(await mine().dreams.retrieve(failed)).toMatchObject({ error: { type: 'internal_error' } });
    const long = await dreamOf(await storeOf(0));
    await live().ring(long);
    const late = began + 4 * 60 * MINUTE_MS;
    expect(await live({ now: late }).ring(long)).toBe(late + 5_000);
    await live({ now: late + 1 }).ring(long);
    expect(await mine().dreams.retrieve(long)).toMatchObject({
      status: 'failed',
      error: { type: 'timeout' },
    });
  });

  it('stops the session of a dream that was canceled, and then lets another write to its memory store', async () => {
    const storeId = await storeOf(0);
    const id = await dreamOf(storeId, 'update_existing');
    await live().ring(id);
    await mine().dreams.cancel(id, began + 1);
    await expect(dreamOf(storeId, 'update_existing')).rejects.toMatchObject({ code: 'held' });
    asked.length = 0;
    expect(await live({ working: true }).ring(id)).toBe(began + 1_000);
    expect(asked).toEqual(['user.interrupt']);
    await expect(dreamOf(storeId, 'update_existing')).rejects.toMatchObject({ code: 'held' });
    expect(await live().ring(id)).toBeNull();
    expect(asked).toEqual(['user.interrupt', 'archive']);
    expect(await mine().dreams.retrieve(id)).toMatchObject({
      status: 'canceled',
      usage: { output_tokens: 7 },
    });
    await dreamOf(storeId, 'update_existing');
  });

  it('removes transcripts that were made for a session which never began', async () => {
    const id = await dreamOf(await storeOf(0));
    const { sessionId } = await row(id);
    const transcript = () => mine().files.ofSession(sessionId, `${talk}.md`);
    for (let diesAt = 1; (await transcript()) === null; diesAt++)
      await live({ diesAt })
        .ring(id)
        .catch(() => undefined);
    const blob = (await transcript())?.blob ?? '';
    expect(written.has(blob)).toBe(true);
    expect((await row(id)).begunAt).toBeNull();
    await mine().dreams.cancel(id, began);
    expect(await live().ring(id)).toBeNull();
    expect(await transcript()).toBeNull();
    expect(written.has(blob)).toBe(false);
  });
});
