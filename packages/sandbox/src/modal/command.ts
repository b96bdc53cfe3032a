// Commands as argument lists: long scripts in parts, because Linux limits one argument to 128 KiB.
import { SandboxError } from '../error.ts';
import { type Command, MAX_COMMAND_BYTES } from '../port.ts';

/** In characters: at most 90 kB of UTF-8. */
const PART_LENGTH = 30_000;
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;
/** The SDK refuses argument lists of 64 KiB; the program, the rest of the list and of the request need room too. */
const MAX_INLINE_BYTES = 48_000;

/** KIND and PARTs for command.sh. Throws `invalid` or `too_large`. */
export function toParts(command: Command): string[] {
  const parts = typeof command === 'string' ? split(command) : [...command];
  if (parts.length === 0 || parts[0] === '') throw new SandboxError('invalid', 'command: is empty');
  const sizes = parts.map((part) => Buffer.byteLength(part));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > MAX_COMMAND_BYTES) {
    throw new SandboxError(
      'too_large',
      `command: ${total} bytes; the limit is ${MAX_COMMAND_BYTES}. Write a file and run it.`,
    );
  }
  const longest = Math.max(...sizes);
  if (longest > MAX_ARGUMENT_BYTES) {
    throw new SandboxError(
      'too_large',
      `command: one argument has ${longest} bytes; the limit is ${MAX_ARGUMENT_BYTES}`,
    );
  }
  if (parts.some((part) => part.includes('\0')))
    throw new SandboxError('invalid', 'command: contains a NUL character');
  return [typeof command === 'string' ? 'script' : 'argv', ...parts];
}

export function toSeconds(ms: number): string {
  return ms === 0 ? '0' : (ms / 1000).toFixed(3);
}

/** NAME=VALUE entries; throws `invalid` for what bash could not export. */
export function toEntries(env: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries(env).map(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw new SandboxError('invalid', `env: "${name}" is no variable name`);
    if (value.includes('\0')) throw new SandboxError('invalid', `env.${name}: contains a NUL character`);
    if (Buffer.byteLength(value) > MAX_ARGUMENT_BYTES - 1024)
      throw new SandboxError('too_large', `env.${name}: is longer than 127 KiB`);
    return `${name}=${value}`;
  });
}

/** Arguments that are too long for one call, as the content of a file that bash reads with `mapfile -d ''`; null when they fit. */
export function toArgumentFile(args: readonly string[]): Uint8Array | null {
  const content = Buffer.from(args.map((arg) => `${arg}\0`).join(''));
  return content.length > MAX_INLINE_BYTES ? content : null;
}

/** For printf's %b: letters as they are, every other byte by its number. */
export function toPrintable(content: Uint8Array): string {
  return Buffer.from(content)
    .toString('latin1')
    .replace(/[^ !#-&(-[\]-~]/g, (byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function split(script: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < script.length; ) {
    let end = Math.min(at + PART_LENGTH, script.length);
    // A character outside the basic plane is two units of a string, and must not be cut between them.
    if (end < script.length && /[\uD800-\uDBFF]/.test(script.charAt(end - 1))) end--;
    parts.push(script.slice(at, end));
    at = end;
  }
  return parts;
}
