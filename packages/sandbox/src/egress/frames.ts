// Frames: what a host says over a WebSocket (RFC 6455, no extensions), with secrets masked message by message.
//  1. A secret is found wherever a message is cut into frames. What is decided goes on at once as a frame of its own, which the
//     RFC allows whoever stands between; a message that is whole stays one frame.
//  2. Control frames never wait for the message that they come amid.
//  3. What is no frame that a host may send ends the connection.
import { Transform } from 'node:stream';
import type { Mask, Scrubber } from './scrubber.ts';

const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const CONTINUATION = 0;
const BINARY = 2;
const CLOSE = 8;
const PONG = 10;
const MAX_CONTROL_BYTES = 125;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Takes what the host sends, in chunks of any size. Fails when it breaks the protocol. */
export function maskFrames(scrubber: Scrubber): Transform {
  return new FrameStream(scrubber);
}

interface Head {
  final: boolean;
  opcode: number;
  /** Of its own. */
  bytes: number;
  payload: number;
}

interface Message {
  mask: Mask;
  /** Of the next frame that is passed on: what the message is, then a continuation. */
  opcode: number;
}

class FrameStream extends Transform {
  readonly #scrubber: Scrubber;
  /** Not looked at yet: a head, or a control frame, that has not come whole. */
  #held: Buffer = Buffer.alloc(0);
  /** The data frame that is under way, and how much of it is to come. */
  #frame: { final: boolean; left: number } | null = null;
  #message: Message | null = null;

  constructor(scrubber: Scrubber) {
    super();
    this.#scrubber = scrubber;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#held = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    try {
      while (this.#step());
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  override _flush(done: () => void): void {
    const rest = this.#message?.mask.rest();
    if (this.#message && rest && rest.length > 0) this.#pass(this.#message, rest, false);
    done();
  }

  /** Whether there may be more to do with what has come. */
  #step(): boolean {
    if (this.#frame !== null) return this.#data(this.#frame);
    const head = readHead(this.#held);
    if (head === null) return false;
    if (head.opcode >= CLOSE) return this.#control(head);
    if ((head.opcode === CONTINUATION) === (this.#message === null))
      throw new FrameError('a frame of no message, or a message within another');
    this.#message ??= { mask: this.#scrubber.start(), opcode: head.opcode };
    this.#frame = { final: head.final, left: head.payload };
    this.#held = this.#held.subarray(head.bytes);
    return true;
  }

  #control(head: Head): boolean {
    const end = head.bytes + head.payload;
    if (this.#held.length < end) return false;
    const mask = this.#scrubber.start();
    const payload = Buffer.concat([mask.take(this.#held.subarray(head.bytes, end)), mask.rest()]);
    this.push(Buffer.concat([this.#held.subarray(0, head.bytes), payload]));
    this.#held = this.#held.subarray(end);
    return true;
  }

  #data(frame: { final: boolean; left: number }): boolean {
    const message = this.#message;
    if (message === null || (this.#held.length === 0 && frame.left > 0)) return false;
    const piece = this.#held.subarray(0, frame.left);
    this.#held = this.#held.subarray(piece.length);
    frame.left -= piece.length;
    const decided = message.mask.take(piece);
    if (frame.left > 0) {
      if (decided.length > 0) this.#pass(message, decided, false);
      return false;
    }
    this.#frame = null;
    if (frame.final) {
      this.#message = null;
      this.#pass(message, Buffer.concat([decided, message.mask.rest()]), true);
    } else if (decided.length > 0) this.#pass(message, decided, false);
    return true;
  }

  #pass(message: Message, payload: Buffer, final: boolean): void {
    this.push(Buffer.concat([headOf(message.opcode, payload.length, final), payload]));
    message.opcode = CONTINUATION;
  }
}

class FrameError extends Error {
  override readonly name = 'FrameError';
}

/** Null: it has not come whole. Throws FrameError for what no host may send. */
function readHead(bytes: Buffer): Head | null {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return null;
  const opcode = first & 0x0f;
  const final = (first & FIN) !== 0;
  const short = second & 0x7f;
  if ((first & RESERVED) !== 0) throw new FrameError('an extension that was not agreed on');
  if ((second & MASKED) !== 0) throw new FrameError('a masked frame of a host');
  if ((opcode > BINARY && opcode < CLOSE) || opcode > PONG) throw new FrameError('an unknown kind of frame');
  if (opcode >= CLOSE && (!final || short > MAX_CONTROL_BYTES)) throw new FrameError('a long control frame');
  const head = { final, opcode };
  if (short < LENGTH_16) return { ...head, bytes: 2, payload: short };
  if (short === LENGTH_16)
    return bytes.length < 4 ? null : { ...head, bytes: 4, payload: bytes.readUInt16BE(2) };
  if (bytes.length < 10) return null;
  const payload = Number(bytes.readBigUInt64BE(2));
  if (!Number.isSafeInteger(payload)) throw new FrameError('a frame without end');
  return { ...head, bytes: 10, payload };
}

function headOf(opcode: number, length: number, final: boolean): Buffer {
  const first = (final ? FIN : 0) | opcode;
  if (length < LENGTH_16) return Buffer.from([first, length]);
  const head = Buffer.alloc(length < 0x1_0000 ? 4 : 10);
  head[0] = first;
  if (head.length === 4) head.writeUInt16BE(length, head.writeUInt8(LENGTH_16, 1));
  else head.writeBigUInt64BE(BigInt(length), head.writeUInt8(LENGTH_64, 1));
  return head;
}
