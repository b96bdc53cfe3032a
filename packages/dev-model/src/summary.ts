// The answer to a request for a summary of the conversation, as it is made to shorten a context. A script that is under
// way is carried over with the number of results it has had, so that it goes on where it was.
import { type Conversation, type Entry, type Turn, turnOf, type UserEntry } from './conversation.ts';
import { type Directive, findDirectives } from './directive.ts';

const ASKS = /\bsummar(?:y|i[sz]e)\b/i;
const SHOWN_CHARS = 120;

/** The summary, or null when the user's last words ask for none, or tools are offered to do something else. */
export function summaryOf({ entries, tools }: Conversation): string | null {
  const last = entries.at(-1);
  const asked = last?.role === 'user' ? last.texts.at(-1) : undefined;
  if (tools.length > 0 || last?.role !== 'user' || asked === undefined) return null;
  const { rest, directives } = findDirectives(asked);
  if (!ASKS.test(rest) || played(directives).length > 0) return null;
  return describe([...entries.slice(0, -1), withoutLastText(last)]);
}

function withoutLastText(entry: UserEntry): UserEntry {
  return { ...entry, texts: entry.texts.slice(0, -1) };
}

function describe(entries: readonly Entry[]): string {
  const said = entries.filter(
    (entry) => entry.role !== 'user' || entry.texts.length + entry.attachments.length > 0,
  );
  const texts = said.flatMap((entry) => (entry.role === 'user' ? entry.texts : [entry.text]));
  const scripted = texts
    .flatMap((text) => findDirectives(text).directives)
    .findLast(({ name }) => name === 'summary');
  const chars = texts.reduce((sum, text) => sum + text.length, 0);
  const words = said
    .flatMap((entry) => (entry.role === 'user' ? entry.texts : []))
    .map((text) => shortened(findDirectives(text).rest))
    .filter((text) => text !== '');
  const lines = [
    `Summary of ${said.length} messages with ${chars} characters.`,
    ...(scripted === undefined ? [] : [scripted.args]),
    ...words.map((text) => `The user said: ${text}`),
  ];
  const rest = scriptUnderWay(said);
  return [...lines, ...(rest === null ? [] : [`Under way: ${rest}`])].join('\n');
}

function shortened(text: string): string {
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS)}…`;
}

/** The script of the last turn with what was done of it, or null when that turn is over or has none. */
function scriptUnderWay(entries: Entry[]): string | null {
  const last = entries.at(-1);
  if (last?.role === 'assistant' && last.calls.length === 0) return null;
  const turn = turnOf({ model: '', entries, tools: [], toolChoice: 'auto' });
  const script = turn.texts
    .map((text) => played(findDirectives(text).directives))
    .findLast(({ length }) => length > 0);
  if (script === undefined) return null;
  return [`[[done ${turn.results.length + doneBefore(turn)}]]`, ...script.map(written)].join(' ');
}

function played(directives: Directive[]): Directive[] {
  return directives.filter(({ name }) => name !== 'grade' && name !== 'summary' && name !== 'done');
}

function written({ name, args }: Directive): string {
  return `[[${name}${args === '' ? '' : ` ${args}`}]]`;
}

/** How many results a script had had when an earlier context was shortened: said by `[[done N]]`. */
export function doneBefore({ texts }: Pick<Turn, 'texts'>): number {
  const counts = texts
    .flatMap((text) => findDirectives(text).directives)
    .filter(({ name, args }) => name === 'done' && /^\d{1,6}$/.test(args))
    .map(({ args }) => Number(args));
  return Math.max(0, ...counts);
}
