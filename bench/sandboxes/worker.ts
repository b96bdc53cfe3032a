// The first link of the chain a sandbox is reached through: a Worker that makes the calls it is asked for, timed from outside.
import { createGatewaySandboxes } from '../../packages/sandbox/src/gateway-client.ts';
import type { Sandboxes } from '../../packages/sandbox/src/port.ts';
import type { Order } from './orders.ts';

interface Env {
  GATEWAY_URL: string;
  GATEWAY_SECRET: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const sandboxes = createGatewaySandboxes({ url: env.GATEWAY_URL, secret: env.GATEWAY_SECRET });
    const order: Order = JSON.parse(await request.text());
    return Response.json(await perform(sandboxes, order));
  },
};

/** One more call than asked for is never made: what an order costs is what its calls cost. */
async function perform(sandboxes: Sandboxes, order: Order): Promise<object> {
  switch (order.do) {
    case 'nothing':
      return {};
    case 'create':
      return sandboxes.create(order);
    case 'terminate':
      await sandboxes.terminate(order.sandboxId);
      return {};
    case 'exec':
      return { exitCode: (await sandboxes.exec(order)).exitCode };
    case 'first-byte': {
      const run = { ...order, timeoutMs: 60_000, waitMs: 5_000, until: 'output' } as const;
      const { bytes } = await sandboxes.startRun(run);
      if (bytes.length === 0) throw new Error('No output came');
      return { bytes: bytes.length };
    }
    case 'output': {
      const { sandboxId, runId } = order;
      const maxBytes = 8 * 1024 * 1024;
      let chunk = await sandboxes.startRun({ ...order, timeoutMs: 60_000, waitMs: 1_000, maxBytes });
      let bytes = chunk.bytes.length;
      while (!chunk.eof) {
        chunk = await sandboxes.readRun({
          sandboxId,
          runId,
          offset: chunk.nextOffset,
          waitMs: 5_000,
          until: 'output',
          maxBytes,
        });
        bytes += chunk.bytes.length;
      }
      return { bytes };
    }
    case 'read':
      return { bytes: (await sandboxes.readFile(order)).bytes.length };
    case 'write':
      await sandboxes.writeFile({ ...order, content: new Uint8Array(order.sizeBytes) });
      return {};
    case 'snapshot':
      return sandboxes.snapshot(order);
  }
}
