import { runRouteContract } from '@capstan/api/route.contract';
import { knownIds } from './testing/known-ids.ts';
import { workersOf } from './testing/workers.ts';
import { openWorld } from './testing/world.ts';

runRouteContract(async () => {
  const world = await openWorld();
  const ids = Object.entries(await knownIds(world)).map(([name, [id = 'none']]) => [name, id] as const);
  const known = Object.fromEntries(ids);
  return { ...world, ids: known, ...(await workersOf(world, known)) };
});
