// ClientHello: the server name in the first bytes a TLS client sends, however they are cut into packets and records.
import { type Host, parseHost } from '@capstan/shared/hosts';

export type Hello =
  /** More bytes are needed. */
  | { kind: 'partial' }
  | { kind: 'not_tls' }
  /** TLS in form, but not a ClientHello that names at most one server. */
  | { kind: 'malformed' }
  | { kind: 'hello'; serverName: Host | null };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const MAX_RECORD_BYTES = 16_384;
/** Post-quantum key shares make a hello of two kilobytes; no client needs this much. */
export const MAX_HELLO_BYTES = 32_768;

class Malformed extends Error {
  override name = 'Malformed';
}

export function readHello(bytes: Buffer): Hello {
  if (bytes.length === 0) return { kind: 'partial' };
  if (bytes[0] !== HANDSHAKE_RECORD) return { kind: 'not_tls' };
  try {
    const message = handshakeIn(bytes);
    if (message === null) return bytes.length > MAX_HELLO_BYTES ? { kind: 'malformed' } : { kind: 'partial' };
    return { kind: 'hello', serverName: serverNameIn(message) };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed' };
    throw error;
  }
}

/** The body of the first handshake message, put together from its records; null while it is not whole. */
function handshakeIn(bytes: Buffer): Buffer | null {
  const fragments: Buffer[] = [];
  let size = 0;
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== HANDSHAKE_RECORD || (bytes.length > at + 1 && bytes[at + 1] !== 3))
      throw new Malformed();
    if (bytes.length < at + 5) return null;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > MAX_RECORD_BYTES) throw new Malformed();
    const fragment = bytes.subarray(at + 5, at + 5 + length);
    fragments.push(fragment);
    size += fragment.length;
    const message = messageIn(Buffer.concat(fragments, size));
    if (message !== null) return message;
    at += 5 + length;
  }
  return null;
}

function messageIn(bytes: Buffer): Buffer | null {
  if (bytes.length > 0 && bytes[0] !== CLIENT_HELLO) throw new Malformed();
  if (bytes.length < 4) return null;
  const length = bytes.readUIntBE(1, 3);
  if (length > MAX_HELLO_BYTES) throw new Malformed();
  return bytes.length < 4 + length ? null : bytes.subarray(4, 4 + length);
}

function serverNameIn(message: Buffer): Host | null {
  const reader = new Reader(message);
  reader.take(2 + 32);
  reader.vector(1);
  reader.vector(2);
  reader.vector(1);
  if (reader.ended) return null;
  const extensions = new Reader(reader.vector(2));
  let found: Buffer | undefined;
  while (!extensions.ended) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (type !== SERVER_NAME) continue;
    if (found !== undefined) throw new Malformed();
    found = data;
  }
  return found === undefined ? null : hostIn(found);
}

/** Exactly one name of the one type there is: servers differ in which of two they would take. */
function hostIn(extension: Buffer): Host {
  const outer = new Reader(extension);
  const list = new Reader(outer.vector(2));
  const type = list.number(1);
  const name = list.vector(2).toString('latin1');
  const host = /^[\x21-\x7e]+$/.test(name) ? parseHost(name) : null;
  if (type !== 0 || !list.ended || !outer.ended || host === null) throw new Malformed();
  return host;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Malformed();
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return taken;
  }

  number(size: number): number {
    return this.take(size).readUIntBE(0, size);
  }

  /** Bytes behind their own length, which takes `size` bytes. */
  vector(size: number): Buffer {
    return this.take(this.number(size));
  }
}
