// Contents in a directory that the runtime writes and serves by itself: for a platform on one machine, where the local
// stand-in for R2 passes every byte through JavaScript several times. A file comes to be once all of it has come.
import { type Blobs, type Content, Digester } from './blobs.ts';
import { Piece } from './pieces.ts';

/** A directory over HTTP: GET with ranges, PUT, DELETE. */
export interface Directory {
  fetch(url: string, init: RequestInit): Promise<Response>;
}

const MISSING = 404;

export function openDirectory(directory: Directory): Blobs {
  return {
    put: async (key, content) => {
      const passing = new Passing(content);
      // Hosts other than workerd want to be told that the answer comes after the body.
      const init = { method: 'PUT', body: passing.body, duplex: 'half' };
      const answer = await directory.fetch(urlOf(key), init).catch(passing.fail);
      requireOk(answer, key);
      return passing.end();
    },
    get: async (key, range) => {
      const headers = new Headers();
      if (range) headers.set('range', `bytes=${range.offset}-${range.offset + range.length - 1}`);
      const answer = await directory.fetch(urlOf(key), { headers });
      if (answer.status === MISSING) return null;
      requireOk(answer, key);
      return answer.body;
    },
    remove: async (keys) => {
      for (const key of keys) {
        const answer = await directory.fetch(urlOf(key), { method: 'DELETE' });
        if (answer.status !== MISSING) requireOk(answer, key);
      }
    },
  };
}

/** A content on its way: it is digested as it passes. */
class Passing {
  body: ReadableStream<Uint8Array>;
  #digester = new Digester();
  #piece = new Piece();
  #problem: { error: unknown } | null = null;

  constructor(content: AsyncIterable<Uint8Array>) {
    const chunks = content[Symbol.asyncIterator]();
    this.body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const next = await chunks.next();
            if (next.done) return controller.close();
            await this.#digest(next.value);
            // The chunk itself may be gone before it is written.
            controller.enqueue(next.value.slice());
          } catch (error) {
            this.#problem = { error };
            controller.error(error);
          }
        },
        cancel: async () => {
          await chunks.return?.();
        },
      },
      { highWaterMark: 0 },
    );
  }

  async end(): Promise<Content> {
    await this.#digester.add(this.#piece.bytes);
    return this.#digester.end();
  }

  /** What stopped the content is the reason, and not that it did not arrive. */
  fail = (error: unknown): never => {
    throw this.#problem === null ? error : this.#problem.error;
  };

  async #digest(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      rest = this.#piece.take(rest);
      if (!this.#piece.isFull) continue;
      await this.#digester.add(this.#piece.bytes);
      this.#piece.clear();
    }
  }
}

/** Keys are made of ids and slashes. */
function urlOf(key: string): string {
  return `http://directory/${key}`;
}

function requireOk({ ok, status }: Response, key: string): void {
  if (!ok) throw new Error(`The directory of contents answered ${status} for ${key}`);
}
