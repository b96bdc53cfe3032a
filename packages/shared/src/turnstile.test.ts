import { expect, it } from 'vitest';
import { Turnstile } from './turnstile.ts';

/** Work that ends when it is told to. */
function open(): { work: () => Promise<void>; end: () => void } {
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { work: () => ended, end };
}

it('lets so many through at a time, and each one in the end, also after one that failed', async () => {
  const turnstile = new Turnstile({ places: 3, longestMs: 60_000 });
  let inside = 0;
  let most = 0;
  const order: number[] = [];
  const pass = (index: number) =>
    turnstile.pass(async () => {
      order.push(index);
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      if (index === 4) throw new TypeError('failed');
    });
  const all = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => pass(index)));
  expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  expect(most).toBe(3);
  expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

it('holds nobody up for longer than is said', async () => {
  const turnstile = new Turnstile({ places: 1, longestMs: 20 });
  const stuck = open();
  const first = turnstile.pass(stuck.work);
  expect(await turnstile.pass(async () => 'through')).toBe('through');
  stuck.end();
  await first;
  expect(await turnstile.pass(async () => 'again')).toBe('again');
});
