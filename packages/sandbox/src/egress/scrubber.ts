// Scrubber: takes secrets out of what a host answers, in the forms a host would echo them in, as the bytes stream by.
//  1. Every byte of every occurrence becomes `*`; nothing else changes, so lengths, chunks and frames stay true.
//  2. Only bytes that may be the start of a secret are held back, so what streams keeps streaming.
//  3. Base64 is found in lines of any length, too. So that a line need not wait for the next one, the first few characters of
//     a secret that begins at the very end of a line may be let through.
import { Transform } from 'node:stream';
import { LineBreaks } from './line-breaks.ts';
import { createNeedles, type Needles } from './needles.ts';

/** A shorter form is found where no secret is; a shorter secret is looked for as it stands only. */
const MIN_FORM_BYTES = 8;
/** What is shorter than this is no secret, and masking it would only spoil what is not one. */
const MIN_SECRET_BYTES = 4;
/** Fewer characters of base64 at the end of a line are no reason to hold the line back: they are not two bytes. */
const MIN_HELD_CHARACTERS = 3;
const MASK = '*'.charCodeAt(0);

export interface Scrubber {
  /** Text that is whole, such as a header's value. */
  scrub(text: string): string;
  stream(): Transform;
  /** For bytes that belong together, in whatever pieces they come. */
  start(): Mask;
}

export interface Mask {
  /** The bytes that are decided, held ones first. */
  take(chunk: Buffer): Buffer;
  /** What was held back, when no more comes. */
  rest(): Buffer;
}

export function createScrubber(secrets: readonly string[]): Scrubber {
  const scrubbed = secrets.filter(isScrubbed);
  const forms = createNeedles(scrubbed.flatMap(formsOf));
  const cores = createNeedles(scrubbed.flatMap((secret) => longEnough(base64Cores(Buffer.from(secret)))));
  const masking = () => new Masking(forms, cores);
  return {
    scrub(text) {
      const mask = masking();
      return Buffer.concat([mask.take(Buffer.from(text, 'latin1')), mask.rest()]).toString('latin1');
    },
    stream: () => new ScrubStream(masking()),
    start: masking,
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
    ...[json, ...JSON_WRITERS.map((writer) => jsonOf(secret, writer))].flatMap((text) => [
      text,
      text.replaceAll('/', '\\/'),
    ]),
    secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64Cores(bytes),
  ];
  const distinct = new Map([bytes, ...longEnough(encoded)].map((form) => [form.toString('latin1'), form]));
  return [...distinct.values()];
}

interface JsonWriter {
  /** What it writes by number. */
  escaped: RegExp;
  upperCase?: boolean;
}

/** As they are when nobody sets them otherwise: Go's; Gson; Python's and PHP's; that of .NET. */
const JSON_WRITERS: readonly JsonWriter[] = [
  { escaped: /[<>&]/u },
  { escaped: /[<>&=']/u },
  { escaped: /\P{ASCII}/u },
  { escaped: /["&'+<>`]|\P{ASCII}/u, upperCase: true },
];

function jsonOf(secret: string, { escaped, upperCase = false }: JsonWriter): string {
  const numbered = (unit: string) => {
    const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${upperCase ? hex.toUpperCase() : hex}`;
  };
  const written = (letter: string) =>
    escaped.test(letter) ? letter.split('').map(numbered).join('') : JSON.stringify(letter).slice(1, -1);
  return Array.from(secret, written).join('');
}

function longEnough(forms: readonly string[]): Buffer[] {
  return forms.map((text) => Buffer.from(text)).filter(({ length }) => length >= MIN_FORM_BYTES);
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
class Masking implements Mask {
  readonly #forms: Needles;
  readonly #cores: Needles;
  readonly #breaks = new LineBreaks();
  #form = 0;
  #core = 0;
  #held = Buffer.alloc(0);
  /** For each byte of `#held`: 1 where it belongs to a line break. */
  #heldBreaks: Uint8Array = new Uint8Array();

  constructor(forms: Needles, cores: Needles) {
    this.#forms = forms;
    this.#cores = cores;
  }

  take(chunk: Buffer): Buffer {
    const all = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : Buffer.from(chunk);
    const breaks = new Uint8Array(all.length);
    breaks.set(this.#heldBreaks);
    let masked = 0;
    for (let at = this.#held.length; at < all.length; at++) {
      const byte = all[at] ?? 0;
      this.#form = this.#forms.step(this.#form, byte);
      const length = this.#forms.ending(this.#form);
      if (length > 0) {
        // What lies before `masked` is masked already: secrets may overlap.
        all.fill(MASK, Math.max(masked, at + 1 - length), at + 1);
        masked = at + 1;
      }
      const wrapped = this.#wrapped(byte, breaks, at);
      if (wrapped > 0) maskAround(all, breaks, { from: startOf(breaks, at + 1, wrapped), until: at + 1 });
    }
    const decided = Math.min(all.length - this.#forms.pending(this.#form), this.#coreStart(breaks));
    this.#held = all.subarray(decided);
    this.#heldBreaks = breaks.subarray(decided);
    return all.subarray(0, decided);
  }

  rest(): Buffer {
    const held = this.#held;
    this.#held = Buffer.alloc(0);
    this.#heldBreaks = new Uint8Array();
    this.#form = 0;
    this.#core = 0;
    return held;
  }

  /** How many characters of base64 that are a secret end with this byte. */
  #wrapped(byte: number, breaks: Uint8Array, at: number): number {
    if (this.#core === 0) {
      // Most bytes: nothing has begun that a line could break. None is so short that it ends here.
      this.#core = this.#cores.step(0, byte);
      return 0;
    }
    const kind = this.#breaks.take(byte);
    if (kind !== 'text') breaks[at] = 1;
    if (kind === 'break') return 0;
    this.#core = kind === 'end' ? 0 : this.#cores.step(this.#core, byte);
    return this.#cores.ending(this.#core);
  }

  /** Where the characters begin that may be the start of a secret in base64. */
  #coreStart(breaks: Uint8Array): number {
    const pending = this.#cores.pending(this.#core);
    return pending < MIN_HELD_CHARACTERS ? breaks.length : startOf(breaks, breaks.length, pending);
  }
}

/** Where so many bytes before `end` begin that belong to no line break, or those of them that are still here. */
function startOf(breaks: Uint8Array, end: number, count: number): number {
  let [at, left] = [end, count];
  while (at > 0 && left > 0) if (breaks[--at] === 0) left -= 1;
  return at;
}

function maskAround(
  bytes: Buffer,
  breaks: Uint8Array,
  { from, until }: { from: number; until: number },
): void {
  for (let at = from; at < until; at++) if (breaks[at] === 0) bytes[at] = MASK;
}

class ScrubStream extends Transform {
  readonly #masking: Mask;

  constructor(masking: Mask) {
    super();
    this.#masking = masking;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: null, bytes: Buffer) => void): void {
    done(null, this.#masking.take(chunk));
  }

  override _flush(done: (error: null, bytes: Buffer) => void): void {
    done(null, this.#masking.rest());
  }
}
