// The context of a thread's model calls: what the log says was said, in the order the agent saw it. Rebuilt, never stored.
import type { SessionEvent } from '@capstan/schema/events';
import { sizeOfContent } from './content-size.ts';
import type { Carried, Entry, LoggedEntry } from './entry.ts';
import type { ContextItem } from './harness.ts';
import type { LogReader } from './log-reader.ts';
import type { View } from './ports.ts';
import { textSize } from './text-size.ts';

export interface PlacedItem {
  /** The log position at which the agent saw it; positions never fall. */
  seq: number;
  /** The row it is read from: an earlier one for what came in while a model call was under way. */
  row: number;
  /** Items of one reply of the model have the same; null for what the model is given. */
  reply: number | null;
  /** The id of the outcome that it asks for. */
  outcome?: string;
  /** A person's own words; not those of another agent, of a grader or of the engine. */
  person?: true;
  item: ContextItem;
  chars: number;
}

export interface ContextSource {
  log: Pick<LogReader, 'entries'>;
  /** The child thread whose context it is; null: the primary thread's. */
  thread: string | null;
  /** The log position it begins after. */
  from: number;
}

/** Follows the log: each call reads only what was written since the last one. Begun anew anywhere, it comes out the same. */
export class ModelContext {
  #source: ContextSource;
  #items: PlacedItem[] = [];
  #chars = 0;
  #seq: number;
  /** Where the last model call began. */
  #reply: number;
  /** Defined while a model call was under way: the next call is the first to see it. */
  #unseen: { seq: number; event: Defined }[] = [];
  /** One read at a time: a turn that is being stopped and its successor may both ask. */
  #reading: Promise<void> = Promise.resolve();

  constructor(source: ContextSource) {
    this.#source = source;
    this.#seq = source.from;
    this.#reply = source.from;
  }

  async items(): Promise<readonly PlacedItem[]> {
    const read = this.#reading.then(() => this.#read());
    this.#reading = read.catch(() => undefined);
    await read;
    return this.#items.slice();
  }

  /** The size of all items together, as `sizeOfContent` counts it; with what the next call is the first to see. */
  get chars(): number {
    return this.#unseen.reduce((sum, { event }) => sum + textSize(outcomeText(event)), this.#chars);
  }

  /** The first row that no model call has seen yet; null: there is none. */
  get unseenRow(): number | null {
    return this.#unseen[0]?.seq ?? null;
  }

  /** The last log position that was read. */
  get position(): number {
    return this.#seq;
  }

  async #read(): Promise<void> {
    const { log, thread } = this.#source;
    const view: View = thread === null ? 'session' : { thread };
    for await (const entry of log.entries(this.#seq, view)) {
      if ((entry.note?.thread ?? null) === thread) this.#add(entry);
      this.#seq = entry.seq;
    }
  }

  #add(entry: LoggedEntry): void {
    const { seq, event } = entry;
    if (event.type === 'user.define_outcome') this.#unseen.push({ seq, event });
    else if (isAsked(entry)) {
      for (const { seq: row, event: defined } of this.#unseen)
        this.#define(defined, { seq, row, reply: null });
      this.#unseen = [];
      this.#reply = seq;
    } else if (event.type === 'agent.thread_context_compacted') this.#compact(entry);
    else this.#push(entry, { seq, row: seq, reply: isReplied(entry) ? this.#reply : null });
  }

  #compact({ note }: LoggedEntry): void {
    const { compactedTo: upTo = 0, summary = '', carried } = note ?? {};
    const place = { seq: upTo, row: upTo, reply: null };
    const stands = standIns(summary, carried, place);
    this.#items = [...stands, ...this.#items.filter((item) => item.seq > upTo)];
    this.#chars = this.#items.reduce((sum, { chars }) => sum + chars, 0);
  }

  #push(entry: Entry, place: Place): void {
    const whose = entry.event.type === 'user.message' ? { ...place, person: true as const } : place;
    for (const item of toItems(entry)) this.#place(placed(whose, item));
  }

  #define(event: Defined, place: Place): void {
    this.#place(placed({ ...place, outcome: event.outcome_id, person: true }, user(outcomeText(event))));
  }

  #place(next: PlacedItem): void {
    this.#items.push(next);
    this.#chars += next.chars;
  }
}

type Place = Omit<PlacedItem, 'item' | 'chars'>;

function placed(place: Place, item: ContextItem): PlacedItem {
  return { ...place, item, chars: sizeOf(item) };
}

/** Whether a request begins whose reply is part of the context: what judges a reply reads it, and adds nothing. */
function isAsked({ event, note }: Entry): boolean {
  return event.type === 'span.model_request_start' && note?.span?.judges === undefined;
}

/** Whether it is of a reply of the model. */
function isReplied({ event, note }: Entry): boolean {
  switch (event.type) {
    case 'agent.message':
    case 'agent.thinking':
    case 'agent.tool_use':
    case 'agent.mcp_tool_use':
    case 'agent.custom_tool_use':
      return true;
    case 'agent.thread_message_sent':
      return note?.call !== undefined;
    default:
      return false;
  }
}

const COMPACTED =
  '[The conversation before this point was compacted. These notes stand for it; what follows them is unchanged.]';

const NOTHING_CARRIED: Carried = { rules: [], outcome: null };

/** What a model is given instead of what was compacted: notes, and word for word what has to stay. */
function standIns(summary: string, { rules, outcome } = NOTHING_CARRIED, place: Place): PlacedItem[] {
  return [
    placed(place, user(`${COMPACTED}\n\n${summary}`)),
    ...(outcome === null
      ? []
      : [placed({ ...place, outcome: outcome.id, person: true }, user(outcome.text))]),
    ...rules.map((text) => placed(place, { type: 'system', text })),
  ];
}

/** Events whose words are in the context. A queued one comes again, processed, when the agent has it. */
function isSaid(event: SessionEvent): boolean {
  return event.processed_at !== null;
}

function toItems({ event, note }: Entry): ContextItem[] {
  if (!isSaid(event)) return [];
  const opaque = note?.opaque === undefined ? {} : { opaque: note.opaque };
  switch (event.type) {
    case 'user.message':
      return [{ type: 'user', content: event.content }];
    case 'system.message':
      return [{ type: 'system', text: textOf(event.content) }];
    case 'span.outcome_evaluation_end':
      return event.result === 'needs_revision' || event.result === 'max_iterations_reached'
        ? [user(revisionText(event))]
        : [];
    case 'agent.message': {
      const said: ContextItem = { type: 'message', text: textOf(event.content), ...opaque };
      return note?.cut ? [said, user(GO_ON)] : [said];
    }
    case 'agent.thinking':
      return [{ type: 'thinking', ...opaque }];
    case 'agent.tool_use':
    case 'agent.custom_tool_use':
      return [{ type: 'tool_call', callId: event.id, name: event.name, input: event.input, ...opaque }];
    case 'agent.mcp_tool_use': {
      const { id: callId, name, mcp_server_name: server, input } = event;
      return [{ type: 'tool_call', callId, name, server, input, ...opaque }];
    }
    case 'agent.tool_result':
      return [resultOf(event.tool_use_id, event)];
    case 'user.tool_result':
      return [resultOf(event.tool_use_id, event)];
    case 'agent.mcp_tool_result':
      return [resultOf(event.mcp_tool_use_id, event)];
    case 'user.custom_tool_result':
      return [resultOf(event.custom_tool_use_id, event)];
    case 'agent.thread_message_sent': {
      if (!note?.call) return [];
      const { name, answer } = note.call;
      // Its words are there under the name the call has for them.
      const words = 'question' in note.call.input ? 'question' : 'message';
      const input = { ...note.call.input, [words]: textOf(event.content) };
      const content = [{ type: 'text' as const, text: answer }];
      return [
        { type: 'tool_call', callId: event.id, name, input, ...opaque },
        { type: 'tool_result', callId: event.id, content, isError: false },
      ];
    }
    case 'agent.thread_message_received':
      return note?.run ? [{ type: 'user', content: spoken(event) }] : [received(event)];
    default:
      return [];
  }
}

const GO_ON =
  '[The connection broke off at this point of your reply. Go on exactly where it stops; do not repeat what is there.]';

type Received = Extract<SessionEvent, { type: 'agent.thread_message_received' }>;

function received({ from_session_thread_id: from, from_agent_name: name, content }: Received): ContextItem {
  const said = spoken({ content });
  const who = {
    type: 'text' as const,
    text: `Message from ${name ?? 'the agent that called you'} (thread ${from}):`,
  };
  return { type: 'user', content: [who, ...said] };
}

function spoken({ content }: Pick<Received, 'content'>) {
  return content.filter((block) => block.type !== 'redacted');
}

type Defined = Extract<SessionEvent, { type: 'user.define_outcome' }>;

function outcomeText({ description, rubric }: Defined): string {
  const words = rubric.type === 'text' ? rubric.content : `(file ${rubric.file_id})`;
  return (
    `Bring about this outcome:\n${description}\n\nIt is judged against this rubric when you are done:\n${words}\n\n` +
    'Put files that belong to it in /mnt/session/outputs. End your turn when you think the rubric is met.'
  );
}

type Ended = Extract<SessionEvent, { type: 'span.outcome_evaluation_end' }>;

function revisionText({ result, explanation }: Ended): string {
  return result === 'needs_revision'
    ? `The outcome does not meet its rubric yet:\n${explanation}\n\nRevise it, then end your turn.`
    : `The outcome still does not meet its rubric, and it is not judged again:\n${explanation}\n\n` +
        'Close with a short account of what there is and what is missing.';
}

interface Result {
  content?: Extract<ContextItem, { type: 'tool_result' }>['content'] | undefined;
  is_error?: boolean | null | undefined;
}

function resultOf(callId: string, { content = [], is_error }: Result): ContextItem {
  return { type: 'tool_result', callId, content, isError: is_error ?? false };
}

function user(text: string): ContextItem {
  return { type: 'user', content: [{ type: 'text', text }] };
}

function textOf(content: readonly { type: string; text?: string }[]): string {
  return content.map((block) => block.text ?? '').join('');
}

function sizeOf(item: ContextItem): number {
  switch (item.type) {
    case 'user':
    case 'tool_result':
      return sizeOfContent(item.content);
    case 'system':
      return textSize(item.text);
    case 'message':
      return textSize(item.text) + (item.opaque?.length ?? 0);
    case 'thinking':
      return item.opaque?.length ?? 0;
    case 'tool_call':
      return item.name.length + (item.server?.length ?? 0) + textSize(JSON.stringify(item.input));
  }
}
