// What holds of a session at any moment, and what of one that has come to rest.
import { evolveAll } from '../../evolve.ts';
import { foldOf } from '../../fold.ts';
import { readEntries } from '../../log-reader.ts';
import { LEASE_MS, owed, toThreadViews } from '../../machine.ts';
import type { State } from '../../state.ts';
import { blocking, hasInput, statusOf } from '../../thread.ts';
import { holds } from './log-witness.ts';
import type { Play } from './play.ts';

/** After each step. */
export async function check(play: Play): Promise<void> {
  const broken = [...play.broken, ...play.harness.broken];
  holds(broken.length === 0, broken.join('\n'));
  if (play.world.erased) return checkErased(play);
  await play.witness.follow(play.world);
  const { state } = play.witness;
  checkLive(play, state);
  checkStatus(state);
  checkUsage(state);
  checkWaits(play, state);
  checkCalls(play, state);
  checkPromises(play);
  for (const reader of play.readers) reader.check(play.witness, play.current);
}

/** M2: the live state is the fold of the log. */
function checkLive({ current: runtime, world }: Play, state: State): void {
  if (runtime === null || state.deleted) return;
  same(runtime.view, owed(state, world.spec, world.now).index, 'M2: the session is what its log says');
  const threads = toThreadViews({ spec: world.spec, state }, world.now);
  same(runtime.threads, threads, 'M2: its threads are what the log says');
}

function checkStatus(state: State): void {
  if (state.status !== 'terminated')
    holds(state.status === statusOf(state), `a session is what its threads are: ${state.status}`);
  for (const thread of state.threads) {
    holds((thread.status === 'running') === (thread.turnId !== null), 'a running thread has a turn');
    holds((thread.status === 'running') === (thread.activeSince !== null), 'a running thread is active');
    holds(
      (thread.status === 'rescheduling') === (thread.retryAt !== null),
      'R7: a rescheduled thread has its time',
    );
    holds(
      thread.openSpan === null || thread.status === 'running',
      'only a running thread has a request under way',
    );
    holds(thread.judging === null || thread.openSpan !== null, 'what is judged is a reply');
  }
  const active = state.status === 'running';
  holds(active === (state.activeSince !== null), 'a running session is active');
}

/** What the session used is what its threads used. */
function checkUsage({ usage, threads }: State): void {
  const sum = (of: (one: State['usage']) => number) =>
    threads.reduce((total, one) => total + of(one.usage), 0);
  holds(usage.input_tokens === sum((one) => one.input_tokens), 'input tokens are those of the threads');
  holds(usage.output_tokens === sum((one) => one.output_tokens), 'output tokens are those of the threads');
  const read = sum((one) => one.cache_read_input_tokens);
  holds(usage.cache_read_input_tokens === read, 'cached tokens are those of the threads');
}

/** R4, R7: nothing is due without an alarm, and nothing waits without a name. */
function checkWaits(play: Play, state: State): void {
  const { world, witness, harness } = play;
  // Overtaken by a zombie, it may have disarmed what that one armed: whoever calls it next finds out.
  if (play.overtaken) return;
  const { alarmAt } = world;
  const armed = alarmAt !== null;
  const { index, stop } = owed(state, world.spec, world.now);
  for (const { retryAt, status } of state.threads) {
    // What was overdue could not be written: it is tried again in time, also where the clock has gone back since.
    const tried = retryAt !== null && retryAt <= play.latest;
    const until = tried ? play.latest + LEASE_MS : retryAt;
    if (until !== null)
      holds(armed && alarmAt <= until, `R4: the alarm is armed for what is due at ${retryAt}`);
    if (status === 'running') holds(armed, 'R7: a running turn is looked at again');
  }
  if (state.deleted) holds(armed, 'R7: a session that is to be erased is looked at again');
  else if (world.index?.status !== index.status && witness.seq > 0)
    holds(armed, 'R7: a row that is not right is looked at again');
  if (stop.some(({ id }) => !harness.cancelled.includes(id)))
    holds(armed, 'R7: what is to be stopped is looked at again');
  if (state.status === 'terminated' && harness.held) holds(armed, 'R7: what is held is given back');
  if (state.status === 'idle' && harness.changed)
    holds(armed, 'R7: what was done in a sandbox that rests is saved');
  for (const id of witness.billed) if (!world.ledger.has(id)) holds(armed, 'R7: a bill is recorded');
  for (const id of witness.announced)
    if (!world.announced.has(id)) holds(armed, 'R7: what webhooks are to tell is told');
  if (state.status === 'terminated') return;
  for (const thread of state.threads) {
    if (thread.status !== 'idle') continue;
    const named = blocking(thread).length > 0 || thread.paused;
    holds(named || !hasInput(thread), `R7: what ${thread.id} was sent waits for nothing`);
    holds(named || thread.calls.length === 0, `R7: the calls of ${thread.id} wait for nothing`);
  }
}

/** R6: the ledger of calls. */
function checkCalls({ harness, witness }: Play, state: State): void {
  const { performed } = harness;
  holds(new Set(performed).size === performed.length, 'R6: nothing is performed twice');
  const open = state.threads.flatMap(({ calls }) => calls.map(({ id }) => id)).sort();
  same(open, [...witness.calls.keys()].sort(), 'R6: a use without a result is open');
}

/** What was accepted is on the log; what was refused is not. */
function checkPromises({ promised, refused, witness }: Play): void {
  for (const id of promised) holds(witness.places.has(id), `an accepted event is in the log: ${id}`);
  for (const words of refused) holds(!witness.words.has(words), 'all of a send is refused, or none');
}

async function checkErased({ world, current, blobs, readers, alone }: Play): Promise<void> {
  holds(
    (await world.events()).length === 0 && blobs.texts.size === 0,
    'of a deleted session nothing is left',
  );
  holds(world.index === null, 'a deleted session has no row');
  const told = [...world.announced.values()].some(({ type }) => type === 'session.deleted');
  holds(told, 'that it was deleted is told before its log goes');
  // Zombies may arm it: the host finds nothing to open then.
  if (alone) holds(world.alarmAt === null, 'a deleted session is not looked at again');
  holds(current === null, 'a deleted session does nothing');
  holds(!readers.some((reader) => reader.reads(current)), 'the streams of a deleted session have ended');
}

/** Once the world is friendly, everything comes to rest in a bounded number of steps. */
export async function finish(play: Play): Promise<void> {
  play.calm();
  for (const reader of play.readers) if (reader.slow) reader.read();
  for (let round = 0; round < 200; round++) {
    if (play.overtaken) play.crash();
    await play.live();
    await play.settle();
    await check(play);
    const { world, harness, witness } = play;
    if (world.erased) return;
    if (rests(play, witness.state)) return checkRest(play);
    if (witness.state.threads.some(({ paused }) => paused) && witness.state.status === 'idle')
      await play.ask((runtime) => runtime.update({ budget: null }));
    for (const call of harness.waitingModels) harness.please(call);
    for (const call of harness.waitingTools) harness.finish(call, 'ok');
    for (const call of witness.state.threads.flatMap(blocking)) {
      const id = call.id;
      const event =
        call.waitsFor === 'client'
          ? { type: 'user.custom_tool_result' as const, custom_tool_use_id: id, content: [] }
          : { type: 'user.tool_confirmation' as const, tool_use_id: id, result: 'allow' as const };
      await play.ask((runtime) => runtime.send([event]));
    }
    await play.settle();
    await play.ring();
  }
  throw new Error(`never came to rest: ${JSON.stringify(play.witness.state)}`);
}

function rests({ world, harness }: Play, state: State): boolean {
  const still = state.status === 'idle' || state.status === 'terminated';
  const open = state.threads.some((thread) => blocking(thread).length > 0 || thread.paused);
  const waiting = state.status === 'idle' && open;
  return still && !waiting && world.alarmAt === null && harness.waitingModels.length === 0;
}

/** Nothing was lost, doubled or left. */
async function checkRest(play: Play): Promise<void> {
  const { world, witness, harness } = play;
  const { state } = witness;
  const entries = [];
  for await (const entry of readEntries(world.log, 0)) entries.push(entry);
  same(
    evolveAll(foldOf(world.spec).initial, entries),
    state,
    'M2: a state from JSON is the fold of the whole log',
  );
  same([...world.ledger.keys()].sort(), [...witness.billed].sort(), 'the ledger has the bills of the log');
  same([...world.announced.keys()].sort(), [...witness.announced].sort(), 'webhooks tell what the log says');
  if (witness.seq > 0)
    same(world.index, owed(state, world.spec, world.now).index, 'the row shows the session as it is');
  for (const reader of play.readers) reader.checkPreviews(witness);
  holds(witness.spans.size === 0, 'every request has its end');
  holds(witness.calls.size === 0, 'every call has its result');
  holds(witness.undelivered.size === 0, 'every message is delivered');
  holds(witness.evaluation === null, 'every evaluation has its end');
  const { untold, changed } = harness;
  for (const id of play.news) {
    const waits = untold.some((one) => one.id === id);
    holds(waits !== witness.news.has(id), 'what became of the sandbox is told, or will be: once');
  }
  holds(!changed || state.status === 'terminated', 'what was done in a sandbox is saved');
  const refused = state.threads[0]?.stop?.reason.type === 'refusal';
  holds(state.outcome === null || refused, 'every outcome has its end, or waits for other words');
  for (const { id } of state.stopping) holds(harness.cancelled.includes(id), 'what was cut short is stopped');
  const threads = new Set(witness.accepted.map(({ thread }) => thread));
  for (const thread of threads) {
    const of = (all: typeof witness.taken) => all.filter((one) => one.thread === thread).map(({ id }) => id);
    same(of(witness.taken), of(witness.accepted), 'R8: what was accepted is taken once, in order');
  }
  if (state.status === 'terminated') {
    holds(!harness.held, 'an ended session holds nothing');
    const reading = play.readers.some((reader) => reader.reads(play.current));
    holds(!reading, 'the streams of an ended session end');
  }
}

function same(one: unknown, other: unknown, rule: string): void {
  const [left, right] = [ordered(one), ordered(other)];
  holds(left === right, `${rule}:\n${left}\n${right}`);
}

function ordered(value: unknown): string {
  return JSON.stringify(value, (_, member) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([one], [other]) => (one < other ? -1 : 1)))
      : member,
  );
}
