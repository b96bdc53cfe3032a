// New ids: the kind's prefix and 24 characters of Crockford base 32, ordered by time.
import { ID_PREFIXES, type IdKind } from '@capstan/schema/ids';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_CHARS = 10;
const RANDOM_CHARS = 14;
const LAST_TIME = 32 ** TIME_CHARS - 1;

export function newId(kind: IdKind, now = Date.now()): string {
  return `${ID_PREFIXES[kind]}_${timePart(now)}${randomPart()}`;
}

/** Comes before every id of its kind that was made then or later, and after all that were made earlier. */
export function firstId(kind: IdKind, at: number): string {
  return `${ID_PREFIXES[kind]}_${timePart(Math.min(Math.max(0, at), LAST_TIME))}`;
}

function timePart(now: number): string {
  let rest = now;
  let out = '';
  for (let i = 0; i < TIME_CHARS; i++) {
    out = ALPHABET.charAt(rest % 32) + out;
    rest = Math.floor(rest / 32);
  }
  return out;
}

function randomPart(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(RANDOM_CHARS));
  return Array.from(bytes, (byte) => ALPHABET.charAt(byte % 32)).join('');
}
