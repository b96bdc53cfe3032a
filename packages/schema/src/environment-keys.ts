// Keys of self-hosted environments, which its workers poll with. A key is shown once, when it is made.
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { pageOf, pageQuery, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

export const ENVIRONMENT_KEY_PREFIX = 'sk-ant-oat01-';
export const MAX_ENVIRONMENT_KEYS = 100;

const shown = z.object({
  id: idSchema('environmentKey'),
  type: z.literal('environment_key'),
  environment_id: idSchema('environment'),
  name: z.string(),
  /** What is left of the key: how it begins, and its last four characters. */
  prefix: z.string(),
  last_four: z.string(),
  created_at: timestamp,
});
export const environmentKey = shown.meta({ id: 'EnvironmentKey' });
export type EnvironmentKey = z.infer<typeof environmentKey>;

const tag = 'Environment keys';
const ofEnvironment = z.object({ environment_id: idSchema('environment') });

/** Our extension: the vendor's own are made in its console. */
export const environmentKeyRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}/keys',
    operationId: 'createEnvironmentKey',
    summary: 'Make a key for workers of a self-hosted environment: it is shown only now',
    tag,
    access: 'key',
    params: ofEnvironment,
    body: z
      .object({ name: z.string().min(1).max(256).default('Worker') })
      .meta({ id: 'CreateEnvironmentKey' }),
    response: shown.extend({ key: z.string() }).meta({ id: 'NewEnvironmentKey' }),
    errors: ['not_found'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/keys',
    operationId: 'listEnvironmentKeys',
    summary: 'List the keys of an environment, newest first',
    tag,
    access: 'key',
    params: ofEnvironment,
    query: pageQuery({ default: 20, max: 100 }),
    response: pageOf(environmentKey),
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/environments/{environment_id}/keys/{key_id}',
    operationId: 'deleteEnvironmentKey',
    summary:
      'Revoke a key: within seconds nothing is admitted with it, nor with what it was given for work items',
    tag,
    access: 'key',
    params: ofEnvironment.extend({ key_id: idSchema('environmentKey') }),
    response: z.object({ id: idSchema('environmentKey'), type: z.literal('environment_key_deleted') }),
    errors: ['not_found'],
  }),
};
