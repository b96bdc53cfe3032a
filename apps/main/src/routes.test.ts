import { runRouteContract } from '@capstan/api/route.contract';
import { knownIds } from './testing/known-ids.ts';
import { openWorld } from './testing/world.ts';

runRouteContract(async () => {
  const world = await openWorld();
  const ids = Object.entries(await knownIds(world)).map(([name, [id = 'none']]) => [name, id] as const);
  return { ...world, ids: Object.fromEntries(ids) };
});
