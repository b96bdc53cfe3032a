// `[[name arguments]]` in the user's text: where directives begin and end, and what stands around them.
// Text in double brackets that names no directive stays text, so shell tests such as `[[ -f x ]]` pass through.

export const DIRECTIVE_NAMES = [
  'say',
  'words',
  'size',
  'think',
  'refuse',
  'empty',
  'echo-history',
  'tool',
  'tools',
  'ptools',
  'badjson',
  'parallel',
  'toolong',
  'grade',
  'judge',
  'summary',
  'done',
  'ttft',
  'delay',
  'usage',
  'truncate',
  'fail',
  'failonce',
  'cut',
  'cutonce',
  'hang',
  'hangonce',
] as const;
export type DirectiveName = (typeof DIRECTIVE_NAMES)[number];

export interface Directive {
  name: DirectiveName;
  /** What stands between the name and the closing brackets, trimmed. */
  args: string;
}

export interface Directives {
  directives: Directive[];
  /** The text without its directives. */
  rest: string;
  /** Names in the place of a directive that are none; most likely misspelt. */
  unknown: string[];
}

/** A directive that cannot be played; the message says which and what it wants. */
export class DirectiveError extends Error {
  constructor(directive: string, wants: string) {
    super(`The directive [[${directive}]] ${wants}. See docs/dev-model.md.`);
    this.name = 'DirectiveError';
  }
}

const OPENING = /\[\[([a-z][a-z-]*)(?=\s|\]\])/g;
const WITH_JSON: ReadonlySet<string> = new Set(['tool', 'tools', 'ptools']);

const isDirectiveName = (name: string): name is DirectiveName =>
  DIRECTIVE_NAMES.some((known) => known === name);

/** Throws DirectiveError when a directive is not closed. */
export function findDirectives(text: string): Directives {
  const found: Directives = { directives: [], rest: '', unknown: [] };
  let from = 0;
  OPENING.lastIndex = 0;
  for (let match = OPENING.exec(text); match !== null; match = OPENING.exec(text)) {
    const name = match[1] ?? '';
    const start = match.index + match[0].length;
    if (!isDirectiveName(name)) {
      found.unknown.push(name);
      continue;
    }
    const end = WITH_JSON.has(name) ? closingAfterJson(text, start) : closingOf(text, start);
    if (end === -1) throw new DirectiveError(name, 'is not closed: it wants ]] after its arguments');
    found.directives.push({ name, args: text.slice(start, end).trim() });
    found.rest += text.slice(from, match.index);
    from = end + 2;
    OPENING.lastIndex = from;
  }
  found.rest = (found.rest + text.slice(from)).trim();
  return found;
}

/** The position of the `]]` that closes, past any brackets inside that are in pairs, or -1. */
function closingOf(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    if (text.startsWith('[[', at)) depth += 1;
    else if (!text.startsWith(']]', at)) continue;
    else if (depth === 0) return at;
    else depth -= 1;
    at += 1;
  }
  return text.indexOf(']]', start);
}

/** The position of the `]]` that is outside any JSON object or string, or -1. */
function closingAfterJson(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character === '\\') at += 1;
      else if (character === '"') quoted = false;
    } else if (character === '"' && depth > 0) quoted = true;
    else if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
    else if (depth === 0 && text.startsWith(']]', at)) return at;
  }
  return -1;
}
