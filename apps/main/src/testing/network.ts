// What a test stands around the platform: a model that answers, and a line that loses replies.
import { request as ask, createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Line {
  url: string;
  /** Loses the replies to the next `count` requests that are made: the server has answered, the client hears nothing. */
  loseNext(count: number): void;
  /** How many requests have passed. */
  passed(): number;
  close(): void;
}

/** A line to `target` that can lose replies. */
export async function openLine(target: string): Promise<Line> {
  let toLose = 0;
  let passed = 0;
  const server = createServer((incoming, outgoing) => {
    const lost = toLose > 0;
    if (lost) toLose -= 1;
    passed += 1;
    const { method, headers } = incoming;
    const forwarded = ask(`${target}${incoming.url ?? '/'}`, { method, headers }, async (reply) => {
      const body = await bytesOf(reply);
      if (lost) return outgoing.destroy();
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers).end(body);
    });
    incoming.pipe(forwarded);
  });
  return {
    url: await listen(server),
    loseNext: (count) => {
      toLose = count;
    },
    passed: () => passed,
    close: () => server.close(),
  };
}

/** Says the same to everything, as a Chat Completions stream. */
export async function openModel(): Promise<{ url: string; close(): void }> {
  const chunk = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk({ delta: { role: 'assistant', content: 'hello' } }));
      response.end(`${chunk({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
    });
  });
  return { url: `${await listen(server)}/v1`, close: () => server.close() };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part);
  return Buffer.concat(parts);
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
