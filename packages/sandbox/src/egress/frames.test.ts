import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskFrames } from './frames.ts';
import { createScrubber } from './scrubber.ts';

const SECRET = 'S3cr3t/Value+With~Marks==';
const [TEXT, CLOSE, PING] = [1, 8, 9];
const scrubber = createScrubber([SECRET]);

interface Frame {
  opcode: number;
  final: boolean;
  payload: string;
}

function encode({ opcode, final, payload }: Frame): Buffer {
  const bytes = Buffer.from(payload);
  const head = Buffer.from([(final ? 0x80 : 0) | opcode, 0]);
  if (bytes.length < 126) head[1] = bytes.length;
  else head[1] = bytes.length < 65_536 ? 126 : 127;
  const length = Buffer.alloc(head[1] === 126 ? 2 : head[1] === 127 ? 8 : 0);
  if (length.length > 0)
    length.writeUIntBE(bytes.length, Math.max(length.length - 6, 0), Math.min(length.length, 6));
  return Buffer.concat([head, length, bytes]);
}

function decode(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    const length =
      extra === 0 ? short : bytes.readUIntBE(at + 2 + Math.max(extra - 6, 0), Math.min(extra, 6));
    const from = at + 2 + extra;
    const first = bytes[at] ?? 0;
    frames.push({
      opcode: first & 15,
      final: first >= 0x80,
      payload: bytes.toString('utf8', from, from + length),
    });
    at = from + length;
  }
  return frames;
}

/** What a client hears: each message whole, in the order in which they end, and control frames where they come. */
function heard(frames: Frame[]): string[] {
  const told: string[] = [];
  let message = '';
  for (const { opcode, final, payload } of frames) {
    if (opcode >= CLOSE) told.push(`${opcode}:${payload}`);
    else message += opcode === 0 ? payload : `${opcode}:${payload}`;
    if (opcode < CLOSE && final) told.push(message);
    if (opcode < CLOSE && final) message = '';
  }
  expect(message).toBe('');
  return told;
}

/** A stream, and what has come out of it by now. */
function open() {
  const stream = maskFrames(scrubber);
  const out: Buffer[] = [];
  const failed: string[] = [];
  stream.on('data', (chunk: Buffer) => out.push(chunk)).on('error', ({ name }) => failed.push(name));
  return {
    write: (bytes: Buffer) => new Promise<void>((resolve) => stream.write(bytes, () => resolve())),
    bytes: () => Buffer.concat(out),
    failed,
  };
}

/** One message in frames that end at these places, with a ping between each two. */
function framesOf(text: string, cuts: number[]): Frame[] {
  const places = [...new Set(cuts.map((cut) => cut % text.length))]
    .filter((cut) => cut > 0)
    .toSorted((a, b) => a - b);
  const pieces = [0, ...places].map((from, index) => text.slice(from, places[index]));
  return pieces.flatMap((payload, index) => {
    const data = { opcode: index === 0 ? TEXT : 0, final: index === pieces.length - 1, payload };
    return index === 0 ? [data] : [{ opcode: PING, final: true, payload: `ping ${index}` }, data];
  });
}

describe('frames of a host', { timeout: 120_000 }, () => {
  it('have no secret, wherever messages are cut into frames and frames into chunks', async () => {
    const texts = fc.array(fc.constantFrom('a', 'S3cr', SECRET, ' ', 'x'.repeat(70_000)), {
      minLength: 1,
      maxLength: 6,
    });
    const messages = fc.array(fc.tuple(texts, fc.array(fc.nat(), { maxLength: 5 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(messages, fc.array(fc.nat(), { maxLength: 12 }), async (list, cuts) => {
        const frames = list.flatMap(([parts, places]) => framesOf(parts.join(''), places));
        const bytes = Buffer.concat(frames.map(encode));
        const places = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
        const { write, bytes: came } = open();
        for (let i = 1; i < places.length; i++) await write(bytes.subarray(places[i - 1], places[i]));
        const expected = heard(frames).map((text) => text.replaceAll(SECRET, '*'.repeat(SECRET.length)));
        expect(heard(decode(came()))).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('are passed on as they are when they are messages of their own, which wait for nothing', async () => {
    const { write, bytes } = open();
    const frames = ['', 'hello', 'S3cr', 'x'.repeat(300)].map((payload) =>
      encode({ opcode: TEXT, final: true, payload }),
    );
    await write(Buffer.concat(frames));
    expect(bytes()).toEqual(Buffer.concat(frames));
  });

  it('come with a ping before the rest of a message that may be a secret', async () => {
    const { write, bytes } = open();
    await write(encode({ opcode: TEXT, final: false, payload: 'the S3cr3t' }));
    await write(encode({ opcode: PING, final: true, payload: 'ping' }));
    expect(decode(bytes()).map(({ payload }) => payload)).toEqual(['the ', 'ping']);
    await write(encode({ opcode: 0, final: true, payload: 's end' }));
    expect(heard(decode(bytes()))).toEqual(['9:ping', '1:the S3cr3ts end']);
  });

  it('are masked in control frames too', async () => {
    const { write, bytes } = open();
    await write(encode({ opcode: CLOSE, final: true, payload: `  ${SECRET}` }));
    expect(decode(bytes())).toEqual([{ opcode: CLOSE, final: true, payload: `  ${'*'.repeat(25)}` }]);
  });

  it.each([
    ['what an extension would have compressed', [0xc1, 1, 0]],
    ['masked as only clients may', [0x81, 0x81, 1, 2, 3, 4, 5]],
    ['of an unknown kind', [0x83, 0]],
    ['the rest of no message', [0x80, 0]],
    ['a message within a message', [0x01, 0, 0x81, 0]],
    ['control frames in parts', [0x09, 0]],
    ['longer than anything', [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]],
  ])('end the connection when they are %s', async (_, bytes) => {
    const { write, failed } = open();
    await write(Buffer.from(bytes));
    expect(failed).toEqual(['FrameError']);
  });
});
