// Methods of the SDK for what only the vendor's cloud has: model calls, the administration of an account, tunnels.
import type Anthropic from '@anthropic-ai/sdk';

const SERVED = /^beta\.organization\.(retrieve|webhooks\.\w+)$|^organization\.retrieve$/;
const NOWHERE =
  /^(beta\.)?(organization|messages)\.|^beta\.tunnels\.|^(beta\.)?userProfiles\.(actionURLs\.|createEnrollmentURL)/;

export function isVendorOnly(name: string): boolean {
  return NOWHERE.test(name) && !SERVED.test(name);
}

/** Methods that send nothing themselves: they are what the others are called through. */
const COMPOSED: Record<string, (client: Anthropic) => PromiseLike<unknown>> = {
  'beta.messages.toolRunner': (client) =>
    client.beta.messages.toolRunner({
      model: 'm',
      max_tokens: 1,
      messages: [{ role: 'user', content: 'hi' }],
      tools: [],
    }),
  'beta.messages.thread': (client) =>
    client.beta.messages.thread({ model: 'm', max_tokens: 1 }).send({ role: 'user', content: 'hi' }),
  'messages.stream': (client) =>
    client.messages
      .stream({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] })
      .finalMessage(),
  'beta.messages.stream': (client) =>
    client.beta.messages
      .stream({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] })
      .finalMessage(),
};

/** What the call was refused with, with whatever arguments the client lets through. */
export async function callAnyhow(client: Anthropic, name: string): Promise<unknown> {
  const composed = COMPOSED[name];
  if (composed !== undefined) return refusalOf(() => composed(client));
  const path = name.split('.');
  const key = path.pop() ?? '';
  const owner: object = path.reduce((inner: object, part) => Object(Reflect.get(inner, part)), client);
  const method: unknown = Reflect.get(owner, key);
  if (typeof method !== 'function') throw new Error(`${name} is no method`);
  let refusal: unknown = null;
  // Ids come first and parameters last; which of them a method has, only trying tells.
  for (const args of [['a'], ['a', ANYTHING], [ANYTHING], ['a', 'b', ANYTHING]]) {
    refusal = await refusalOf(() => Reflect.apply(method, owner, args));
    if (Object(refusal).status !== undefined) return refusal;
  }
  return refusal;
}

async function refusalOf(call: () => PromiseLike<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

/** Has every id that a path may want. */
const ANYTHING = Object.fromEntries(
  [
    'batch',
    'bundle',
    'certificate',
    'connector',
    'destination',
    'external_key',
    'federation_issuer',
    'federation_rule',
    'group',
    'invite',
    'marketplace',
    'plugin',
    'rbac_group',
    'rbac_role',
    'rule',
    'service_account',
    'slack_channel',
    'slack_workspace',
    'target',
    'telemetry_destination',
    'tunnel',
    'user',
    'user_profile',
    'version',
    'workspace',
  ].map((noun) => [`${noun}_id`, 'a']),
);
