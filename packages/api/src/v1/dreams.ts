// Dreams over HTTP. What they owe, their clocks do.
import { stores } from '@capstan/db/stores';
import { type CreateDream, type DreamAddress, dreamRoutes } from '@capstan/schema/dreams';
import { ApiError } from '@capstan/schema/error';
import { newId } from '@capstan/shared/ids';
import type { Logger } from '@capstan/shared/logger';
import { answer } from '../claim.ts';
import { mount } from '../mount.ts';
import type { Surface } from '../surface.ts';

export function mountDreams(surface: Surface): void {
  const { db, dreamClocks } = surface.ports;

  mount(surface, dreamRoutes.create, async ({ principal: { tenantId }, body, claim, head, now, logger }) => {
    const { dreams, receipts } = stores(db, tenantId);
    const made = await receipts.once(claim, now, async (kept) => {
      const wanted = toWanted(body);
      await requireInputs(surface, tenantId, wanted);
      const id = newId('dream', now);
      await dreamClocks.expectDream({ tenantId, dreamId: id });
      return dreams.create({ ...wanted, id, now }, kept);
    });
    await look(surface, { tenantId, dreamId: made.reply.id }, logger);
    return answer(made, head);
  });

  mount(surface, dreamRoutes.list, ({ principal, query }) =>
    stores(db, principal.tenantId).dreams.list({
      limit: query.limit,
      page: query.page,
      statuses: query.statuses,
      includeArchived: query.include_archived,
      created: query,
    }),
  );

  mount(surface, dreamRoutes.retrieve, ({ principal, params }) =>
    stores(db, principal.tenantId).dreams.retrieve(params.dream_id),
  );

  mount(surface, dreamRoutes.cancel, async ({ principal: { tenantId }, params, now, logger }) => {
    const canceled = await stores(db, tenantId).dreams.cancel(params.dream_id, now);
    await look(surface, { tenantId, dreamId: canceled.id }, logger);
    return canceled;
  });

  mount(surface, dreamRoutes.archive, ({ principal, params, now }) =>
    stores(db, principal.tenantId).dreams.archive(params.dream_id, now),
  );
}

/** It rings by itself, only later, when this fails. */
async function look({ ports }: Surface, address: DreamAddress, logger: Logger): Promise<void> {
  await ports.dreamClocks
    .lookAtDream(address)
    .catch((error: unknown) =>
      logger.warn('dream.look_left', { dream_id: address.dreamId, problem: String(error) }),
    );
}

interface Wanted {
  storeId: string;
  sessionIds: string[];
  model: { id: string; speed?: 'standard' };
  instructions: string | null;
  output: 'create_new' | 'update_existing';
}

/** Refuses (`invalid_request`) another memory store to be updated than the one that is read. */
function toWanted({ inputs, model, instructions, output_behavior: output }: CreateDream): Wanted {
  let storeId = '';
  let sessionIds: string[] = [];
  for (const input of inputs) {
    if (input.type === 'memory_store') storeId = input.memory_store_id;
    else sessionIds = input.session_ids;
  }
  if (output?.type === 'update_existing' && output.memory_store_id !== storeId) {
    const how = `has to be the memory store of inputs, ${storeId}`;
    throw new ApiError('invalid_request', `output_behavior.memory_store_id: ${how}`);
  }
  const given = typeof model === 'string' ? { id: model, speed: null } : model;
  return {
    storeId,
    sessionIds,
    model: { id: given.id, ...(given.speed && { speed: 'standard' as const }) },
    instructions: instructions ?? null,
    output: output?.type ?? 'create_new',
  };
}

/** Refuses (`not_found`) what is not there, and (`invalid_request`) an archived memory store. */
async function requireInputs(
  { ports: { db } }: Surface,
  tenantId: string,
  { storeId, sessionIds }: Wanted,
): Promise<void> {
  const { memoryStores, sessions } = stores(db, tenantId);
  const [store] = await memoryStores.standing([storeId]);
  if (store === undefined) throw new ApiError('not_found', `inputs: no memory store ${storeId}`);
  if (store.archivedAt !== null)
    throw new ApiError('invalid_request', `inputs: ${storeId} is archived; name another memory store`);
  const missing = await sessions.missing(sessionIds);
  if (missing.length > 0) throw new ApiError('not_found', `inputs: no session ${missing[0]}`);
}
