// The Worker that other Workers bind to for the gateway as a Cloudflare Container. It has no address.
import { type Fetching, GatewayContainer, type Variables } from './gateway-container.ts';

export { GatewayContainer };

interface Env extends Variables {
  GATEWAYS: { getByName(name: string): Fetching };
}

export default {
  fetch: (request: Request, env: Env) => env.GATEWAYS.getByName('gateway').fetch(request),
};
