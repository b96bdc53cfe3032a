// Tunnel: the bytes of a client and a host, passed on as they are, once the first ones were seen to be meant for that host.
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Target } from '@capstan/shared/hosts';
import { type Hello, readHello } from './client-hello.ts';
import { EgressRefusal } from './denial.ts';
import { type CompiledPolicy, mayPresent } from './policy.ts';

/** From the first byte of a hello to its last. */
const HELLO_MS = 15_000;
/** Fatal alert: unrecognized_name. */
const ALERT = Buffer.from([21, 3, 1, 0, 2, 2, 112]);

/** Resolves when both have ended. Throws EgressRefusal when what the client says first is for another host. */
export async function tunnel(client: Socket, host: Socket, rules: TunnelRules): Promise<void> {
  // Two pipelines listen to each end, which is more than Node takes for an oversight.
  for (const end of [client, host]) end.setMaxListeners(30);
  const down = pipeline(host, client);
  const up = admitted(client, rules).then((first) => {
    host.write(first);
    return pipeline(client, host);
  });
  const refused = up.catch((error: unknown) => {
    if (!(error instanceof EgressRefusal)) return null;
    client.write(ALERT);
    client.destroySoon();
    host.destroy();
    return error;
  });
  await Promise.allSettled([down, up]);
  const refusal = await refused;
  if (refusal) throw refusal;
}

export interface TunnelRules {
  target: Target;
  policy: CompiledPolicy;
}

/** The client's first bytes, when they may pass. */
async function admitted(client: Socket, { target, policy }: TunnelRules): Promise<Buffer> {
  const { hello, bytes } = await firstBytes(client);
  switch (hello.kind) {
    case 'partial':
      // The client ended before it said anything whole: the host hears what it said.
      return bytes;
    case 'not_tls':
      if (policy.type === 'limited' && target.port === 443) throw new EgressRefusal('not_tls');
      return bytes;
    case 'malformed':
      throw new EgressRefusal('server_name_mismatch');
    case 'hello':
      if (!mayPresent(policy, target, hello.serverName)) throw new EgressRefusal('server_name_mismatch');
      return bytes;
  }
}

function firstBytes(client: Socket): Promise<{ hello: Hello; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    let deadline: NodeJS.Timeout | undefined;
    const settle = (end: () => void) => {
      clearTimeout(deadline);
      client.off('data', take).off('end', ended).off('close', closed);
      client.pause();
      end();
    };
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      deadline ??= setTimeout(() => settle(() => reject(new EgressRefusal('request_timeout'))), HELLO_MS);
      const hello = readHello(bytes);
      if (hello.kind !== 'partial') settle(() => resolve({ hello, bytes }));
    };
    const ended = () => settle(() => resolve({ hello: { kind: 'partial' }, bytes }));
    const closed = () => settle(() => reject(new Error('closed')));
    client.on('data', take).once('end', ended).once('close', closed);
  });
}
