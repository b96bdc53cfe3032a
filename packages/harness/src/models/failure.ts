// What went wrong with a model call, sorted once by what to do next. Keys never appear in a message.
import { ZERO_MODEL_USAGE } from '@capstan/schema/usage';
import { isModelFailure, type ModelErrorType, ModelFailure } from '@capstan/session/harness';
import { type Facts, factsOf } from './fault-facts.ts';
import { refusesMedia, saysTooLong } from './refusal-reasons.ts';
import type { ModelRoute } from './route.ts';

export interface FailureContext {
  route: ModelRoute;
  /** Epoch ms. */
  now: number;
  /** Whether the call sent an image or a document. */
  media: boolean;
}

/** The longest wait a provider may ask for. */
const LONGEST_WAIT_MS = 15 * 60_000;

interface Verdict {
  type: ModelErrorType;
  retryable: boolean;
  says: string;
  contextTooLong?: boolean;
  badMedia?: boolean;
}

export function toModelFailure(error: unknown, context: FailureContext): ModelFailure {
  const known = findFailure(error);
  if (known !== null) return known;
  const facts = factsOf(error, context.now);
  const verdict = sort(facts, context);
  const detail = scrub(facts.message, context.route.apiKey);
  const message = detail === '' ? `${verdict.says}.` : `${verdict.says}: ${ended(detail)}`;
  const wait = facts.retryAfterMs;
  return new ModelFailure(verdict.type, message, {
    retryable: verdict.retryable,
    contextTooLong: verdict.contextTooLong ?? false,
    badMedia: verdict.badMedia ?? false,
    ...(verdict.retryable && wait !== null ? { retryAfterMs: Math.min(wait, LONGEST_WAIT_MS) } : {}),
    ...(isUnread(facts) ? { usage: ZERO_MODEL_USAGE } : {}),
    cause: new Error(detail),
  });
}

/** The model never had the call: the provider refused it at its door, or was not reached. */
function isUnread({ status, message }: Facts): boolean {
  return status !== null || UNREACHED.test(message);
}

const UNREACHED = /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH/;

const FAILED = 'model_request_failed_error';

function sort(facts: Facts, { route, media }: FailureContext): Verdict {
  const { name } = route;
  const is = (pattern: RegExp) => pattern.test(facts.code);
  const final = (type: ModelErrorType, says: string): Verdict => ({ type, says, retryable: false });
  const again = (type: ModelErrorType, says: string): Verdict => ({ type, says, retryable: true });

  if (facts.status === 402 || is(BILLING) || NO_CREDIT.test(facts.message)) {
    return final('billing_error', `${name} says that the account has no credit or quota left`);
  }
  if (
    facts.status === 401 ||
    facts.status === 403 ||
    is(/authentication_error|permission_error|invalid_api_key/)
  ) {
    const which = route.apiKey === null ? 'no key is set' : `check ${route.variables.key}`;
    const code = facts.status === null ? '' : ` (${facts.status})`;
    return final(FAILED, `${name} refused the API key${code}; ${which} ${route.whereToSet}`);
  }
  if (facts.status === 429 || is(/rate_limit/))
    return again('model_rate_limited_error', `${name} limits the rate of requests`);
  if (saysTooLong(facts)) {
    return { ...final(FAILED, `The conversation is longer than ${lower(name)} takes`), contextTooLong: true };
  }
  if (media && refusesMedia(facts)) {
    return { ...final(FAILED, `${name} refused an image or document of the conversation`), badMedia: true };
  }
  if (facts.status === 529 || facts.status === 503 || is(/overloaded/)) {
    return again('model_overloaded_error', `${name} is overloaded`);
  }
  if (facts.status === 404 || is(/not_found/))
    return final(FAILED, `${name} does not serve the model "${route.model}"`);
  if (facts.status !== null && facts.status >= 500) return again(FAILED, `${name} failed (${facts.status})`);
  if (facts.status === 408 || facts.status === 409 || is(/server_error|api_error|timeout/)) {
    return again(FAILED, `${name} failed`);
  }
  if (facts.status !== null || is(/invalid_request|invalid_prompt|too_large/)) {
    const code = facts.status === null ? '' : ` (${facts.status})`;
    return final(FAILED, `${name} refused the request${code}`);
  }
  if (facts.network) return again(FAILED, `The connection to ${lower(name)} failed`);
  return again('unknown_error', `The reply of ${lower(name)} could not be read`);
}

const BILLING = /insufficient_quota|billing|credit_balance/;
const NO_CREDIT = /credit balance is too low|exceeded your current quota/i;

function findFailure(error: unknown): ModelFailure | null {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    if (isModelFailure(at)) return at;
    at = at.cause;
  }
  return null;
}

/** Takes every secret out of a text, and keeps it readable. */
export function scrub(message: string, apiKey: string | null): string {
  const without = apiKey === null || apiKey.length < 4 ? message : message.replaceAll(apiKey, '[key]');
  return without
    .replace(/(\w:\/\/)[^\s/?#@]+@/g, '$1[key]@')
    .replace(/([?&][\w.-]*(?:key|token|secret|signature|sig)=)[^\s&#]+/gi, '$1[key]')
    .replace(/\b(?:sk|pk|rk|key)-[\w*.-]{6,}/gi, '[key]')
    .replace(/(bearer|x-api-key:?)\s+[\w*.-]{8,}/gi, '$1 [key]')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 1_000);
}

function lower(name: string): string {
  return name.replace(/^The /, 'the ');
}

function ended(sentence: string): string {
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
