import { expect, it } from 'vitest';
import { Occupancy } from './occupancy.ts';

it('whoever waits for a sandbox to be vacant waits for every call in it, and for nobody else', async () => {
  const occupancy = new Occupancy({ now: () => 7 });
  const told: string[] = [];
  let end = () => {};
  const call = (name: string) =>
    occupancy.call(() => new Promise<void>((resolve) => (end = resolve))).then(() => told.push(name));
  const first = call('first');
  const endFirst = end;
  const second = call('second');
  const vacant = occupancy.vacant().then(() => told.push('vacant'));
  endFirst();
  await first;
  expect([occupancy.calls, told]).toEqual([1, ['first']]);
  end();
  await Promise.all([second, vacant]);
  expect([occupancy.calls, told.toSorted()]).toEqual([0, ['first', 'second', 'vacant']]);
  await occupancy.stay(() => occupancy.vacant());
  expect([occupancy.users, occupancy.usedAt]).toEqual([0, 7]);
});
