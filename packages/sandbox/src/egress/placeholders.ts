// Placeholders: where in a request to a credential's own host its secret takes the placeholder's place, and whose other
// credentials are taken out of it.
import { Transform } from 'node:stream';
import type { Host } from '@capstan/shared/hosts';
import type { HeaderPair } from './headers.ts';
import { createNeedles, type Needles } from './needles.ts';
import { type CompiledCredential, isOwnHost } from './policy.ts';

/** How the secret must be written at its place. */
type Encode = (secret: string) => string;

/** What says who is asking. At a credential's host only the credential may. */
const IDENTIFYING = new Set([
  'authorization',
  'cookie',
  'x-api-key',
  'api-key',
  'apikey',
  'x-goog-api-key',
  'x-auth-token',
  'x-auth-key',
  'x-access-token',
  'x-amz-security-token',
  'x-vault-token',
  'x-figma-token',
  'private-token',
  'job-token',
  'dd-api-key',
  'dd-application-key',
]);
/** Nothing of these is written by us: what they say is the connection's. */
const UNTOUCHED = new Set(['host', 'content-length', 'transfer-encoding', 'expect']);

export interface Filled<T> {
  value: T;
  /** Ids of the credentials that were put in. */
  used: ReadonlySet<string>;
}

/** Replaces placeholders where a credential allows headers, inside Basic credentials too, and drops what else identifies somebody. */
export function fillHeaders(
  pairs: readonly HeaderPair[],
  credentials: readonly CompiledCredential[],
  host: Host,
): Filled<HeaderPair[]> {
  const own = credentials.some((credential) => isOwnHost(credential, host));
  const usable = credentials.filter(({ locations }) => locations.header);
  const used = new Set<string>();
  const value = pairs.flatMap(([name, text]): HeaderPair[] => {
    const lower = name.toLowerCase();
    if (UNTOUCHED.has(lower)) return [[name, text]];
    const filled = fillHeader(text, usable);
    for (const id of filled.used) used.add(id);
    if (own && IDENTIFYING.has(lower) && filled.used.size === 0) return [];
    return [[name, filled.value]];
  });
  return { value, used };
}

/** The path with its query filled where a credential allows the query. */
export function fillQuery(path: string, credentials: readonly CompiledCredential[]): Filled<string> {
  const at = path.indexOf('?');
  if (at === -1) return { value: path, used: new Set() };
  const usable = credentials.filter(({ locations }) => locations.query);
  const filled = fillText(path.slice(at), usable, encodeURIComponent);
  return { value: path.slice(0, at) + filled.value, used: filled.used };
}

/** Null when no credential may be put into bodies. `contentType` decides how a secret is written there. */
export function bodyFilling(
  credentials: readonly CompiledCredential[],
  contentType: string | undefined,
): BodyFilling | null {
  const usable = credentials.filter(({ locations }) => locations.body);
  return usable.length === 0 ? null : new BodyFilling(usable, encodingFor(contentType));
}

/** Passes a request's body on with its placeholders replaced; `used` is whole when it has ended. */
export class BodyFilling extends Transform {
  readonly used = new Set<string>();
  readonly #needles: Needles;
  readonly #secrets: ReadonlyMap<string, { id: string; secret: Buffer }>;
  #state = 0;
  #held = Buffer.alloc(0);

  constructor(credentials: readonly CompiledCredential[], encode: Encode) {
    super();
    this.#needles = createNeedles(credentials.map(({ placeholder }) => Buffer.from(placeholder)));
    this.#secrets = new Map(
      credentials.map(({ id, placeholder, secret }) => [
        placeholder,
        { id, secret: Buffer.from(encode(secret)) },
      ]),
    );
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: (error: null, bytes: Buffer) => void): void {
    const all = Buffer.concat([this.#held, chunk]);
    const parts: Buffer[] = [];
    let from = 0;
    for (let at = this.#held.length; at < all.length; at++) {
      this.#state = this.#needles.step(this.#state, all[at] ?? 0);
      const length = this.#needles.ending(this.#state);
      if (length === 0) continue;
      const start = at + 1 - length;
      parts.push(all.subarray(from, start), this.#secretOf(all.toString('latin1', start, at + 1)));
      from = at + 1;
      this.#state = 0;
    }
    const decided = all.length - this.#needles.pending(this.#state);
    parts.push(all.subarray(from, decided));
    this.#held = all.subarray(decided);
    done(null, Buffer.concat(parts));
  }

  override _flush(done: (error: null, bytes: Buffer) => void): void {
    done(null, this.#held);
  }

  #secretOf(placeholder: string): Buffer {
    const found = this.#secrets.get(placeholder);
    if (found === undefined) return Buffer.from(placeholder);
    this.used.add(found.id);
    return found.secret;
  }
}

function fillHeader(text: string, credentials: readonly CompiledCredential[]): Filled<string> {
  const basic = /^(basic +)([A-Za-z0-9+/_-]+={0,2})$/i.exec(text);
  if (!basic) return fillText(text, credentials, headerSafe);
  const pair = Buffer.from(basic[2] ?? '', 'base64').toString();
  const filled = fillText(pair, credentials, String);
  if (filled.used.size === 0) return { value: text, used: filled.used };
  return { value: `${basic[1]}${Buffer.from(filled.value).toString('base64')}`, used: filled.used };
}

function fillText(text: string, credentials: readonly CompiledCredential[], encode: Encode): Filled<string> {
  const found = credentials.filter(({ placeholder }) => text.includes(placeholder));
  const value = found.reduce(
    (rest, { placeholder, secret }) => rest.replaceAll(placeholder, () => encode(secret)),
    text,
  );
  return { value, used: new Set(found.map(({ id }) => id)) };
}

/** A header carries bytes: what is no Latin-1 goes as UTF-8, and no secret begins another line. */
function headerSafe(secret: string): string {
  return Buffer.from(secret.replace(/[\r\n\0]/g, '')).toString('latin1');
}

function encodingFor(contentType = ''): Encode {
  if (/^application\/x-www-form-urlencoded\b/i.test(contentType)) return encodeURIComponent;
  if (/[/+]json\b/i.test(contentType)) return (secret) => JSON.stringify(secret).slice(1, -1);
  return String;
}
