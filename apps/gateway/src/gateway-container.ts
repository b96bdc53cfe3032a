// The gateway as a Cloudflare Container: the Durable Object that owns it. For production alone; development runs main.ts.
//  1. One instance serves all, so that a signature is accepted once. 2. The container is started by the first call, and once.
//  3. A container that cannot be reached is a 503 that callers may repeat, as a gateway's own is.
import { consoleLogger } from '@capstan/shared/logger';

const PORT = 8790;
const START_MS = 60_000;
const PAUSE_MS = 100;
/** Sandboxes are made again and again: a start costs each first caller seconds. */
const IDLE_MS = 30 * 60 * 1000;

/** What the program is told of the Worker's own variables and secrets. */
const TOLD = [
  'MODAL_TOKEN_ID',
  'MODAL_TOKEN_SECRET',
  'MODAL_ENVIRONMENT',
  'CAPSTAN_GATEWAY_SECRET',
  'CAPSTAN_GATEWAY_SECRET_PREVIOUS',
  'CAPSTAN_MODAL_APP',
  'CAPSTAN_SANDBOX_IMAGE',
] as const;

export type Variables = { readonly [Name in (typeof TOLD)[number]]?: string };

export interface Fetching {
  fetch(input: Request): Promise<Response>;
}

/** The part of `ctx.container` that is used. */
export interface ContainerPort {
  readonly running: boolean;
  start(options: { env: Record<string, string>; enableInternet: boolean }): void;
  monitor(): Promise<void>;
  setInactivityTimeout(durationMs: number): Promise<void>;
  getTcpPort(port: number): Fetching;
}

export class GatewayContainer {
  readonly #container: ContainerPort | undefined;
  readonly #env: Variables;
  #ready: Promise<void> | undefined;

  constructor(ctx: { container?: ContainerPort }, env: Variables) {
    this.#container = ctx.container;
    this.#env = env;
  }

  async fetch(request: Request): Promise<Response> {
    const container = this.#container;
    if (container === undefined) return unavailable('this Worker was deployed without its container');
    try {
      if (!container.running) this.#ready = undefined;
      this.#ready ??= this.#start(container);
      await this.#ready;
      return await container.getTcpPort(PORT).fetch(request);
    } catch (error) {
      this.#ready = undefined;
      return unavailable(error instanceof Error ? error.message : String(error));
    }
  }

  async #start(container: ContainerPort): Promise<void> {
    if (!container.running) {
      const env: Record<string, string> = {
        CAPSTAN_GATEWAY_HOST: '0.0.0.0',
        CAPSTAN_GATEWAY_PORT: String(PORT),
      };
      for (const name of TOLD) {
        const value = this.#env[name];
        if (value) env[name] = value;
      }
      container.start({ env, enableInternet: true });
      container.monitor().then(
        () => consoleLogger.info('gateway.container_ended'),
        (error: unknown) => consoleLogger.error('gateway.container_failed', {}, error),
      );
    }
    await container.setInactivityTimeout(IDLE_MS);
    await answering(container);
  }
}

/** Resolves once the program answers anything at all. */
async function answering(container: ContainerPort): Promise<void> {
  for (const until = Date.now() + START_MS; ; ) {
    try {
      const answer = await container.getTcpPort(PORT).fetch(new Request('http://gateway/'));
      await answer.arrayBuffer();
      return;
    } catch (error) {
      if (Date.now() > until) throw new Error('its container does not start', { cause: error });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

function unavailable(why: string): Response {
  const message = `The sandbox gateway cannot be reached: ${why}`;
  return Response.json({ error: { code: 'unavailable', message } }, { status: 503 });
}
