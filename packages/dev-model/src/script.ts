// The directives of a text as a list of replies, to be played one per model call of a turn.
// A tool call ends a reply; what follows it belongs to the next. Pace and usage hold from where they stand on.
import { type Directive, DirectiveError, findDirectives } from './directive.ts';
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

export interface ScriptedReply {
  content: Content[];
  calls: ScriptedCall[];
  faults: Fault[];
  pace: Pace;
  usage: ScriptedUsage | null;
  truncated: boolean;
}

export interface Script {
  replies: ScriptedReply[];
  /** The text around the directives. */
  rest: string;
  unknown: string[];
}

const MAX_MS = 600_000;
const MAX_CHARS = 4_000_000;
const MAX_WORDS = 500_000;
const MAX_CALLS = 256;

/** Throws DirectiveError for a directive whose arguments are wrong. */
export function parseScript(text: string): Script {
  const { directives, rest, unknown } = findDirectives(text);
  const builder = new ScriptBuilder();
  for (const directive of directives) builder.add(directive);
  return { replies: builder.replies, rest, unknown };
}

class ScriptBuilder {
  readonly replies: ScriptedReply[] = [];
  private parallel = false;

  add(directive: Directive): void {
    const { args } = directive;
    switch (directive.name) {
      case 'say':
        return this.say({ kind: 'text', text: args });
      case 'words':
        return this.say({ kind: 'text', text: numberedWords(count(directive, args, MAX_WORDS)) });
      case 'size':
        return this.say({ kind: 'text', text: textOfSize(count(directive, args, MAX_CHARS)) });
      case 'think':
        return this.say({
          kind: 'thinking',
          text: args || 'The script asks for a thought before the answer.',
        });
      case 'refuse':
        return this.say({ kind: 'refusal', text: args || 'The script asks the model to refuse.' });
      case 'empty':
        return this.say({ kind: 'nothing' });
      case 'echo-history':
        return this.say({ kind: 'history' });
      case 'tool':
        return this.call([parseCall(directive, args)], this.parallel);
      case 'tools':
        return this.callMany(directive, false);
      case 'ptools':
        return this.callMany(directive, true);
      case 'badjson':
        return this.call([{ tool: args || null, input: null, invalidJson: true, number: 1 }], this.parallel);
      case 'parallel':
        this.parallel = true;
        return;
      case 'ttft':
        this.open().pace.ttftMs = count(directive, args, MAX_MS);
        return;
      case 'delay':
        this.open().pace.delayMs = count(directive, args, MAX_MS);
        return;
      case 'usage':
        this.open().usage = parseUsage(directive);
        return;
      case 'truncate':
        this.open().truncated = true;
        return;
      case 'fail':
      case 'cut':
      case 'hang':
        this.open().faults.push(parseFault(directive, { kind: directive.name, times: null }));
        return;
      case 'failonce':
        this.open().faults.push(parseFault(directive, { kind: 'fail', times: 1 }));
        return;
      case 'cutonce':
        this.open().faults.push(parseFault(directive, { kind: 'cut', times: 1 }));
        return;
      case 'hangonce':
        this.open().faults.push(parseFault(directive, { kind: 'hang', times: 1 }));
        return;
    }
  }

  private say(content: Content): void {
    this.open().content.push(content);
  }

  private call(calls: ScriptedCall[], joins: boolean): void {
    const last = this.replies.at(-1);
    const reply = joins && last !== undefined ? last : this.open();
    reply.calls.push(...calls);
  }

  private callMany(directive: Directive, atOnce: boolean): void {
    const [number, rest] = splitFirst(directive.args);
    const total = count(directive, number, MAX_CALLS);
    const call = parseCall(directive, rest);
    const calls = Array.from({ length: total }, (_, index) => ({ ...call, number: index + 1 }));
    if (atOnce) this.call(calls, this.parallel);
    else for (const one of calls) this.call([one], false);
  }

  /** The reply being written: the last, or a new one with its pace when the last has ended with a tool call. */
  private open(): ScriptedReply {
    const last = this.replies.at(-1);
    if (last !== undefined && last.calls.length === 0) return last;
    const reply: ScriptedReply = {
      content: [],
      calls: [],
      faults: [],
      pace: last === undefined ? { ttftMs: 0, delayMs: 0 } : { ...last.pace },
      usage: last?.usage ?? null,
      truncated: false,
    };
    this.replies.push(reply);
    return reply;
  }
}

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
