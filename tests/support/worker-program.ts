// A worker of a self-hosted environment as its user runs it: a program of its own that knows an address and a key.
// WORKER: {url, environmentId, environmentKey, workdir, leaseSeconds}, JSON.
import Anthropic from '@anthropic-ai/sdk';

const { WORKER: settings = '{}' } = process.env;
const { url, environmentId, environmentKey, workdir, leaseSeconds } = JSON.parse(settings);

const client = new Anthropic({
  authToken: environmentKey,
  baseURL: url,
  logLevel: 'warn',
  // The SDK's worker leaves the length of its lease to the server.
  fetch: (input, init) => {
    const asked = new URL(String(input));
    if (asked.pathname.endsWith('/heartbeat'))
      asked.searchParams.set('desired_ttl_seconds', String(leaseSeconds));
    return fetch(asked, init);
  },
});

await client.beta.environments.work
  .worker({ environmentId, environmentKey, workdir, maxIdleMs: 500, workerId: `worker-${process.pid}` })
  .run();
