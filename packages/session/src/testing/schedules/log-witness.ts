// A witness of a session's log: follows it row by row, folds it, and says of which rule a row is the breach.
import type { SessionEvent } from '@capstan/schema/events';
import { contextTokens } from '@capstan/schema/usage';
import { silentLogger } from '@capstan/shared/logger';
import { announcementsOf } from '../../announcements.ts';
import { budgetOf } from '../../budget.ts';
import type { LoggedEntry } from '../../entry.ts';
import { evolve } from '../../evolve.ts';
import type { Ownership } from '../../feed.ts';
import { foldOf } from '../../fold.ts';
import type { Line } from '../../line.ts';
import { readable } from '../../log-reader.ts';
import { MemoryBlobs } from '../../memory-blobs.ts';
import type { SessionSpec } from '../../spec.ts';
import type { Spent, State } from '../../state.ts';
import type { World } from '../../testing.ts';
import { blocking, blockingIds, livingChildren, performable, statusOf, threadById } from '../../thread.ts';

const SHARED = /^(user\.|session\.)/;
const OWN = /^(span\.|agent\.(message|thinking|thread_))/;

/** Throws when it does not hold; `rule` cites the invariant. */
export function holds(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Error(rule);
}

export class LogWitness {
  state: State;
  seq = 0;
  lines: Line[] = [];
  /** Whose each line is. */
  owners: Ownership[] = [];
  /** The first words of each message. */
  words = new Set<string>();
  /** By event id: where it stands, queued and processed. */
  places = new Map<string, { queued: number | null; taken: number | null; thread: string | null }>();
  /** Client input in the order it was accepted and taken, by thread. */
  accepted: { id: string; thread: string | null }[] = [];
  taken: { id: string; thread: string | null }[] = [];
  /** `agent.thread_message_sent` that was not delivered, with the thread it is for. */
  undelivered = new Map<string, string>();
  billed = new Set<string>();
  /** What webhooks are to tell, by its id. */
  announced = new Set<string>();
  /** Calls without a result; of whom they are. */
  calls = new Map<string, string | null>();
  asked = new Set<string>();
  spans = new Map<string | null, string>();
  /** Requests that judge a reply. */
  judges = new Map<string | null, string>();
  evaluation: string | null = null;
  /** News of the sandbox, by the id of their event. */
  news = new Set<string>();
  #spec: SessionSpec;
  #reading: Promise<void> = Promise.resolve();
  #before: SessionEvent['type'] | null = null;
  #spent: Spent = { nanoUsd: 0, tokens: 0, modelCalls: 0, priced: false };
  /** Limits that were in force since the oldest request under way began. */
  #limits: ReturnType<typeof budgetOf>[] = [];

  constructor(spec: SessionSpec) {
    this.#spec = spec;
    this.state = foldOf(spec).initial;
  }

  /** Reads on to the end of the log. */
  follow(world: World): Promise<void> {
    const read = this.#reading.then(() => this.#read(world));
    this.#reading = read.catch(() => undefined);
    return read;
  }

  async #read({ log, blobs }: World): Promise<void> {
    const shelf = Object.assign(new MemoryBlobs(), { texts: blobs.texts });
    const reader = readable(log, { blobs: shelf, logger: silentLogger });
    for (;;) {
      const lines = await reader.lines(this.seq, 1_000);
      if (lines.length === 0) break;
      for (const line of lines) {
        this.lines.push(line);
        const note = line.note === null ? {} : { note: JSON.parse(line.note) };
        this.#take({ seq: line.seq, event: JSON.parse(line.data), ...note });
      }
    }
    // M2: what is folded after a snapshot is folded from JSON.
    this.state = JSON.parse(JSON.stringify(this.state));
  }

  #take(entry: LoggedEntry): void {
    const { seq, event, note = {} } = entry;
    this.owners.push(note);
    try {
      holds(seq === this.seq + 1, 'the log has no gaps');
      this.#order(entry);
      this.#place(entry);
      this.#work(entry);
      this.#spans(entry);
      this.state = evolve(this.state, entry);
      this.#stand(entry);
      this.#bill(entry);
    } catch (error) {
      const told = this.lines.slice(0, seq).slice(-60);
      const rows = told.map(
        (line) => `${line.seq} ${line.data.slice(0, 300)} ${line.note?.slice(0, 200) ?? ''}`,
      );
      throw new Error(`row ${seq} (${event.type}): ${String(error)}\n${rows.join('\n')}`);
    }
    this.seq = seq;
    this.#before = event.type;
  }

  /** The order of spec §7.2, and whose row it is. */
  #order({ event, note }: LoggedEntry): void {
    const { state } = this;
    const forked = note?.fork !== undefined;
    if (event.type === 'session.status_idle')
      holds(this.#before === 'session.usage', 'session.usage stands directly before session.status_idle');
    else if (!forked)
      holds(this.#before !== 'session.usage', 'session.usage is followed by session.status_idle');
    holds(!state.deleted, 'a deleted session says nothing more');
    // A thread that had failed can still be archived.
    if (state.status === 'terminated' && !forked && note?.again !== true)
      holds(event.type === 'session.deleted', 'a session that is over is only deleted');
    if (event.type === 'session.sandbox_replaced' || event.type === 'span.sandbox_boot') {
      holds(state.status === 'running', 'what became of the sandbox is told while the session runs');
      holds(!this.news.has(event.id), 'what became of the sandbox is told once');
      this.news.add(event.id);
    }
    if (event.type === 'session.status_running')
      holds(state.status !== 'running', 'a session begins to run once');
    if (event.type === 'session.status_rescheduled')
      holds(state.status === 'running', 'only what ran is rescheduled');
    if (event.type === 'session.thread_status_running') {
      const thread = threadById(state, note?.thread ?? state.threads[0]?.id ?? '');
      holds(thread?.status === 'idle' || thread?.status === 'rescheduling', 'a thread begins to run once');
      holds(state.status === 'running', 'the session runs before its threads do');
      const works = blocking(thread).length === 0 || performable(thread).length > 0;
      holds(works, 'a thread that waits for answers does not run');
    }
    if (event.type === 'session.thread_status_rescheduled') {
      const thread = threadById(state, note?.thread ?? state.threads[0]?.id ?? '');
      holds(thread?.status === 'running', 'only a running thread is rescheduled');
    }
    if (note?.thread === undefined) return;
    if (event.type === 'session.thread_created') {
      holds(threadById(state, note.thread) === null, 'a thread is created once');
      holds(livingChildren(state).length < 25, 'there are 25 child threads at most');
    } else {
      const owner = threadById(state, note.thread);
      holds(owner !== null, 'a row belongs to a thread that was created');
      const last = forked || event.type === 'session.thread_status_terminated';
      holds(owner.status !== 'terminated' || last, 'a thread that is over says nothing more');
    }
    if (SHARED.test(event.type)) holds(note.shared === true, 'the session shows what is said to its threads');
    if (OWN.test(event.type)) holds(note.shared === undefined, 'a thread keeps its own work to itself');
  }

  /** Ids name one event; input is taken once. */
  #place({ seq, event, note }: LoggedEntry): void {
    const thread = note?.thread ?? null;
    const known = this.places.get(event.id);
    if (event.processed_at === null) {
      holds(known === undefined, `the id ${event.id} is used once`);
      this.places.set(event.id, { queued: seq, taken: null, thread });
      this.accepted.push({ id: event.id, thread });
      if (event.type === 'user.message') this.words.add(firstWords(event));
      return;
    }
    if (event.type === 'user.message') this.words.add(firstWords(event));
    holds(known === undefined || known.taken === null, `${event.id} is taken once`);
    if (known) {
      const before = JSON.parse(this.lines[(known.queued ?? 0) - 1]?.data ?? '');
      holds(known.thread === thread, 'input is taken by the thread it is for');
      const same =
        JSON.stringify({ ...before, processed_at: 0 }) === JSON.stringify({ ...event, processed_at: 0 });
      holds(same, 'input is taken as it was sent');
      known.taken = seq;
      this.taken.push({ id: event.id, thread });
    } else {
      this.places.set(event.id, { queued: null, taken: seq, thread });
      if (event.type !== 'user.message' && event.type !== 'system.message') return;
      this.accepted.push({ id: event.id, thread });
      this.taken.push({ id: event.id, thread });
    }
  }

  /** Calls and their results, messages and their delivery. */
  #work({ event, note }: LoggedEntry): void {
    const thread = note?.thread ?? null;
    if ('evaluation' in event && event.evaluation?.type === 'auto') {
      const { evaluated_permission: judged } = event.evaluation;
      holds(judged.type === event.evaluated_permission, 'what was judged is what holds');
      holds(!this.judges.has(thread), 'a verdict is on the log before its call');
    }
    const shows = thread === null || note?.shared === true;
    if (event.type === 'agent.tool_use' || event.type === 'agent.custom_tool_use') {
      this.calls.set(event.id, thread);
      const asked = event.type === 'agent.custom_tool_use' || event.evaluated_permission === 'ask';
      if (asked) this.asked.add(event.id);
      holds(thread === null || shows === asked, 'the session shows of a thread what it asks for');
      const named = 'session_thread_id' in event && event.session_thread_id === thread;
      holds(!asked || thread === null || named, 'what a thread asks for names the thread');
    }
    const answered = resultOf(event);
    if (answered !== null) {
      holds(this.calls.get(answered) === thread, `R6: ${answered} is open, and gets one result`);
      this.calls.delete(answered);
      holds(thread === null || shows === this.asked.has(answered), 'a result is shown where its call is');
    }
    if (event.type === 'agent.thread_message_sent') {
      const to = threadById(this.state, event.to_session_thread_id);
      if (to?.status !== 'terminated') this.undelivered.set(event.id, to?.id ?? this.#spec.threadId);
    }
    if (event.type === 'agent.thread_message_received') {
      const to = this.undelivered.get(note?.delivers ?? '');
      holds(to === (thread ?? this.#spec.threadId), 'a message is delivered once, to the thread it is for');
      this.undelivered.delete(note?.delivers ?? '');
    }
    if (event.type === 'session.thread_status_terminated') {
      for (const [id, to] of this.undelivered) if (to === thread) this.undelivered.delete(id);
    }
  }

  #spans({ event, note }: LoggedEntry): void {
    const thread = note?.thread ?? null;
    switch (event.type) {
      case 'span.model_request_start':
        if (note?.span?.judges !== undefined) {
          holds(this.spans.has(thread), 'a judge is asked about a reply');
          holds(!this.judges.has(thread), 'a reply is judged once');
          this.judges.set(thread, event.id);
          break;
        }
        holds(!this.spans.has(thread), 'a thread has one model request at a time');
        if (this.spans.size === 0 && this.evaluation === null) this.#limits = [];
        this.spans.set(thread, event.id);
        break;
      case 'span.model_request_end':
        if (this.judges.get(thread) === event.model_request_start_id) {
          this.judges.delete(thread);
          break;
        }
        holds(!this.judges.has(thread), 'a reply that is judged ends after that');
        holds(
          this.spans.get(thread) === event.model_request_start_id,
          'the end of a request names its start',
        );
        this.spans.delete(thread);
        break;
      case 'session.thread_status_idle':
      case 'session.thread_status_rescheduled':
      case 'session.thread_status_terminated':
        holds(!this.spans.has(thread), 'a thread that rests has no model request under way');
        break;
      case 'span.outcome_evaluation_start':
        holds(
          this.evaluation === null && this.state.outcome?.phase === 'working',
          'what was worked for is judged',
        );
        this.evaluation = event.id;
        break;
      case 'span.outcome_evaluation_ongoing':
        holds(this.evaluation !== null, 'an evaluation goes on after its start');
        break;
      case 'span.outcome_evaluation_end': {
        const cut = event.result === 'interrupted' || event.result === 'failed';
        const named = event.outcome_evaluation_start_id === (this.evaluation ?? '');
        holds(named && (cut || this.evaluation !== null), 'the end of an evaluation names its start');
        this.evaluation = null;
        break;
      }
      case 'user.define_outcome':
        holds(this.state.outcome === null, 'there is one outcome at a time');
        break;
      default:
    }
  }

  /** Where the session stands after the row. */
  #stand({ event, note }: LoggedEntry): void {
    const { state } = this;
    if (event.type === 'session.status_idle') {
      holds(statusOf(state) === 'idle', 'a session is idle when its threads are');
      const ids = blockingIds(state);
      if (ids.length > 0) holds(sameIds(event, ids), 'a session that waits for answers names the calls');
      else if (state.threads.some(({ paused }) => paused))
        holds(event.stop_reason.type === 'budget_reached', 'a session that its budget stopped says so');
      else
        holds(
          event.stop_reason.type !== 'requires_action',
          'a session that waits for nothing does not say so',
        );
    }
    if (event.type === 'session.thread_status_idle') {
      const thread = threadById(state, note?.thread ?? state.threads[0]?.id ?? '');
      const ids = thread === null ? [] : blocking(thread).map(({ id }) => id);
      holds(ids.length === 0 || sameIds(event, ids), 'a thread that waits for answers names the calls');
    }
    const { outcome } = state;
    const last = state.evaluations.at(-1);
    const open = last?.completed_at === null;
    holds(
      outcome === null || outcome.phase === 'last' ? !open : open,
      'an evaluation is open while it is worked for',
    );
    if (outcome !== null) {
      holds(
        (outcome.phase === 'evaluating') === (this.evaluation !== null),
        'a result is judged in an evaluation',
      );
      holds(outcome.iteration < outcome.maxIterations, 'an outcome has no more iterations than it may');
    }
  }

  #bill({ event, note }: LoggedEntry): void {
    if (note?.fork) {
      this.#spent = { nanoUsd: 0, tokens: 0, modelCalls: 0, priced: false };
      this.billed.clear();
      this.announced.clear();
    }
    for (const { eventId } of announcementsOf({ event, ...(note && { note }) }, this.#spec.sessionId))
      this.announced.add(eventId);
    this.#limits.push(budgetOf(this.state, this.#spec));
    if (!note?.bill) return;
    const { usage, nanoUsd } = note.bill;
    this.billed.add(event.id);
    this.#spent = {
      nanoUsd: this.#spent.nanoUsd + (nanoUsd ?? 0),
      tokens: this.#spent.tokens + contextTokens(usage),
      modelCalls: this.#spent.modelCalls + 1,
      priced: this.#spent.priced || nanoUsd !== null,
    };
    const { spent } = this.state;
    holds(JSON.stringify(spent) === JSON.stringify(this.#spent), 'what is spent is the sum of the bills');
    const within = this.#limits.some(
      (limit) =>
        limit === null ||
        (spent.nanoUsd <= Number(limit.max_list_cost?.amount ?? Number.POSITIVE_INFINITY) * 1e7 &&
          spent.tokens <= (limit.max_tokens ?? Number.POSITIVE_INFINITY) &&
          spent.modelCalls <= (limit.max_model_calls ?? Number.POSITIVE_INFINITY)),
    );
    holds(within, `nothing is spent beyond the budget: ${JSON.stringify([spent, this.#limits.at(-1)])}`);
  }
}

export function firstWords({ content }: { content: readonly { type: string; text?: string }[] }): string {
  return content[0]?.text?.split(';')[0] ?? '';
}

function resultOf(event: SessionEvent): string | null {
  if (event.type === 'agent.tool_result') return event.tool_use_id;
  return event.type === 'user.custom_tool_result' ? event.custom_tool_use_id : null;
}

type Idle = Extract<SessionEvent, { type: 'session.status_idle' | 'session.thread_status_idle' }>;

function sameIds({ stop_reason: reason }: Idle, ids: readonly string[]): boolean {
  return reason.type === 'requires_action' && reason.event_ids.join() === ids.join();
}
