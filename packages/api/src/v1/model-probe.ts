// Asks a provider whether it takes a key, by listing its models. What it answers is never told on: only whether it does.
import { ApiError } from '@capstan/schema/error';
import type { ModelProtocol } from '@capstan/schema/model-cards';
import { isSafeFetchError, type Reach, safeFetch } from '@capstan/shared/safe-fetch';

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 4 * 1024 * 1024;

export interface Provider {
  protocol: ModelProtocol;
  baseUrl: string;
  apiKey: string | null;
}

/** Refuses (`invalid_request`) a provider that cannot be reached, fails, is elsewhere, or does not take the key. */
export async function probeModel(provider: Provider, reach: Reach): Promise<void> {
  const { status, ok, headers } = await ask(provider, reach);
  if (status === 401 || status === 403) {
    const what = provider.apiKey === null ? 'wants a key' : 'refuses the key';
    throw refusal(`api_key: the provider ${what} (status ${status})`);
  }
  // Where calls go nothing is followed, and nobody is shown a page.
  if (status >= 300 && status < 400)
    throw refusal(`base_url: the provider redirects (status ${status}); give the address that leads to`);
  if (ok && headers.get('content-type')?.includes('text/html'))
    throw refusal(
      'base_url: a web page answers there; give the address of its API, e.g. one that ends in /v1',
    );
  // A compatible server need not list its models: any other answer shows that it is there.
  if (status >= 500)
    throw refusal(`base_url: the provider answers ${status}; try again, or send "test": false`);
}

async function ask(provider: Provider, reach: Reach): Promise<Response> {
  try {
    const policy = { ...reach, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES, redirects: 0 };
    const response = await safeFetch(`${rootOf(provider)}/models`, { headers: headersOf(provider) }, policy);
    await response.body?.cancel();
    return response;
  } catch (error) {
    if (!isSafeFetchError(error)) throw error;
    throw refusal(`base_url: ${error.message}`);
  }
}

function rootOf({ protocol, baseUrl }: Provider): string {
  const root = baseUrl.replace(/\/+$/, '');
  return protocol === 'anthropic_messages' && !/\/v\d+$/.test(root) ? `${root}/v1` : root;
}

function headersOf({ protocol, apiKey }: Provider): Record<string, string> {
  if (protocol !== 'anthropic_messages') return apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
  return { 'anthropic-version': '2023-06-01', ...(apiKey !== null && { 'x-api-key': apiKey }) };
}

function refusal(message: string): ApiError {
  return new ApiError('invalid_request', message, { reason: 'model_card_test_failed' });
}
