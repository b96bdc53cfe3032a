// DNS over HTTPS, as JSON: what a name resolves to, asked of one resolver that is trusted to say. Both families have to be
// answered: an address that is not known of could be the one that is connected to.
import type { Resolve } from './safe-fetch.ts';

const A = 1;
const AAAA = 28;
const NO_ERROR = 0;
const NO_SUCH_NAME = 3;

/** `endpoint`: for example `https://cloudflare-dns.com/dns-query`. Rejects when the resolver does not answer. */
export function resolveOverHttps(endpoint: string): Resolve {
  return async (name, signal) => {
    const answers = await Promise.all([A, AAAA].map((type) => ask(endpoint, { name, type }, signal)));
    return answers.flat();
  };
}

async function ask(
  endpoint: string,
  { name, type }: { name: string; type: number },
  signal: AbortSignal,
): Promise<string[]> {
  const url = new URL(endpoint);
  url.searchParams.set('name', name);
  url.searchParams.set('type', String(type));
  const response = await fetch(url, { headers: { accept: 'application/dns-json' }, signal });
  if (!response.ok) throw new Error(`the resolver answers ${response.status}`);
  return addressesIn(await response.json(), type);
}

function addressesIn(said: unknown, type: number): string[] {
  if (typeof said !== 'object' || said === null || !('Status' in said))
    throw new Error('the resolver answers no DNS');
  if (said.Status === NO_SUCH_NAME) return [];
  if (said.Status !== NO_ERROR) throw new Error(`the resolver has status ${said.Status}`);
  const records: unknown[] = 'Answer' in said && Array.isArray(said.Answer) ? said.Answer : [];
  return records.flatMap((record) => {
    if (typeof record !== 'object' || record === null) return [];
    if (!('type' in record) || record.type !== type) return [];
    return 'data' in record && typeof record.data === 'string' ? [record.data] : [];
  });
}
