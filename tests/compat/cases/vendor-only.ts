import { describe, expect, it } from 'vitest';
import type { Cases } from '../ground.ts';
import { callAnyhow, isVendorOnly } from '../vendor-only.ts';

export const vendorOnlyCases: Cases = (ground) => {
  describe("what only the vendor's cloud has", () => {
    it('is refused with 501 and what serves instead, method by method', async () => {
      const { client, book } = ground();
      const wrong: string[] = [];
      for (const name of book.names.filter(isVendorOnly)) {
        const error = await callAnyhow(client, name);
        const { status, type, message } = Object(error);
        if (status === 501 && type === 'not_implemented_error') book.refused(name);
        else wrong.push(`${name}: ${status} ${message}`);
      }
      expect(wrong).toEqual([]);
    });
  });
};
