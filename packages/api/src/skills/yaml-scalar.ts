// One YAML value that is text: plain, quoted, literal or folded, over as many lines as it takes.

export type Scalar = { text: string } | { problem: string };

const ESCAPES: Record<string, string> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
};
const HINT = 'put the text in quotes';

/** `value` stands behind the key, `more` are the lines below it, as they are indented. */
export function readScalar(value: string, more: readonly string[]): Scalar {
  const [sign = ''] = value;
  if (sign === '|' || sign === '>') return block(value, more);
  if (sign === '"' || sign === "'") return quoted(sign, [value, ...more]);
  return plain([value, ...more]);
}

function block(header: string, lines: readonly string[]): Scalar {
  const [, style, , digit] = /^([|>])([+-]?([1-9])?[+-]?)[ \t]*(?:[ \t]#.*)?$/.exec(header) ?? [];
  if (style === undefined)
    return { problem: `has a block whose header ${JSON.stringify(header)} is not understood` };
  const first = lines.find((line) => line.trim() !== '') ?? '';
  const indent = digit === undefined ? indentOf(first) : Number(digit);
  const rows: string[] = [];
  for (const line of lines) {
    if (line.trim() !== '' && indentOf(line) < indent)
      return { problem: 'has a block that is indented unevenly' };
    rows.push(line.slice(indent));
  }
  return { text: style === '|' ? rows.join('\n') : foldBlock(rows) };
}

/** Lines become one, except where they are indented more or stand apart. */
function foldBlock(rows: readonly string[]): string {
  let text = '';
  let last: string | null = null;
  let empty = 0;
  for (const row of rows) {
    if (row === '') {
      empty += 1;
      continue;
    }
    const kept = /^[ \t]/.test(row) || /^[ \t]/.test(last ?? '');
    if (last !== null) text += kept || empty > 0 ? '\n'.repeat(kept ? empty + 1 : empty) : ' ';
    text += row;
    last = row;
    empty = 0;
  }
  return text;
}

function indentOf(line: string): number {
  return line.length - line.replace(/^ +/, '').length;
}

function quoted(mark: '"' | "'", lines: readonly string[]): Scalar {
  const text = foldFlow(lines, mark === '"').slice(1);
  const inner = mark === '"' ? /^(?:[^"\\]|\\.)*/s : /^(?:[^']|'')*/;
  const [body = ''] = inner.exec(text) ?? [];
  const rest = text.slice(body.length);
  if (!rest.startsWith(mark)) return { problem: 'has a text whose quotes are not closed' };
  if (!/^\s*$|^\s+#/.test(rest.slice(1))) return { problem: 'goes on behind its closing quotes' };
  return mark === "'" ? { text: body.replaceAll("''", "'") } : unescaped(body);
}

function unescaped(body: string): Scalar {
  let problem: string | null = null;
  const text = body.replace(
    /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gs,
    (whole, sign: string) => {
      const code = sign.length > 1 ? Number.parseInt(sign.slice(1), 16) : Number.NaN;
      if (code <= 0x10ffff) return String.fromCodePoint(code);
      const known = ESCAPES[sign];
      if (known === undefined) problem = `has ${whole}, which is no escape`;
      return known ?? '';
    },
  );
  return problem === null ? { text } : { problem };
}

/** Line ends become spaces, empty lines line ends; an escaped end of a line is none. */
function foldFlow(lines: readonly string[], escapes: boolean): string {
  let text = '';
  let empty = 0;
  let joined = true;
  for (const [index, line] of lines.entries()) {
    const row = index === 0 ? line.trimEnd() : line.trim();
    if (row === '' && index > 0) {
      empty += 1;
      continue;
    }
    if (index > 0) text += empty > 0 ? '\n'.repeat(empty) : joined ? ' ' : '';
    const broken = escapes && /(?<!\\)(?:\\\\)*\\$/.test(row) && index < lines.length - 1;
    text += broken ? row.slice(0, -1) : row;
    joined = !broken;
    empty = 0;
  }
  return text;
}

function plain(lines: readonly string[]): Scalar {
  const rows = lines.map((line, index) => {
    const bare = index === 0 || line.trim() !== '' ? line.replace(/(^|[ \t]+)#.*$/, '') : line;
    return bare;
  });
  const text = foldFlow(rows, false).trim();
  if (/^[&*!%@`[\]{},]|^[-?:](?: |$)/.test(text)) return { problem: `is not a text: ${HINT}` };
  if (/:(?:\s|$)/.test(text)) return { problem: `has ": " in a text without quotes: ${HINT}` };
  return { text: /^(?:~|null|Null|NULL)$/.test(text) ? '' : text };
}
