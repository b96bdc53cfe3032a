// How a model of the tenant's own is reached: by its card, over a fetch that goes to no private place the installation
// has not named.
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { ModelFailure } from '@capstan/session/harness';
import { isSafeFetchError, type Reach, type SafeFetchReason, safeFetch } from '@capstan/shared/safe-fetch';
import type { TenantModel } from '../tenant-models.ts';
import { type ModelRoute, versioned } from './route.ts';

const TIMEOUT_MS = 3_600_000;
/** A token has a few hundred bytes around it, and a reply a hundred thousand of them. */
const MAX_BYTES = 96 * 1024 * 1024;

export async function cardRoute(card: TenantModel): Promise<ModelRoute> {
  const { dialect, model } = card;
  const root = card.baseUrl.replace(/\/+$/, '');
  const baseUrl = dialect === 'messages' ? versioned(root) : root;
  const { host } = new URL(baseUrl);
  return {
    dialect,
    model,
    baseUrl,
    apiKey: await card.openKey(),
    official: false,
    systemInPlace: dialect === 'responses',
    tag: `${card.id}/${dialect}/${host}/${model}`,
    name: `The model server at ${host}`,
    variables: { key: 'api_key', address: 'base_url' },
    whereToSet: `on the model card ${card.id} of "${card.modelId}"`,
  };
}

/** What may pass when the same is tried again. */
const PASSING: ReadonlySet<SafeFetchReason> = new Set(['unreachable', 'unresolvable', 'timeout']);

/** `fetch` for addresses that users give; what it refuses is told as the failure of the call. */
export function fetchWithin(reach: Reach): typeof fetch {
  return async (input, init = {}) => {
    const { method = 'GET', headers, body, signal } = init;
    if (body !== undefined && body !== null && typeof body !== 'string')
      throw new TypeError('not a text body');
    const request = {
      method,
      headers: new Headers(headers),
      ...(typeof body === 'string' && { body }),
      ...(signal && { signal }),
    };
    const url = input instanceof Request ? input.url : String(input);
    try {
      return await safeFetch(url, request, {
        ...reach,
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
        redirects: 0,
      });
    } catch (error) {
      if (!isSafeFetchError(error)) throw error;
      throw new ModelFailure('model_request_failed_error', `The model card's base_url: ${error.message}.`, {
        retryable: PASSING.has(error.reason),
        usage: ZERO_MODEL_USAGE,
        cause: error,
      });
    }
  };
}
