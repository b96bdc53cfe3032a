// Modal's control plane for what has a name or an id and no life of its own: secrets and volumes.
import { Status } from 'nice-grpc';
import { fail } from './failure.ts';
import type { Secrets } from './secrets.ts';
import type { Volumes } from './volumes.ts';
import type { SecretRequest, VolumeRequest } from './wire.ts';

export const DEFAULT_ENVIRONMENT = 'main';

export function secretMethods(secrets: Secrets) {
  return {
    secretGetOrCreate: async (request: SecretRequest) => ({
      secretId: await secrets.getOrCreate(request, request.environmentName || DEFAULT_ENVIRONMENT),
    }),
    secretDelete: async ({ secretId }: { secretId: string }) => {
      if (!secrets.delete(secretId)) fail(Status.NOT_FOUND, `No Secret with ID '${secretId}' found`);
      return {};
    },
  };
}

export function volumeMethods(volumes: Volumes) {
  const known = (isKnown: boolean, volumeId: string) => {
    if (!isKnown) fail(Status.NOT_FOUND, `No Volume with ID '${volumeId}' found`);
    return {};
  };
  return {
    volumeGetOrCreate: async (request: VolumeRequest) => {
      const environment = request.environmentName || DEFAULT_ENVIRONMENT;
      const { id, name = '', version } = volumes.getOrCreate(request, environment);
      return { volumeId: id, version, metadata: { version, name } };
    },
    volumeHeartbeat: async ({ volumeId }: { volumeId: string }) =>
      known(volumes.heartbeat(volumeId), volumeId),
    volumeDelete: async ({ volumeId }: { volumeId: string }) => known(volumes.delete(volumeId), volumeId),
  };
}
