import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CursorPage, type Listing, seek, toPage } from './cursor.ts';

const base: Listing = { list: 'agents', tenantId: 'tnt_a', order: 'desc', limit: 3 };

/** A list that keeps its rows in memory: what a table does with a seek. */
function read(ids: ReadonlySet<number>, listing: Listing): CursorPage<{ id: string }> {
  const at = seek(listing);
  const rows = [...ids].map((id) => ({ id: `row_${String(id).padStart(6, '0')}` }));
  const up = rows.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const { id } = at;
  const walked = at.order === 'asc' ? up : up.reverse();
  const beyond = walked.filter((row) => id === null || (at.order === 'asc' ? row.id > id : row.id < id));
  return toPage(listing, at, beyond.slice(0, at.take));
}

const order = fc.constantFrom('asc' as const, 'desc' as const);
const pageSize = fc.integer({ min: 1, max: 7 });
const ids = fc.uniqueArray(fc.nat(99_999), { maxLength: 40 });

describe('seek and toPage', () => {
  it('walks every row once, in order, whatever is inserted meanwhile', () => {
    const walk = fc.record({ had: ids, later: fc.array(fc.nat(99_999)), order, limit: pageSize });
    fc.assert(
      fc.property(walk, ({ had, later, order, limit }) => {
        const rows = new Set(had);
        const seen: string[] = [];
        let page: string | undefined;
        for (let i = 0; ; i++) {
          const answer = read(rows, { ...base, order, limit, page });
          expect(answer.rows.length).toBeLessThanOrEqual(limit);
          seen.push(...answer.rows.map(({ id }) => id));
          if (answer.next === null) break;
          page = answer.next;
          const added = later[i];
          if (added !== undefined) rows.add(added);
        }
        const sorted = [...new Set(seen)].toSorted();
        expect(seen).toEqual(order === 'asc' ? sorted : sorted.reverse());
        for (const id of had) expect(seen).toContain(`row_${String(id).padStart(6, '0')}`);
      }),
    );
  });

  it('walks back over the pages it came by', () => {
    fc.assert(
      fc.property(ids, order, pageSize, (had, order, limit) => {
        const rows = new Set(had);
        const forward: CursorPage<{ id: string }>[] = [read(rows, { ...base, order, limit })];
        for (let next = forward[0]?.next; next; next = forward.at(-1)?.next) {
          forward.push(read(rows, { ...base, order, limit, page: next }));
        }
        let prev = forward.at(-1)?.prev;
        for (const page of forward.toReversed().slice(1)) {
          const back = read(rows, { ...base, order, limit, page: prev ?? '' });
          expect(back.rows).toEqual(page.rows);
          prev = back.prev;
        }
        expect(prev ?? null).toBeNull();
      }),
    );
  });

  it('refuses cursors of another list, tenant or order', () => {
    const { next } = read(new Set([1, 2, 3, 4]), base);
    const page = next ?? '';
    expect(read(new Set([1, 2, 3, 4]), { ...base, page }).rows).toHaveLength(1);
    for (const over of [{ list: 'sessions' }, { tenantId: 'tnt_b' }, { order: 'asc' as const }]) {
      expect(() => seek({ ...base, ...over, page })).toThrow(/^page: it belongs to another list or order/);
    }
  });

  it('refuses anything that is not a cursor, always as an invalid request', () => {
    const forged = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.json().map((text) => Buffer.from(text).toString('base64url')),
    );
    fc.assert(
      fc.property(forged, (page) => {
        expect(() => seek({ ...base, page })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
      }),
    );
  });
});
