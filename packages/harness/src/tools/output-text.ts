// Output of commands and files as text a model and JSON can carry: valid Unicode, no NUL, no terminal control, bounded.

/** The most characters of one result. What is longer is in a file of the sandbox, and the result begins it. */
export const MAX_RESULT_CHARS = 100_000;
/** How much of a longer output the result still shows. */
export const PREVIEW_CHARS = 20_000;
/** Read of an output: enough to know that it is over the limit, whatever its characters take. */
export const MAX_RESULT_BYTES = 4 * MAX_RESULT_CHARS + 4;

const PROBE_BYTES = 8_192;

/** Text is what has no NUL among its first bytes and is mostly valid UTF-8. */
export function isBinary(bytes: Uint8Array): boolean {
  const probe = bytes.subarray(0, PROBE_BYTES);
  if (probe.includes(0)) return true;
  const decoded = new TextDecoder().decode(probe);
  let invalid = 0;
  for (const char of decoded) if (char === '\uFFFD') invalid++;
  return invalid > 8 && invalid > decoded.length / 10;
}

/** A cut in the middle of a character loses that character, not the text. */
export function decode(bytes: Uint8Array): string {
  return clean(new TextDecoder().decode(bytes));
}

/** Without terminal sequences and control characters; tabs and line ends stay. */
export function clean(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
      .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g, '')
      .replace(/\r\n/g, '\n')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, '')
  );
}

export interface Output {
  bytes: Uint8Array;
  /** There is more than `bytes`. */
  more: boolean;
  /** Where in the sandbox the whole output is. */
  path: string;
}

/** The output itself, or its beginning and where the rest is. */
export function present({ bytes, more, path }: Output): string {
  if (isBinary(bytes)) return `[Binary output. It is in ${path}.]`;
  const text = decode(bytes);
  if (!more && text.length <= MAX_RESULT_CHARS) return text;
  return (
    `${wholeChars(text, PREVIEW_CHARS)}\n[The output is over ${MAX_RESULT_CHARS} characters; these are its first ` +
    `${PREVIEW_CHARS}. The whole output is in ${path}: read it in parts, or search it.]`
  );
}

/** The first `limit` UTF-16 units, not ending in half a character. */
export function wholeChars(text: string, limit: number): string {
  const cut = text.slice(0, limit);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}
