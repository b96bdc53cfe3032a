// The context of a model call: what the log says was said, in the order the agent saw it. Rebuilt, never stored.
import type { Entry } from './entry.ts';
import type { ContextItem } from './harness.ts';
import { readEntries } from './log-reader.ts';
import type { EventLog } from './ports.ts';

/** Follows the log: each call reads only what was written since the last one. */
export class ModelContext {
  #log: EventLog;
  #items: ContextItem[] = [];
  #seq = 0;
  /** One read at a time: a turn that is being stopped and its successor may both ask. */
  #reading: Promise<void> = Promise.resolve();

  constructor(log: EventLog) {
    this.#log = log;
  }

  async items(): Promise<readonly ContextItem[]> {
    const read = this.#reading.then(() => this.#read());
    this.#reading = read.catch(() => undefined);
    await read;
    return this.#items.slice();
  }

  async #read(): Promise<void> {
    for await (const entry of readEntries(this.#log, this.#seq)) {
      const item = toItem(entry);
      if (item) this.#items.push(item);
      this.#seq = entry.seq;
    }
  }
}

function toItem({ event, note }: Entry): ContextItem | null {
  const opaque = note?.opaque === undefined ? {} : { opaque: note.opaque };
  switch (event.type) {
    case 'user.message':
      // A queued message has not reached the agent yet; it comes again, processed, when it does.
      return event.processed_at === null ? null : { type: 'user', content: event.content };
    case 'agent.message':
      return { type: 'message', text: textOf(event.content), ...opaque };
    case 'agent.thinking':
      return { type: 'thinking', ...opaque };
    case 'agent.tool_use':
    case 'agent.custom_tool_use':
      return { type: 'tool_call', callId: event.id, name: event.name, input: event.input, ...opaque };
    case 'agent.tool_result':
      return {
        type: 'tool_result',
        callId: event.tool_use_id,
        content: event.content ?? [],
        isError: event.is_error ?? false,
      };
    case 'user.custom_tool_result':
      return {
        type: 'tool_result',
        callId: event.custom_tool_use_id,
        content: event.content ?? [],
        isError: event.is_error ?? false,
      };
    default:
      return null;
  }
}

function textOf(content: readonly { type: string; text?: string }[]): string {
  return content.map((block) => block.text ?? '').join('');
}
