// The front matter of a SKILL.md: as much of YAML as its two texts need, and nothing else is interpreted. Keys beside them
// are passed over. What YAML reads differently, or not at all, is refused and never guessed.
import { ApiError } from '@capstan/schema/error';
import { readScalar } from './yaml-scalar.ts';

export interface FrontMatter {
  /** Null: it has none, or an empty one. */
  name: string | null;
  description: string | null;
}

const MAX_FRONT_MATTER_CHARS = 64 * 1024;
const WANTED: ReadonlySet<string> = new Set(['name', 'description']);

/** Of the text of a whole SKILL.md. Refuses (`invalid_request`), with the line, what cannot be read. */
export function readFrontMatter(text: string): FrontMatter {
  const found = new Map<string, string | null>();
  const lines = linesOf(text);
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    if (isNothing(line)) {
      at += 1;
      continue;
    }
    const [, key = '', value = ''] = /^([\w][\w.-]*)[ \t]*:(?:[ \t]+(.*))?$/.exec(line) ?? [];
    // The first line is that of the dashes.
    if (key === '') throw refusal(at + 2, 'is not "key: value"');
    if (found.has(key)) throw refusal(at + 2, `has ${key} again; give it once`);
    const more = continuation(lines, at + 1);
    const wanted = WANTED.has(key);
    found.set(key, wanted ? scalar(value, more, at + 2) : null);
    at += 1 + more.length;
  }
  return { name: found.get('name') ?? null, description: found.get('description') ?? null };
}

function linesOf(text: string): string[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  if (lines[0]?.trimEnd() !== '---')
    throw new ApiError(
      'invalid_request',
      'SKILL.md: has to begin with front matter: a line of three dashes (---)',
    );
  const end = lines.findIndex((line, index) => index > 0 && line.trimEnd() === '---');
  const matter = lines.slice(1, end);
  if (end === -1 || matter.join('\n').length > MAX_FRONT_MATTER_CHARS)
    throw new ApiError(
      'invalid_request',
      `SKILL.md: its front matter does not end with a line of three dashes (---) within ${MAX_FRONT_MATTER_CHARS} characters`,
    );
  return matter;
}

function isNothing(line: string): boolean {
  return /^[ \t]*(#.*)?$/.test(line);
}

/** What belongs to a key that stands above: indented lines, and the items of a list. */
function continuation(lines: readonly string[], from: number): string[] {
  let to = from;
  while (to < lines.length && /^([ \t]|$|- |-$)/.test(lines[to] ?? '')) to += 1;
  while (to > from && (lines[to - 1] ?? '').trim() === '') to -= 1;
  return lines.slice(from, to);
}

function scalar(value: string, more: readonly string[], line: number): string | null {
  const read = readScalar(value, more);
  if ('problem' in read) throw refusal(line, read.problem);
  const text = read.text.trim();
  return text === '' ? null : text;
}

function refusal(line: number, problem: string): ApiError {
  return new ApiError('invalid_request', `SKILL.md: line ${line} ${problem}`);
}
