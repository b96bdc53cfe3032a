// An environment's configuration from what was asked for: with all defaults filled in, or over what it is.
import { OPEN_CLOUD } from '@capstan/db/environments';
import type { CloudConfig, EnvironmentConfig, EnvironmentConfigParam } from '@capstan/schema/environments';
import { ApiError } from '@capstan/schema/error';
import { changeMachine, type Machine, type MachineParam, USUAL_MACHINE } from '@capstan/schema/machine';
import { PACKAGE_MANAGERS, type Packages, type PackagesParam } from '@capstan/schema/packages';

type Networking = CloudConfig['networking'];
type Cloud = Extract<EnvironmentConfigParam, { type: 'cloud' }>;

/** A new environment's. Refuses (`invalid_request`) packages on a network that cannot fetch them. */
export function toConfig(
  param: EnvironmentConfigParam | null | undefined,
  machine: MachineParam | null | undefined,
): EnvironmentConfig {
  const config: EnvironmentConfig =
    param?.type === 'self_hosted' ? { type: 'self_hosted' } : toCloud(param, OPEN_CLOUD);
  return withMachine(machine, config);
}

/** Refuses (`invalid_request`) a machine for an environment whose sandboxes are its user's own. */
export function withMachine(
  param: MachineParam | null | undefined,
  current: EnvironmentConfig,
): EnvironmentConfig {
  if (param === undefined || (param === null && current.type !== 'cloud')) return current;
  if (current.type !== 'cloud')
    throw new ApiError(
      'invalid_request',
      'capstan.machine: a self-hosted environment has the machines of its workers; leave it out',
    );
  const { machine = USUAL_MACHINE, ...config } = current;
  const changed = changeMachine(param, machine);
  return isUsual(changed) ? config : { ...config, machine: changed };
}

function isUsual({ image, dockerfile, cpu, memory_mib, gpu }: Machine): boolean {
  return dockerfile.length === 0 && [image, cpu, memory_mib, gpu].every((value) => value === null);
}

/** What is not given stays as in `current`. Refuses (`invalid_request`) another type too. */
export function changeConfig(param: EnvironmentConfigParam, current: EnvironmentConfig): EnvironmentConfig {
  if (param.type !== current.type) {
    throw new ApiError(
      'invalid_request',
      `config.type: the environment is ${current.type} and stays so; create another one that is ${param.type}`,
      { reason: 'invalid_config_type_change' },
    );
  }
  return current.type === 'cloud' && param.type === 'cloud' ? toCloud(param, current) : current;
}

function toCloud(param: Cloud | null | undefined, current: CloudConfig): CloudConfig {
  if (!param) return current;
  const config: CloudConfig = {
    type: 'cloud',
    networking: toNetworking(param.networking, current.networking),
    packages: toPackages(param.packages, current.packages),
    ...(current.machine === undefined ? {} : { machine: current.machine }),
  };
  requireReachable(config);
  return config;
}

function toNetworking(param: Cloud['networking'], current: Networking): Networking {
  if (!param) return current;
  if (param.type === 'unrestricted') return { type: 'unrestricted' };
  const kept = current.type === 'limited' ? current : null;
  const { allowed_hosts, allow_mcp_servers, allow_package_managers } = param;
  return {
    type: 'limited',
    allowed_hosts: (allowed_hosts === undefined ? kept?.allowed_hosts : allowed_hosts) ?? [],
    allow_mcp_servers:
      (allow_mcp_servers === undefined ? kept?.allow_mcp_servers : allow_mcp_servers) ?? false,
    allow_package_managers:
      (allow_package_managers === undefined ? kept?.allow_package_managers : allow_package_managers) ?? false,
  };
}

function toPackages(param: PackagesParam | null | undefined, current: Packages): Packages {
  if (!param) return current;
  const packages = { ...current };
  for (const name of PACKAGE_MANAGERS) {
    const given = param[name];
    if (given !== undefined) packages[name] = given ?? [];
  }
  return packages;
}

function requireReachable({ networking, packages }: CloudConfig): void {
  if (networking.type !== 'limited' || networking.allow_package_managers) return;
  const asked = PACKAGE_MANAGERS.find((name) => packages[name].length > 0);
  if (asked === undefined) return;
  throw new ApiError(
    'invalid_request',
    `config.packages.${asked}: packages cannot be fetched on a limited network unless config.networking.allow_package_managers is true`,
  );
}
