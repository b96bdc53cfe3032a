// How much text takes up in a model's context, in characters of Latin text: 3.5 of those are about one token. Other scripts
// take more tokens for a character. Told by ranges of UTF-16 units, and rather too much than too little.

const CHARS_PER_TOKEN = 3.5;

const LATIN = 1;
/** Greek, Cyrillic, Hebrew, Arabic: two characters a token. */
const ALPHABETS = CHARS_PER_TOKEN / 2;
/** Scripts of India and Southeast Asia, symbols: a token each. */
const SCRIPTS = CHARS_PER_TOKEN;
/** Chinese, Japanese, Korean, and each half of an emoji. */
const IDEOGRAPHS = CHARS_PER_TOKEN * 1.2;

export function textSize(text: string): number {
  let size = 0;
  for (let at = 0; at < text.length; at++) size += unitSize(text.charCodeAt(at));
  return size;
}

/** Tokens that text of that size takes, about. */
export function tokensOf(size: number): number {
  return Math.ceil(size / CHARS_PER_TOKEN);
}

/** The size of text that a model of that many tokens can read. */
export function sizeOfTokens(tokens: number): number {
  return tokens * CHARS_PER_TOKEN;
}

/** As much of its beginning and its end as has that size together, where the whole has more. */
export function shortened(text: string, most: number): string {
  if (textSize(text) <= most) return text;
  let [from, head] = [0, 0];
  while (from < text.length && head + sizeAt(text, from) <= most / 2) head += sizeAt(text, from++);
  let [to, tail] = [text.length, 0];
  while (to > from && tail + sizeAt(text, to - 1) <= most / 2) tail += sizeAt(text, --to);
  return `${text.slice(0, from)} […] ${text.slice(to)}`;
}

function sizeAt(text: string, at: number): number {
  return unitSize(text.charCodeAt(at));
}

function unitSize(unit: number): number {
  if (unit < 0x0250) return LATIN;
  if (unit < 0x0800) return ALPHABETS;
  return unit < 0x2e80 ? SCRIPTS : IDEOGRAPHS;
}
