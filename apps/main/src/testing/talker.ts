// A model that says as many words as it is asked for, one piece each, and can be held in the middle of what it says.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Talker {
  url: string;
  /** Stops every reply after that many words, until it is let go. */
  holdAfter(words: number): void;
  letGo(): void;
  close(): void;
}

const chunk = (choice: object) => `data: ${JSON.stringify({ choices: [{ index: 0, ...choice }] })}\n\n`;

/** Chat Completions; the number of words is the last one in the request's last message. */
export async function openTalker(): Promise<Talker> {
  let hold = Number.POSITIVE_INFINITY;
  let release = () => {};
  let held = Promise.resolve();
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { messages } = JSON.parse(Buffer.concat(parts).toString());
    const count = Number(/(\d+)\D*$/.exec(JSON.stringify(messages.at(-1)))?.[1] ?? 1);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let word = 1; word <= count; word++) {
      response.write(chunk({ delta: { role: 'assistant', content: `wörd${word} ` } }));
      await new Promise(setImmediate);
      if (word === hold) await held;
    }
    response.end(`${chunk({ delta: {}, finish_reason: 'stop' })}data: [DONE]\n\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    holdAfter: (words) => {
      hold = words;
      held = new Promise((resolve) => {
        release = resolve;
      });
    },
    letGo: () => {
      hold = Number.POSITIVE_INFINITY;
      release();
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
