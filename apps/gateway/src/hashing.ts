// What the gateway verifies signatures with: Node's own, at once and in the thread that asks.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Hashing } from '@capstan/shared/hmac';

export const nodeHashing: Hashing = {
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  verifierOf: (secret) => (signature, signed) => {
    const expected = createHmac('sha256', secret).update(signed).digest();
    return signature.length === expected.length && timingSafeEqual(signature, expected);
  },
};
