import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { unstable_readConfig } from 'wrangler';

const config = fileURLToPath(import.meta.resolve('../wrangler.jsonc'));

describe('the deployment with the gateway as a container', () => {
  it('is the same Worker with one binding more', () => {
    const { services, ...alone } = unstable_readConfig({ config });
    const { services: more, ...bound } = unstable_readConfig({ config, env: 'container' });
    const told = { ...alone, targetEnvironment: 'container', topLevelName: 'capstan-agent' };
    expect({ ...bound, definedEnvironments: undefined }).toEqual({ ...told, definedEnvironments: undefined });
    expect(services ?? []).toEqual([]);
    expect(more).toEqual([{ binding: 'GATEWAY', service: 'capstan-gateway' }]);
  });
});
