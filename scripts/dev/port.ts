// Whether a port is free, asked by binding it, which is the only answer that counts.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { codeOf, Fault } from './fault.ts';

/** A port that was free a moment ago; `wanted` 0 lets the system choose. A taken port is a Fault. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer();
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port: wanted, host: '127.0.0.1', exclusive: true }, () => {
        const address = server.address();
        if (address === null || typeof address === 'string') reject(new Error('no address'));
        else resolve(address.port);
      });
    });
  } catch (error) {
    throw portFault(wanted, error);
  } finally {
    server.close();
  }
}

/** Systems give out ports from 32,768 or higher up: below nobody takes one by chance before its program listens. */
const UNASKED = [12_000, 32_000] as const;
const TRIES = 20;

/** A free port for a program that will only listen in a while. */
export async function reservedPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = await freePort(randomInt(...UNASKED)).catch(() => null);
    if (port !== null) return port;
  }
  return freePort(0);
}

function portFault(port: number, error: unknown): unknown {
  const other = `Use another: npx -y pnpm@12.21.0 dev --port ${port + 1 > 65_535 ? 8787 : port + 1}`;
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return new Fault(`Port ${port} is taken by another program.`, other);
  if (code === 'EACCES') return new Fault(`Port ${port} may not be opened by this user.`, other);
  return error;
}
