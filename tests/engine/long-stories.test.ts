// Delegation, outcomes, budgets, large bodies and forks, while the runtime dies under each of them: nothing that was
// accepted is lost or there twice. The short stories are told at every failpoint (failpoints.test.ts); `pnpm chaos` mixes all.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Random } from '../support/random.ts';
import { Storm } from '../support/storm.ts';
import { LONG_SCENES, tellStory } from '../support/story.ts';

let storm: Storm;
beforeAll(async () => {
  storm = await Storm.begin();
}, 240_000);
afterAll(() => storm.end());

const POINTS = ['append.session.status_idle:after', 'model.first_part', 'index.put:before'];

it('cost nothing, whatever dies under them', { timeout: 900_000 }, async () => {
  const played = LONG_SCENES.map(async (kind, index) => {
    const story = tellStory(`long-${kind}`, new Random(index), [kind]);
    const { faults } = await storm.play(story, (session) => {
      const point = POINTS[index % POINTS.length] ?? 'model.end';
      void storm.server.strike({ session, point, kill: () => storm.kill('workerd') });
    });
    return faults;
  });
  expect((await Promise.all(played)).flat()).toEqual([]);
  expect(storm.kills.get('workerd')).toBeGreaterThan(0);
});
