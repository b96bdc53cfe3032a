// Tasks as attendant.sh reads them, and the program that reads them.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PROGRAMS, type Task } from './programs.ts';

/** Bash takes an order a character at a time: what is longer is quicker on its own. */
const MAX_LENGTH = 64_000;
const LOOP = readFileSync(new URL('./attendant.sh', import.meta.url), 'utf8');

const nameOf = (program: string) => `__capstan_${program}`;
const FUNCTIONS = Object.entries(PROGRAMS).map(([program, text]) => `${nameOf(program)}() {\n${text}\n}\n`);

/** The command that is an attendant, which ends when it has had no order for that long. */
export function attendantArgv(patienceMs: number): string[] {
  return ['bash', '-c', `${FUNCTIONS.join('')}${LOOP}`, 'bash', String(patienceMs / 1000)];
}

export interface Order {
  mark: string;
  bytes: Uint8Array;
}

/** Null for a task that no attendant takes: it is too long, or has input. */
export function toOrder({ program, args, stdin, complete = false }: Task): Order | null {
  if (stdin !== undefined) return null;
  const text = [nameOf(program), ...args.map(quote)].join(' ');
  if (text.length > MAX_LENGTH) return null;
  const mark = randomBytes(16).toString('hex');
  const size = String(text.length).padStart(7, '0');
  return { mark, bytes: Buffer.from(`${mark}${complete ? 'x' : '-'}${size}${text}`, 'latin1') };
}

/** A word of bash, in ASCII: a length in characters is then one in bytes, whatever the sandbox's locale. */
function quote(word: string): string {
  if (/^[\t\n -~]*$/.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  const escaped = Buffer.from(word)
    .toString('latin1')
    .replace(/[^ -&(-[\]-~]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
  return `$'${escaped}'`;
}
