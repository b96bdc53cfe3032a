import { createSigner, createVerifier, SIGNATURE_HEADERS, verifiersBy } from '@capstan/shared/hmac';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeHashing } from './hashing.ts';

const SECRETS = ['é'.repeat(32), 'current-secret-current-secret-current'];

describe("the gateway's hashing", () => {
  it('takes and refuses what WebCrypto takes and refuses', async () => {
    const request = fc.record({ method: fc.constant('POST'), path: fc.string(), body: fc.uint8Array() });
    const change = fc.constantFrom('nothing', 'body', 'path', 'signature', 'secret');
    await fc.assert(
      fc.asyncProperty(request, change, fc.nat(63), async (signed, changed, at) => {
        const secret = changed === 'secret' ? 'x'.repeat(32) : (SECRETS[at % 2] ?? '');
        const headers = await createSigner(secret).sign(signed);
        const name = SIGNATURE_HEADERS.signature;
        const digits = [...(headers[name] ?? '')];
        if (changed === 'signature') digits[at] = digits[at] === '0' ? '1' : '0';
        const sent: Record<string, string> = { ...headers, [name]: digits.join('') };
        const arrived = {
          ...signed,
          ...(changed === 'path' && { path: `${signed.path}x` }),
          ...(changed === 'body' && { body: Uint8Array.from([...signed.body, 0]) }),
        };
        const verdicts = await Promise.all(
          [verifiersBy(nodeHashing), createVerifier].map((create) =>
            create(SECRETS).verify(arrived, (header) => sent[header] ?? null),
          ),
        );
        const expected = changed === 'nothing' ? { ok: true } : { ok: false, reason: 'forged' };
        expect(verdicts).toEqual([expected, expected]);
      }),
    );
  });
});
