// An environment's configuration as the official API has it, without what is kept beside it.
import type { Environment, EnvironmentConfig } from '@capstan/schema/environments';

export function wireConfig(config: EnvironmentConfig): Environment['config'] {
  if (config.type !== 'cloud') return config;
  const { type, networking, packages } = config;
  return { type, networking, packages };
}
