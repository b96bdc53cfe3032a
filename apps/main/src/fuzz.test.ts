import { runBodyFuzz } from '@capstan/api/fuzz.contract';
import { knownIds } from './testing/known-ids.ts';
import { openWorld } from './testing/world.ts';

runBodyFuzz(async () => {
  const world = await openWorld({ stillDreams: true });
  return { ...world, ids: await knownIds(world) };
}, 10_000);
