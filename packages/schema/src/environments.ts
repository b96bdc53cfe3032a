// Environments: what a session's sandbox is made from, or, self-hosted, that its user runs one (spec §5.5).
import { z } from 'zod';
import { allowedHost } from './allowed-host.ts';
import { environmentImage } from './environment-images.ts';
import { idSchema } from './ids.ts';
import { type Machine, machine, machineParam } from './machine.ts';
import { metadata, metadataPatch } from './metadata.ts';
import { packages, packagesParam } from './packages.ts';
import { pageOf, pageQuery, queryBoolean, timestamp } from './page.ts';
import { defineRoute } from './route.ts';
import { warmSandboxes } from './warm-pools.ts';

const MAX_HOSTS = 500;

const networkingParam = z.discriminatedUnion('type', [
  z.object({ type: z.literal('unrestricted') }),
  z.object({
    type: z.literal('limited'),
    allowed_hosts: z.array(allowedHost).max(MAX_HOSTS).nullish(),
    allow_mcp_servers: z.boolean().nullish(),
    allow_package_managers: z.boolean().nullish(),
  }),
]);

const configParam = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('cloud'),
    networking: networkingParam.nullish(),
    packages: packagesParam.nullish(),
  }),
  z.object({ type: z.literal('self_hosted') }),
]);
export type EnvironmentConfigParam = z.infer<typeof configParam>;

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
  packages,
});
/** As it is kept: with our extension beside what the official API has. */
export type CloudConfig = z.infer<typeof cloudConfig> & { machine?: Machine };

/** Its sessions have no sandbox here: workers of the user's own perform their tool calls. */
const selfHostedConfig = z.object({ type: z.literal('self_hosted') });
const config = z.discriminatedUnion('type', [cloudConfig, selfHostedConfig]);
export type EnvironmentConfig = CloudConfig | z.infer<typeof selfHostedConfig>;

export const environment = z
  .object({
    id: idSchema('environment'),
    type: z.literal('environment'),
    name: z.string(),
    description: z.string().nullable(),
    config,
    metadata,
    scope: z.enum(['organization', 'account']),
    created_at: timestamp,
    updated_at: timestamp,
    archived_at: timestamp.nullable(),
    capstan: z
      .object({
        image: environmentImage
          .nullable()
          .meta({ description: "Null: it has no packages, and its machine is the installation's." }),
        machine: machine.nullable().meta({ description: 'Null: it is self-hosted.' }),
        warm_sandboxes: warmSandboxes,
        version: z.int().min(1).meta({
          description:
            'One more with each change of the name, description, config, metadata, scope or machine.',
        }),
      })
      .meta({ description: 'Our extension.' }),
  })
  .meta({ id: 'Environment' });
export type Environment = z.infer<typeof environment>;

const extensionParam = z
  .strictObject({ machine: machineParam.nullish(), warm_sandboxes: warmSandboxes.nullish() })
  .meta({ description: 'Our extension.' });

export const createEnvironment = z
  .object({
    name: z.string().min(1).max(256),
    description: z.string().max(4096).nullish(),
    config: configParam.nullish(),
    metadata: metadata.optional(),
    scope: z.enum(['organization', 'account']).nullish(),
    capstan: extensionParam.nullish(),
  })
  .meta({ id: 'CreateEnvironment' });
export type CreateEnvironment = z.infer<typeof createEnvironment>;

export const updateEnvironment = z
  .object({
    name: z.string().min(1).max(256).nullish(),
    /** Null clears it. */
    description: z.string().max(4096).nullish(),
    /** Members that are not given stay as they are; null as a list of packages or hosts empties it. */
    config: configParam.nullish(),
    metadata: metadataPatch.nullish(),
    scope: z.enum(['organization', 'account']).nullish(),
    /** Null leaves it as it is; null as `machine`, or as a member of it, sets that back. */
    capstan: extensionParam
      .extend({
        version: z
          .int()
          .min(1)
          .nullish()
          .meta({ description: 'The version that is to be changed: any other is a 409.' }),
      })
      .nullish(),
  })
  .meta({ id: 'UpdateEnvironment' });
export type UpdateEnvironment = z.infer<typeof updateEnvironment>;

const tag = 'Environments';
const params = z.object({ environment_id: idSchema('environment') });

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
    params,
    response: environment,
    errors: ['not_found'],
  }),
  update: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}',
    operationId: 'updateEnvironment',
    summary: 'Change an environment: sessions that exist keep what it was',
    tag,
    access: 'key',
    params,
    body: updateEnvironment,
    response: environment,
    errors: ['not_found', 'too_large'],
  }),
  archive: defineRoute({
    method: 'post',
    path: '/v1/environments/{environment_id}/archive',
    operationId: 'archiveEnvironment',
    summary: 'Archive an environment: no new sessions, those that exist go on',
    tag,
    access: 'key',
    params,
    response: environment,
    errors: ['not_found'],
  }),
  delete: defineRoute({
    method: 'delete',
    path: '/v1/environments/{environment_id}',
    operationId: 'deleteEnvironment',
    summary: 'Delete an environment: sessions that exist go on',
    tag,
    access: 'key',
    params,
    response: z.object({ id: idSchema('environment'), type: z.literal('environment_deleted') }),
    errors: ['not_found'],
  }),
};
