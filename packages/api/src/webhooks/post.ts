// One attempt: posts to an endpoint, and tells how that ended. Its answer's status is all that counts.
import { isSafeFetchError, type Reach, safeFetch } from '@capstan/shared/safe-fetch';
import { excerptOf } from './excerpt.ts';
import type { Outcome } from './verdict.ts';

export const TIMEOUT_MS = 10_000;
/** Read of an answer that is not a 2xx. */
const MAX_BYTES = 2_048;

/** Not for another time: what is wrong is the URL. */
const REFUSALS: ReadonlySet<string> = new Set([
  'malformed_url',
  'scheme_not_allowed',
  'credentials_in_url',
  'port_not_allowed',
  'address_not_public',
]);

export interface Sending {
  headers: Record<string, string>;
  body: string;
}

export async function post(url: string, { headers, body }: Sending, reach: Reach): Promise<Outcome> {
  // A body is read as far as it is kept, so no bound of its own is needed.
  const policy = { ...reach, timeoutMs: TIMEOUT_MS, maxBytes: Number.POSITIVE_INFINITY, redirects: 0 };
  try {
    const response = await safeFetch(url, { method: 'POST', headers, body }, policy);
    const { status } = response;
    const retryAfterSeconds = secondsOf(response.headers.get('retry-after'));
    return { kind: 'answered', status, retryAfterSeconds, excerpt: await beginningOf(response) };
  } catch (error) {
    if (!isSafeFetchError(error)) throw error;
    return { kind: REFUSALS.has(error.reason) ? 'refused' : 'failed', problem: error.message };
  }
}

function secondsOf(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

async function beginningOf({ body, ok }: Response): Promise<string | null> {
  if (body === null) return null;
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (let seen = 0; !ok && seen < MAX_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) break;
      seen += value.byteLength;
      text += decoder.decode(value.subarray(0, MAX_BYTES), { stream: true });
    }
    return excerptOf(text);
  } catch {
    // What came before it broke off is kept.
    return excerptOf(text);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
