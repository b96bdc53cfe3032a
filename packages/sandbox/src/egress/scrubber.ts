// Scrubber: takes secrets out of what a host answers, in the forms a host would echo them in, as the bytes stream by.
//  1. Every byte of every occurrence becomes `*`; nothing else changes, so lengths, chunks and frames stay true.
//  2. Only bytes that may be the start of a secret are held back, so what streams keeps streaming.
import { Transform } from 'node:stream';
import { createNeedles, type Needles } from './needles.ts';

/** A shorter form is found where no secret is; a shorter secret is looked for as it stands only. */
const MIN_FORM_BYTES = 8;
/** What is shorter than this is no secret, and masking it would only spoil what is not one. */
const MIN_SECRET_BYTES = 4;
const MASK = '*'.charCodeAt(0);

export interface Scrubber {
  /** Text that is whole, such as a header's value. */
  scrub(text: string): string;
  stream(): Transform;
}

export function createScrubber(secrets: readonly string[]): Scrubber {
  const needles = createNeedles(secrets.filter(isScrubbed).flatMap(formsOf));
  return {
    scrub(text) {
      const mask = new Masking(needles);
      return Buffer.concat([mask.take(Buffer.from(text, 'latin1')), mask.rest()]).toString('latin1');
    },
    stream: () => new ScrubStream(needles),
  };
}

function isScrubbed(secret: string): boolean {
  return Buffer.byteLength(secret) >= MIN_SECRET_BYTES;
}

/** What a secret looks like as it stands, in JSON, HTML, a URL, a form, hexadecimal, and anywhere inside base64. */
export function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const percent = encodeURIComponent(secret);
  const strict = percent.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const json = JSON.stringify(secret).slice(1, -1);
  const encoded = [
    ...[percent, strict, strict.replaceAll('%20', '+')].flatMap((text) => [text, lowerEscapes(text)]),
    json,
    json.replaceAll('/', '\\/'),
    secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64Cores(bytes),
  ];
  const forms = encoded.map((text) => Buffer.from(text)).filter(({ length }) => length >= MIN_FORM_BYTES);
  const distinct = new Map([bytes, ...forms].map((form) => [form.toString('latin1'), form]));
  return [...distinct.values()];
}

function lowerEscapes(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, (escaped) => escaped.toLowerCase());
}

/** Base64 of anything that contains the bytes contains one of these: the characters that depend on nothing else. */
function base64Cores(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const from = Math.ceil((offset * 8) / 6);
    const until = Math.floor(((offset + bytes.length) * 8) / 6);
    const core = text.slice(from, until);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** Masks as bytes come, and holds back what is not decided. */
class Masking {
  readonly #needles: Needles;
  #state = 0;
  #held = Buffer.alloc(0);

  constructor(needles: Needles) {
    this.#needles = needles;
  }

  /** The bytes that are decided, held ones first. */
  take(chunk: Buffer): Buffer {
    const all = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : Buffer.from(chunk);
    let masked = 0;
    for (let at = this.#held.length; at < all.length; at++) {
      this.#state = this.#needles.step(this.#state, all[at] ?? 0);
      const length = this.#needles.ending(this.#state);
      if (length === 0) continue;
      // What lies before `masked` is masked already: secrets may overlap.
      all.fill(MASK, Math.max(masked, at + 1 - length), at + 1);
      masked = at + 1;
    }
    const decided = all.length - this.#needles.pending(this.#state);
    this.#held = all.subarray(decided);
    return all.subarray(0, decided);
  }

  rest(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    this.#state = 0;
    return held;
  }
}

class ScrubStream extends Transform {
  readonly #masking: Masking;

  constructor(needles: Needles) {
    super();
    this.#masking = new Masking(needles);
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: null, bytes: Buffer) => void): void {
    done(null, this.#masking.take(chunk));
  }

  override _flush(done: (error: null, bytes: Buffer) => void): void {
    done(null, this.#masking.rest());
  }
}
