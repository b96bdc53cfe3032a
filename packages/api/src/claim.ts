// What names a request, so that its repetition is known: the client's own key, or what it sends when it is an SDK that
// counts its retries. Names of different tenants, keys of the API and routes never meet.
import { ApiError } from '@capstan/schema/error';
import { type Claim, IDEMPOTENCY_HEADER, idempotencyKey, REPLAYED_HEADER } from '@capstan/schema/idempotency';
import { sha256Hex } from './auth/digest.ts';
import type { Head, Principal } from './call.ts';

const RETRIES_HEADER = 'x-stainless-retry-count';

/** Undefined: the request can only be taken as it comes. Refuses (`invalid_request`) a key that is none. */
export async function readClaim(
  { headers, method, url }: Request,
  principal: Principal,
  body: string,
): Promise<Claim | undefined> {
  const key = headers.get(IDEMPOTENCY_HEADER);
  const retries = headers.get(RETRIES_HEADER) ?? '';
  if (key !== null) requireKey(key);
  else if (!/^\d{1,4}$/.test(retries)) return undefined;
  const by = key === null ? 'body' : 'key';
  const fingerprint = await sha256Hex(body);
  const { tenantId, apiKey } = principal;
  const parts = [tenantId, apiKey.id, method, new URL(url).pathname, by, key ?? fingerprint];
  const name = await sha256Hex(JSON.stringify(parts));
  return { name, by, fingerprint, mayRepeat: key !== null || Number(retries) > 0 };
}

/** The reply of something that was done, now or before. */
export function answer<T>({ reply, replayed }: { reply: T; replayed: boolean }, { headers }: Head): T {
  if (replayed) headers.set(REPLAYED_HEADER, 'true');
  return reply;
}

function requireKey(key: string): void {
  const { success, error } = idempotencyKey.safeParse(key);
  if (success) return;
  const expected = error.issues.map(({ message }) => message).join('; ');
  throw new ApiError('invalid_request', `${IDEMPOTENCY_HEADER}: ${expected}`);
}
