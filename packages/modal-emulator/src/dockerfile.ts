// The text of Dockerfile lines as instructions: continuations, comments, here-documents and words read as Docker reads them.
// Pure; what an instruction means is not decided here.

export class DockerfileError extends Error {
  override readonly name = 'DockerfileError';
}

export interface Instruction {
  /** Where it begins, from 1. */
  line: number;
  /** In upper case. */
  name: string;
  /** What follows the name: continuations joined, comments gone, blanks at both ends too. */
  text: string;
  /** The documents that `text` announces by `<<NAME`, in order. */
  documents: HereDocument[];
}

export interface HereDocument {
  name: string;
  body: string;
}

/** Only these may bring documents along; elsewhere `<<` means nothing. */
const WITH_DOCUMENTS = new Set(['RUN', 'COPY', 'ADD']);
const START = /^([A-Za-z]+)(?:\s+(.*))?$/s;
const DOCUMENT = /<<(-?)\s*(["']?)([A-Za-z_][A-Za-z0-9_.]*)\2/g;

/** Throws DockerfileError with the number of the line that cannot be read. */
export function parseDockerfile(source: string): Instruction[] {
  const lines = source.split(/\r?\n/);
  const instructions: Instruction[] = [];
  for (let at = 0; at < lines.length; ) {
    if (isSkipped(lines[at] ?? '')) {
      at += 1;
      continue;
    }
    const first = at;
    const { text, next } = joined(lines, at);
    at = next;
    const [, name = '', rest = ''] = START.exec(text) ?? [];
    if (name === '')
      throw new DockerfileError(`Line ${first + 1} begins with no instruction: ${shown(text)}`);
    const instruction = { line: first + 1, name: name.toUpperCase(), text: rest.trim(), documents: [] };
    at = takeDocuments(instruction, lines, at);
    instructions.push(instruction);
  }
  return instructions;
}

/** `["a", "b"]`: a command as it stands; undefined when the text is anything else, which is then for a shell. */
export function parseExecForm(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    const isForm =
      Array.isArray(parsed) && parsed.length > 0 && parsed.every((word) => typeof word === 'string');
    return isForm ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** `--flag=value` words before the rest. */
export function splitFlags(text: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let rest = text;
  for (let found = FLAG.exec(rest); found !== null; found = FLAG.exec(rest)) {
    flags.push(found[1] ?? '');
    rest = rest.slice(found[0].length);
  }
  return { flags, rest };
}

const FLAG = /^(--[a-z][\w-]*(?:=\S*)?)(?:\s+|$)/;

/** `NAME=value ...` with quotes, or the old `NAME value`; `expand` gives a variable's value, '' for one that is not set. */
export function parseVariables(
  text: string,
  expand: (name: string) => string,
): [name: string, value: string][] {
  const old = /^([A-Za-z_]\w*)\s+(.*)$/s.exec(text);
  if (old?.[1] !== undefined) return [[old[1], expandWord(old[2] ?? '', expand)]];
  return splitWords(text).map((word) => {
    const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
    if (name === undefined || value === undefined)
      throw new DockerfileError(`${shown(word)} sets no variable: write NAME=value.`);
    return [name, expandWord(value, expand)];
  });
}

/** The text with variables put in, and without quotes and escapes. */
export function expandWord(text: string, expand: (name: string) => string): string {
  let value = '';
  for (let at = 0; at < text.length; ) {
    const { length, result } = piece(text.slice(at), expand);
    at += length;
    value += result;
  }
  return value;
}

const SINGLE = /^'([^']*)'/;
const DOUBLE = /^"((?:[^"\\]|\\.)*)"/s;
const VARIABLE = /^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::([-+])([^{}]*))?\})/;

function piece(text: string, expand: (name: string) => string): { length: number; result: string } {
  const single = SINGLE.exec(text);
  if (single) return { length: single[0].length, result: single[1] ?? '' };
  const double = DOUBLE.exec(text);
  if (double) return { length: double[0].length, result: expandQuoted(double[1] ?? '', expand) };
  if (text.startsWith('\\') && text.length > 1) return { length: 2, result: text.charAt(1) };
  return variable(text, expand) ?? { length: 1, result: text.charAt(0) };
}

/** Within double quotes a backslash escapes `"`, `$` and itself, and stands for itself before all else. */
function expandQuoted(text: string, expand: (name: string) => string): string {
  let value = '';
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const escaped = /^\\(["$\\])/.exec(rest);
    const { length, result } = escaped
      ? { length: 2, result: escaped[1] ?? '' }
      : (variable(rest, expand) ?? { length: 1, result: rest.charAt(0) });
    at += length;
    value += result;
  }
  return value;
}

function variable(text: string, expand: (name: string) => string) {
  const found = VARIABLE.exec(text);
  if (!found) return undefined;
  const [{ length }, plain, braced, operator, word = ''] = found;
  const value = expand(plain ?? braced ?? '');
  if (operator === '-') return { length, result: value === '' ? expandWord(word, expand) : value };
  if (operator === '+') return { length, result: value === '' ? '' : expandWord(word, expand) };
  return { length, result: value };
}

/** At blanks that are neither quoted nor escaped, which stay as they are. */
function splitWords(text: string): string[] {
  return text.match(/(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s])+/gs) ?? [];
}

function isSkipped(line: string): boolean {
  return /^\s*(#|$)/.test(line);
}

/** A line and what continues it. Comments and, as Docker still has it, empty lines between do not end it. */
function joined(lines: readonly string[], start: number): { text: string; next: number } {
  let text = '';
  let at = start;
  for (; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    if (at > start && isSkipped(line)) continue;
    const continued = /^(.*)\\[ \t]*$/s.exec(line);
    text += continued ? continued[1] : line;
    if (!continued) return { text: text.trim(), next: at + 1 };
  }
  return { text: text.trim(), next: at };
}

function takeDocuments(instruction: Instruction, lines: readonly string[], start: number): number {
  if (!WITH_DOCUMENTS.has(instruction.name)) return start;
  let at = start;
  for (const [, dash, , name = ''] of instruction.text.matchAll(DOCUMENT)) {
    const body: string[] = [];
    const read = (line: string) => (dash === '-' ? line.replace(/^\t+/, '') : line);
    while (at < lines.length && read(lines[at] ?? '') !== name) body.push(read(lines[at++] ?? ''));
    if (at >= lines.length)
      throw new DockerfileError(`Line ${instruction.line} begins a document that no line "${name}" ends.`);
    at += 1;
    instruction.documents.push({ name, body: body.map((line) => `${line}\n`).join('') });
  }
  return at;
}

/** As much of a text as a message should show. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
