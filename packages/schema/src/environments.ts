// Environments: what a session's sandbox is made from (spec §5.5).
import { z } from 'zod';
import { idSchema } from './ids.ts';
import { metadata } from './metadata.ts';
import { pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';

const noPackages = z
  .array(z.string().min(1))
  .refine(
    (names) => names.length === 0,
    'packages are not supported by this server yet: leave the list empty',
  )
  .nullish();

const cloudConfigParam = z.object({
  type: z.literal('cloud'),
  networking: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('unrestricted') }),
      z.object({
        type: z.literal('limited'),
        allowed_hosts: z.array(z.string().min(1)).nullish(),
        allow_mcp_servers: z.boolean().nullish(),
        allow_package_managers: z.boolean().nullish(),
      }),
    ])
    .nullish(),
  packages: z
    .object({
      type: z.literal('packages').optional(),
      apt: noPackages,
      cargo: noPackages,
      gem: noPackages,
      go: noPackages,
      npm: noPackages,
      pip: noPackages,
    })
    .nullish(),
});

const cloudConfig = z.object({
  type: z.literal('cloud'),
  networking: z.discriminatedUnion('type', [
    z.object({ type: z.literal('unrestricted') }),
    z.object({
      type: z.literal('limited'),
      allowed_hosts: z.array(z.string()),
      allow_mcp_servers: z.boolean(),
      allow_package_managers: z.boolean(),
    }),
  ]),
  packages: z.object({
    type: z.literal('packages'),
    apt: z.array(z.string()),
    cargo: z.array(z.string()),
    gem: z.array(z.string()),
    go: z.array(z.string()),
    npm: z.array(z.string()),
    pip: z.array(z.string()),
  }),
});
export type EnvironmentConfig = z.infer<typeof cloudConfig>;

export const environment = z
  .object({
    id: idSchema('environment'),
    type: z.literal('environment'),
    name: z.string(),
    description: z.string().nullable(),
    config: cloudConfig,
    metadata,
    scope: z.enum(['organization', 'account']),
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
  })
  .meta({ id: 'Environment' });
export type Environment = z.infer<typeof environment>;

export const createEnvironment = z
  .object({
    name: z.string().min(1).max(256),
    description: z.string().max(4096).nullish(),
    config: z
      .discriminatedUnion('type', [
        cloudConfigParam,
        z.object({
          type: z
            .literal('self_hosted')
            .refine(() => false, 'self_hosted environments are not supported by this server yet'),
        }),
      ])
      .nullish(),
    metadata: metadata.optional(),
    scope: z.enum(['organization', 'account']).nullish(),
  })
  .meta({ id: 'CreateEnvironment' });
export type CreateEnvironment = z.infer<typeof createEnvironment>;

const tag = 'Environments';

export const environmentRoutes = {
  create: defineRoute({
    method: 'post',
    path: '/v1/environments',
    operationId: 'createEnvironment',
    summary: 'Create an environment',
    tag,
    access: 'key',
    once: true,
    body: createEnvironment,
    response: environment,
    errors: ['too_large'],
  }),
  list: defineRoute({
    method: 'get',
    path: '/v1/environments',
    operationId: 'listEnvironments',
    summary: 'List environments, newest first',
    tag,
    access: 'key',
    query: pageQuery({ default: 20, max: 100 }).extend({ include_archived: queryBoolean.default(false) }),
    response: pageOf(environment),
  }),
  retrieve: defineRoute({
    method: 'get',
    path: '/v1/environments/{environment_id}',
    operationId: 'retrieveEnvironment',
    summary: 'Retrieve an environment',
    tag,
    access: 'key',
    params: z.object({ environment_id: idSchema('environment') }),
    response: environment,
    errors: ['not_found'],
  }),
};
