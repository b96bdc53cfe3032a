// The previews of one model call: what readers are told of events that do not exist yet.
//
// P1. Commit before tell (R1): text is told once the log keeps it as a draft. What was told is never lost: whoever goes on
//     after a death finds it there.
// P2. While a piece is being written the next one gathers: there is never more than one write under way.
// P3. What nobody wants to see is not written. A reader that comes in the midst of a message gets all of it so far.
import type { Logger } from '@capstan/shared/logger';
import type { Hub } from './hub.ts';
import type { EventLog } from './ports.ts';

/** A longer message is told so far, and then comes whole. */
const MAX_CHARS = 1_000_000;

interface PreviewDesk {
  hub: Pick<Hub, 'wantsPreviews' | 'watch' | 'begin' | 'grow' | 'abandon'>;
  log: Pick<EventLog, 'draft'>;
  logger: Logger;
  newEventId(): string;
}

interface Message {
  id: string;
  /** Received, and not told yet. */
  pending: string;
  /** Told, and kept by the log. */
  told: string;
  begun: boolean;
}

export class Previews {
  #desk: PreviewDesk;
  #thread: string | null;
  #ids = new Map<number, string>();
  #messages = new Map<number, Message>();
  #thinking = new Set<number>();
  #writing: Promise<void> | null = null;
  #open = true;
  #unwatch: () => void;

  /** `thread` is the child thread whose model is called; null for the primary thread. */
  constructor(desk: PreviewDesk, thread: string | null) {
    this.#desk = desk;
    this.#thread = thread;
    this.#unwatch = desk.hub.watch({ thread, wanted: () => this.#tell() });
  }

  /** The id that the event of that output has, previewed or not. */
  idOf(output: number): string {
    const known = this.#ids.get(output);
    if (known !== undefined) return known;
    const id = this.#desk.newEventId();
    this.#ids.set(output, id);
    return id;
  }

  /** The model has begun to think. A message starts with its first text. */
  start(output: number, type: 'agent.thinking'): void {
    if (this.#thinking.has(output) || !this.#open) return;
    this.#thinking.add(output);
    this.#desk.hub.begin({ type, id: this.idOf(output), thread: this.#thread });
  }

  text(output: number, text: string): void {
    if (text === '' || !this.#open) return;
    const known = this.#messages.get(output);
    const message = known ?? { id: this.idOf(output), pending: '', told: '', begun: false };
    if (known === undefined) this.#messages.set(output, message);
    message.pending += text;
    this.#tell();
  }

  /** What was told of messages, in the order they were begun: it is in the drafts of the log, too. */
  kept(): { id: string; text: string }[] {
    const begun = [...this.#messages.values()].filter((message) => message.begun);
    return begun.map(({ id, told }) => ({ id, text: told }));
  }

  /** Resolves when everything received has been told, as far as somebody wants it. Never rejects. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** The call is over, and its events are in the log or will never be: nothing more is written or told of them. */
  close(): void {
    this.#open = false;
    this.#unwatch();
    for (const id of this.#ids.values()) this.#desk.hub.abandon(id);
  }

  #tell(): void {
    if (this.#writing !== null || !this.#open || this.#due() === undefined) return;
    this.#writing = this.#write();
  }

  #due(): Message | undefined {
    const wanted = this.#desk.hub.wantsPreviews({ type: 'agent.message', thread: this.#thread });
    if (!wanted) return undefined;
    return [...this.#messages.values()].find(
      ({ pending, told }) => pending !== '' && told.length + pending.length <= MAX_CHARS,
    );
  }

  async #write(): Promise<void> {
    try {
      for (let message = this.#due(); this.#open && message !== undefined; message = this.#due()) {
        const text = message.pending;
        message.pending = '';
        await this.#desk.log.draft({ thread: this.#thread, eventId: message.id, text });
        this.#show(message, text);
      }
    } catch (error) {
      // The message comes whole if it comes; a log that is broken refuses the next append too.
      this.#open = false;
      this.#desk.logger.error('previews.not_kept', {}, error);
    } finally {
      // In the tick of the last look: what comes after it begins another.
      this.#writing = null;
    }
  }

  #show(message: Message, text: string): void {
    const { hub } = this.#desk;
    message.told += text;
    // Closed meanwhile: its event is in the log, or nobody is to hear of it.
    if (!this.#open) return;
    if (!message.begun) hub.begin({ type: 'agent.message', id: message.id, thread: this.#thread });
    message.begun = true;
    hub.grow(message.id, text);
  }
}
