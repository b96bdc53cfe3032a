import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Orders } from './orders.ts';

async function read(orders: Orders, offset: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of orders.readFrom(offset)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('orders', () => {
  it('are read from any byte on, those that come later too', async () => {
    const given = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(given, fc.nat(), fc.nat(8), async (all, from, early) => {
        const whole = Buffer.concat(all);
        const offset = from % (whole.length + 1);
        const orders = new Orders();
        for (const order of all.slice(0, early)) orders.add(order);
        const reading = read(orders, offset);
        for (const order of all.slice(early)) {
          orders.add(order);
          await Promise.resolve();
        }
        orders.end();
        expect((await reading).equals(whole.subarray(offset))).toBe(true);
        expect((await read(orders, offset)).equals(whole.subarray(offset))).toBe(true);
        expect(orders.sizeBytes).toBe(whole.length);
      }),
    );
  });

  it('go on to a reader that takes the place of one that was cut off', async () => {
    const orders = new Orders();
    orders.add(Buffer.from('first'));
    const before = orders.readFrom(0);
    await before.next();
    const waiting = before.next();
    const after = orders.readFrom(5);
    const next = after.next();
    orders.add(Buffer.from('second'));
    expect(Buffer.from((await next).value ?? []).toString()).toBe('second');
    orders.end();
    await waiting;
  });
});
