// Our extension: what an environment was, version by version. Sessions keep what was current when they were created.
import { z } from 'zod';
import { environment } from './environments.ts';
import { idSchema } from './ids.ts';
import { machine } from './machine.ts';
import { pageOf, pageQuery, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

const { name, description, config, metadata, scope } = environment.shape;

export const environmentVersion = z
  .object({
    type: z.literal('environment_version'),
    environment_id: idSchema('environment'),
    version: z.int(),
    ...{ name, description, config, metadata, scope },
    capstan: z.object({ machine: machine.nullable().meta({ description: 'Null: it is self-hosted.' }) }),
    created_at: timestamp,
  })
  .meta({ id: 'EnvironmentVersion' });
export type EnvironmentVersion = z.infer<typeof environmentVersion>;

export const environmentVersionRoutes = {
  list: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}/versions',
    operationId: 'listEnvironmentVersions',
    summary: "List an environment's versions, newest first",
    tag: 'Environments',
    access: 'key',
    params: z.object({ environment_id: idSchema('environment') }),
    query: pageQuery({ default: 20, max: 100 }),
    response: pageOf(environmentVersion),
    errors: ['not_found'],
  }),
};
