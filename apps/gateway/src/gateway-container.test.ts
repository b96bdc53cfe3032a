import { describe, expect, it } from 'vitest';
import { type ContainerPort, GatewayContainer } from './gateway-container.ts';
import gateway from './index.ts';

/** A container whose program listens from its third connection on. */
function fakeContainer() {
  const seen = { started: [] as Record<string, string>[], connections: 0, paths: [] as string[] };
  let running = false;
  let broken = false;
  let ended = () => {};
  const container: ContainerPort = {
    get running() {
      return running;
    },
    start: ({ env }) => {
      running = true;
      seen.started.push(env);
    },
    monitor: () => new Promise((resolve) => (ended = resolve)),
    setInactivityTimeout: async () => {},
    getTcpPort: () => ({
      fetch: async (request) => {
        seen.connections += 1;
        if (seen.connections < 3 || broken) throw new Error('not listening');
        seen.paths.push(new URL(request.url).pathname);
        return Response.json({ ok: true });
      },
    }),
  };
  const end = () => {
    running = false;
    ended();
  };
  return { container, seen, end, breakDown: () => (broken = true) };
}

const call = () => new Request('http://gateway/v1/list', { method: 'POST' });
const secrets = { MODAL_TOKEN_ID: 'ak', MODAL_TOKEN_SECRET: 'as', CAPSTAN_GATEWAY_SECRET: 's', OTHER: 'x' };

describe('the gateway as a container', () => {
  it('is started once by whoever calls first, with what it needs and nothing else', async () => {
    const { container, seen } = fakeContainer();
    const object = new GatewayContainer({ container }, secrets);
    const answers = await Promise.all([call(), call(), call()].map((request) => object.fetch(request)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const { OTHER: _, ...needed } = secrets;
    const place = { CAPSTAN_GATEWAY_HOST: '0.0.0.0', CAPSTAN_GATEWAY_PORT: '8790' };
    expect(seen.started).toEqual([{ ...needed, ...place }]);
    expect(seen.paths.filter((path) => path === '/v1/list')).toHaveLength(3);
  });

  it('is started again when it has ended', async () => {
    const { container, seen, end } = fakeContainer();
    const object = new GatewayContainer({ container }, secrets);
    await object.fetch(call());
    end();
    expect((await object.fetch(call())).status).toBe(200);
    expect(seen.started).toHaveLength(2);
  });

  it('is unavailable, in words a caller understands, when it cannot be reached', async () => {
    const { container, breakDown } = fakeContainer();
    const object = new GatewayContainer({ container }, secrets);
    await object.fetch(call());
    breakDown();
    const answer = await object.fetch(call());
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      error: { code: 'unavailable', message: 'The sandbox gateway cannot be reached: not listening' },
    });
    expect((await new GatewayContainer({}, secrets).fetch(call())).status).toBe(503);
  });

  it('is one for all', async () => {
    const names: string[] = [];
    const GATEWAYS = {
      getByName: (name: string) => {
        names.push(name);
        return { fetch: async () => new Response('x') };
      },
    };
    await gateway.fetch(call(), { ...secrets, GATEWAYS });
    await gateway.fetch(call(), { ...secrets, GATEWAYS });
    expect(new Set(names).size).toBe(1);
  });
});
