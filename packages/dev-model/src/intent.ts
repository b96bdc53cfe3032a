// The few plain requests the development model understands. Everything else is null: it cannot reason.

export type Intent =
  | { kind: 'greet' }
  | { kind: 'say'; text: string }
  | { kind: 'run'; command: string }
  | { kind: 'write'; path: string; content: string }
  | { kind: 'read'; path: string }
  | { kind: 'edit'; path: string; from: string; to: string }
  | { kind: 'list'; path: string | null }
  | { kind: 'search'; pattern: string; path: string | null };

const POLITE = String.raw`^\s*(?:please\s+|now\s+|then\s+|(?:can|could|would)\s+you\s+(?:please\s+)?)*`;
const QUOTED = '(?:"([^"]*)"|\'([^\']*)\'|“([^”]*)”|`([^`]*)`)';
const PATH = String.raw`(?:the\s+)?(?:file\s+)?["'${'`'}“]?([^\s"'${'`'}”]+)["'${'`'}”]?`;
const END = String.raw`\s*[.!?]*\s*$`;

const pattern = (source: string) => new RegExp(POLITE + source, 'i');

const FENCE = /```(?:bash|sh|shell|zsh|console)[^\S\n]*\n([\s\S]*?)\n?```/i;
const RUN_LINE = /^[^\S\n]*(?:please\s+)?run:[^\S\n]*(.*)$/im;
const RUN_QUOTED =
  /\b(?:run|execute)\s+(?:the\s+|this\s+|a\s+)?(?:shell\s+|bash\s+)?(?:command\s*)?:?\s*`([^`\n]+)`/i;
const GREETING =
  /^\s*(?:please\s+)?(?:(?:say|reply|answer)\s+(?:with\s+)?["']?(?:hi|hello|hey)["']?|hi|hello|hey|good\s+(?:morning|afternoon|evening))(?:\s+(?:there|capstan|again|to\s+me))?\s*[!.,?]*\s*$/i;
const SAY = pattern(String.raw`say\s+${QUOTED}${END}`);
const WRITE = pattern(String.raw`(?:write|save|put)\s+${QUOTED}\s+(?:to|into|in)\s+${PATH}${END}`);
const WRITE_BARE = pattern(String.raw`(?:write|save)\s+([\s\S]+?)\s+(?:to|into)\s+${PATH}${END}`);
const CREATE = pattern(
  String.raw`(?:create|make|write)\s+(?:a\s+)?${PATH}\s+(?:with|containing)\s+(?:the\s+)?(?:text\s+|content\s+)?${QUOTED}${END}`,
);
const READ = pattern(String.raw`(?:read|show\s+me|show|cat|open)\s+${PATH}${END}`);
const EDIT = pattern(String.raw`replace\s+${QUOTED}\s+with\s+${QUOTED}\s+in\s+${PATH}${END}`);
const LIST = pattern(
  String.raw`(?:list|show)\s+(?:me\s+)?(?:all\s+)?(?:the\s+)?files(?:\s+(?:in|of|under)\s+${PATH})?${END}`,
);
const SEARCH = pattern(
  String.raw`(?:search\s+for|find|grep\s+for|grep)\s+(?:${QUOTED}|(\S+))(?:\s+(?:in|under)\s+${PATH})?${END}`,
);

// Longer than any sentence a person types; the rules below would only waste time on it.
const MAX_SENTENCE_CHARS = 20_000;

/** What a plain request asks for. The order of the rules matters: an explicit command wins over a sentence. */
export function parseIntent(text: string): Intent | null {
  const command = commandIn(text);
  if (command !== null) return { kind: 'run', command };
  if (text.length > MAX_SENTENCE_CHARS) return null;
  if (GREETING.test(text)) return { kind: 'greet' };
  for (const rule of RULES) {
    const intent = rule(text);
    if (intent !== null) return intent;
  }
  return null;
}

function commandIn(text: string): string | null {
  const line = RUN_LINE.exec(text);
  const inline = line?.[1]?.trim().replace(/^`([^`]*)`$/, '$1');
  if (inline) return inline;
  const fenced = FENCE.exec(text)?.[1]?.trim();
  if (fenced) return fenced;
  const following = line === null ? '' : text.slice(line.index + line[0].length).trim();
  if (following) return following;
  return (text.length <= MAX_SENTENCE_CHARS && RUN_QUOTED.exec(text)?.[1]?.trim()) || null;
}

type Groups = (string | undefined)[];

/** The groups of a match in order, those that took no part left out. */
function groupsOf(rule: RegExp, text: string): Groups {
  const match = rule.exec(text);
  return match === null ? [] : match.slice(1).filter((group) => group !== undefined);
}

/** A sentence's full stop is not part of the path it follows. */
const trimPath = (path: string) => path.replace(/(?<=[^./])[.,;!?]+$/, '');

const RULES: ((text: string) => Intent | null)[] = [
  (text) => {
    const [from, to, path] = groupsOf(EDIT, text);
    return from === undefined || to === undefined || path === undefined
      ? null
      : { kind: 'edit', from, to, path: trimPath(path) };
  },
  (text) => {
    const quoted = groupsOf(WRITE, text);
    const [content, path] = quoted.length > 0 ? quoted : groupsOf(WRITE_BARE, text);
    return content === undefined || path === undefined
      ? null
      : { kind: 'write', content, path: trimPath(path) };
  },
  (text) => {
    const [path, content] = groupsOf(CREATE, text);
    return content === undefined || path === undefined
      ? null
      : { kind: 'write', content, path: trimPath(path) };
  },
  (text) => {
    if (!LIST.test(text)) return null;
    const [path] = groupsOf(LIST, text);
    return { kind: 'list', path: path === undefined ? null : trimPath(path) };
  },
  (text) => {
    const [path] = groupsOf(READ, text);
    return path === undefined ? null : { kind: 'read', path: trimPath(path) };
  },
  (text) => {
    const [sought, path] = groupsOf(SEARCH, text);
    return sought === undefined
      ? null
      : { kind: 'search', pattern: sought, path: path === undefined ? null : trimPath(path) };
  },
  (text) => {
    const [said] = groupsOf(SAY, text);
    return said === undefined ? null : { kind: 'say', text: said };
  },
];
