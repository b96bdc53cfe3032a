// The bodies of requests. A signature covers its whole body, so each is read before it is believed: up to its own limit, and
// up to a limit of all that are being read at once, whoever sends them.
import type { IncomingMessage } from 'node:http';
import { SandboxError } from '@capstan/sandbox/error';
import { MAX_CHUNK_BYTES, MAX_COMMAND_BYTES } from '@capstan/sandbox/port';

/** The longest content, or a command whose every character JSON writes as six, and room for the rest. */
export const MAX_BODY_BYTES = Math.max(MAX_CHUNK_BYTES, 6 * MAX_COMMAND_BYTES) + 1024 * 1024;
/** Held for requests that are still arriving. */
const MAX_READING_BYTES = 16 * MAX_BODY_BYTES;

export interface Bodies {
  /** Throws `too_large`, or `unavailable` when too many are being read. */
  read(request: IncomingMessage): Promise<Uint8Array>;
}

export function createBodies(maxReadingBytes = MAX_READING_BYTES): Bodies {
  let reading = 0;
  return {
    async read(request) {
      const chunks: Buffer[] = [];
      let size = 0;
      try {
        if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
        for await (const chunk of request) {
          if (!Buffer.isBuffer(chunk)) continue;
          size += chunk.length;
          reading += chunk.length;
          if (size > MAX_BODY_BYTES) throw tooLarge();
          if (reading > maxReadingBytes)
            throw new SandboxError('unavailable', 'The gateway reads too many large bodies: ask again');
          chunks.push(chunk);
        }
      } finally {
        reading -= size;
      }
      return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size);
    },
  };
}

function tooLarge(): SandboxError {
  return new SandboxError('too_large', `The body is over ${MAX_BODY_BYTES} bytes`);
}
