// One directive's arguments, read: what it says, calls, breaks or sets.
import { type Directive, DirectiveError } from './directive.ts';
import { isObject, type JsonObject } from './json.ts';

export type Content =
  | { kind: 'text'; text: string }
  | { kind: 'thinking'; text: string }
  | { kind: 'refusal'; text: string }
  | { kind: 'history' }
  | { kind: 'nothing' };

export interface ScriptedCall {
  /** The tool's name; the shell tool when left out. */
  tool: string | null;
  input: JsonObject | null;
  invalidJson: boolean;
  /** The place of this call among the calls its directive makes, from one. */
  number: number;
}

export interface Fault {
  kind: 'fail' | 'cut' | 'hang';
  status: number;
  retryAfterSeconds: number | null;
  /** After how many pieces of the stream it strikes; null: before the first byte, or for a cut halfway. */
  afterPieces: number | null;
  /** How many attempts it strikes per conversation; null: every one. */
  times: number | null;
}

export interface Pace {
  ttftMs: number;
  delayMs: number;
}

export interface ScriptedUsage {
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
}

export type Step =
  | { kind: 'content'; content: Content }
  | { kind: 'calls'; calls: ScriptedCall[]; atOnce: boolean }
  | { kind: 'parallel' }
  | { kind: 'pace'; pace: Partial<Pace> }
  | { kind: 'usage'; usage: ScriptedUsage }
  | { kind: 'truncate' }
  | { kind: 'limit'; maxChars: number }
  /** Says something about the conversation, not what a reply is. */
  | { kind: 'aside' }
  | { kind: 'fault'; fault: Fault };

const MAX_MS = 600_000;
const MAX_CHARS = 4_000_000;
const MAX_WORDS = 500_000;
const MAX_CALLS = 256;

/** Throws DirectiveError when the arguments are not what the directive takes. */
export function parseStep(directive: Directive): Step {
  const { args, name } = directive;
  switch (name) {
    case 'say':
      return content({ kind: 'text', text: args });
    case 'words':
      return content({ kind: 'text', text: numberedWords(count(directive, args, MAX_WORDS)) });
    case 'size':
      return content({ kind: 'text', text: textOfSize(count(directive, args, MAX_CHARS)) });
    case 'think':
      return content({ kind: 'thinking', text: args || 'The script asks for a thought before the answer.' });
    case 'refuse':
      return content({ kind: 'refusal', text: args || 'The script asks the model to refuse.' });
    case 'empty':
      return content({ kind: 'nothing' });
    case 'echo-history':
      return content({ kind: 'history' });
    case 'ttft':
      return { kind: 'pace', pace: { ttftMs: count(directive, args, MAX_MS) } };
    case 'delay':
      return { kind: 'pace', pace: { delayMs: count(directive, args, MAX_MS) } };
    case 'toolong':
      return { kind: 'limit', maxChars: count(directive, args, MAX_CHARS) };
    case 'grade':
    case 'judge':
    case 'summary':
    case 'done':
      return { kind: 'aside' };
    case 'usage':
      return { kind: 'usage', usage: parseUsage(directive) };
    case 'parallel':
    case 'truncate':
      return { kind: name };
    case 'tool':
    case 'tools':
    case 'ptools':
    case 'badjson':
      return { kind: 'calls', calls: parseCalls(directive), atOnce: name === 'ptools' };
    default:
      return { kind: 'fault', fault: parseFault(directive, FAULTS[name]) };
  }
}

const content = (said: Content): Step => ({ kind: 'content', content: said });

function parseCalls(directive: Directive): ScriptedCall[] {
  const { args, name } = directive;
  if (name === 'badjson') return [{ tool: args || null, input: null, invalidJson: true, number: 1 }];
  if (name === 'tool') return [parseCall(directive, args)];
  const [number, rest] = splitFirst(args);
  const total = count(directive, number, MAX_CALLS);
  if (total === 0) throw new DirectiveError(written(directive), 'wants at least one call');
  const call = parseCall(directive, rest);
  return Array.from({ length: total }, (_, index) => ({ ...call, number: index + 1 }));
}

const FAULTS = {
  fail: { kind: 'fail', times: null },
  failonce: { kind: 'fail', times: 1 },
  cut: { kind: 'cut', times: null },
  cutonce: { kind: 'cut', times: 1 },
  hang: { kind: 'hang', times: null },
  hangonce: { kind: 'hang', times: 1 },
} as const;

function splitFirst(args: string): [string, string] {
  const match = /^(\S*)\s*([\s\S]*)$/.exec(args);
  return [match?.[1] ?? '', match?.[2] ?? ''];
}

function written(directive: Directive): string {
  return `${directive.name} ${directive.args}`.trim().slice(0, 200);
}

function count(directive: Directive, digits: string, most: number): number {
  const value = /^\d{1,12}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(value <= most)) throw new DirectiveError(written(directive), `wants a whole number up to ${most}`);
  return value;
}

function parseCall(directive: Directive, args: string): ScriptedCall {
  const brace = args.indexOf('{');
  const tool = (brace === -1 ? args : args.slice(0, brace)).trim();
  const call = { tool: tool === '' ? null : tool, invalidJson: false, number: 1 };
  if (/\s/.test(tool))
    throw new DirectiveError(written(directive), 'wants one tool name, then a JSON object');
  return { ...call, input: brace === -1 ? null : parseInput(directive, args.slice(brace)) };
}

function parseInput(directive: Directive, json: string): JsonObject {
  try {
    const input: unknown = JSON.parse(json);
    if (isObject(input)) return input;
  } catch {
    // Falls through to the one error both mistakes deserve.
  }
  throw new DirectiveError(written(directive), 'wants a valid JSON object after the tool name');
}

function parseUsage(directive: Directive): ScriptedUsage {
  const [input = '', output = '', cached = '0', ...more] = directive.args.split(/\s+/);
  if (more.length > 0) throw new DirectiveError(written(directive), 'wants input, output and cached tokens');
  const tokens = (digits: string) => count(directive, digits, 1e9);
  const usage = { inputTokens: tokens(input), outputTokens: tokens(output), cachedTokens: tokens(cached) };
  if (usage.cachedTokens <= usage.inputTokens) return usage;
  throw new DirectiveError(written(directive), 'wants no more cached tokens than input tokens');
}

function parseFault(directive: Directive, { kind, times }: Pick<Fault, 'kind' | 'times'>): Fault {
  const fault: Fault = { kind, status: 0, retryAfterSeconds: null, afterPieces: null, times };
  const words = directive.args.split(/\s+/).filter((word) => word !== '');
  if (kind === 'fail') {
    fault.status = count(directive, words.shift() ?? '', 599);
    if (fault.status < 400) throw new DirectiveError(written(directive), 'wants a status from 400 to 599');
  }
  if (kind === 'cut' && /^\d/.test(words[0] ?? ''))
    fault.afterPieces = count(directive, words.shift() ?? '', MAX_WORDS);
  for (const word of words) setOption(directive, fault, word);
  return fault;
}

function setOption(directive: Directive, fault: Fault, word: string): void {
  const [option, digits = ''] = word.split('=');
  if (option === 'retry-after' && fault.kind === 'fail')
    fault.retryAfterSeconds = count(directive, digits, 86_400);
  else if (option === 'after') fault.afterPieces = count(directive, digits, MAX_WORDS);
  else if (option === 'times') fault.times = count(directive, digits, 1000);
  else
    throw new DirectiveError(
      written(directive),
      `does not know "${word}"; options are retry-after=, after=, times=`,
    );
}

/** `w1 w2 w3 …`: a missing or doubled word shows. */
function numberedWords(total: number): string {
  return Array.from({ length: total }, (_, index) => `w${index + 1}`).join(' ');
}

/** Numbered words of exactly this many characters together. */
function textOfSize(chars: number): string {
  const words: string[] = [];
  let length = 0;
  for (let index = 1; length < chars; index += 1) {
    const word = `w${index} `;
    words.push(word);
    length += word.length;
  }
  const text = words.join('').slice(0, chars);
  return text.endsWith(' ') ? `${text.slice(0, -1)}.` : text;
}
