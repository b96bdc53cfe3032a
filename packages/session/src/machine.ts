// The session machine: what a session may do, with no I/O.
//
//   accept(events, context)   -> entries   what a client's events bring about, or an ApiError
//   decide(command, context)  -> entries   what anything else brings about, or an ApiError
//   evolve(state, entry)      -> state     what it means
//   owed(state, context)      -> owed      what the world must be told because of it
//
// M1. Pure: no clock, no random, no await. Time and ids come in the stamp.
// M2. State is a fold of the log: evolveAll(initial, log) equals the live state, after any crash.
// M3. What is owed is read off the state, never queued, so nothing owed can be lost, and doing it twice is harmless.
//     A turn is the exception: its event starts it, and only an event ends it.
import type { ThreadOwner } from '@capstan/schema/threads';
import { budgetOf, toMoney } from './budget.ts';
import type { Entry } from './entry.ts';
import type { Context } from './frame.ts';
import type { Rest } from './harness.ts';
import {
  archive,
  archiveThread,
  fork,
  metadataOf,
  recover,
  remove,
  tick,
  titleOf,
  update,
} from './lifecycle.ts';
import type { Draft } from './ports.ts';
import { neededFor, workerLost } from './remote-calls.ts';
import type { SessionChange, SessionView, ThreadView } from './service.ts';
import type { SessionSpec } from './spec.ts';
import type { State, StoppedCall, ThreadState } from './state.ts';
import { activeSecondsAt, agentOf, type Known, usageAt } from './thread.ts';
import { decideTurn, type TurnCommand } from './turn-commands.ts';
import { nextOverdue } from './workflow/run-end.ts';

export type Command =
  | TurnCommand
  /** An alarm or a wake: retry what is due. */
  | { kind: 'tick' }
  /** This runtime was just built. */
  | { kind: 'recovered'; drafts: readonly Draft[] }
  | { kind: 'update'; change: SessionChange }
  /** The log of another session was copied: whole, or as far as there was anything to copy. */
  | { kind: 'forked'; whole: boolean }
  /** The worker that had the session until then (epoch ms) has it no more. */
  | { kind: 'worker_lost'; until: number }
  | { kind: 'archive' }
  | { kind: 'archive_thread'; threadId: string }
  | { kind: 'delete' };

export function decide(command: Command, context: Context): Entry[] {
  // Asked for before it was deleted, and come to only now: whoever asked is told that there is no such session.
  if (context.state.deleted) return [];
  switch (command.kind) {
    case 'tick':
      return tick(context);
    case 'recovered':
      return recover(context, command.drafts);
    case 'update':
      return update(context, command.change);
    case 'forked':
      return fork(context, command.whole);
    case 'worker_lost':
      return workerLost(context, command.until);
    case 'archive':
      return archive(context);
    case 'archive_thread':
      return archiveThread(context, command.threadId);
    case 'delete':
      return remove(context);
    default:
      return decideTurn(command, context);
  }
}

export interface Owed {
  /** What the session's row in the control plane should show. */
  index: SessionView;
  /** The latest moment at which the session must be looked at again, epoch ms, or null when nothing is pending. */
  wakeAt: number | null;
  /** When it must be looked at again however long it rests: a workflow run comes to its time. Epoch ms, or null. */
  deadline: number | null;
  /** Calls whose effects are to be stopped, oldest first. */
  stop: readonly StoppedCall[];
  /** The last call that a worker of the user's own has to be offered the session for; null: no worker is needed. */
  work: string | null;
  /** How it stands to its sandbox: what is due there follows from it. */
  rest: Rest;
  /** The session is over: what it holds outside is to be given back. */
  release: boolean;
  /** The session is deleted: its row and all that it stores are to go. */
  erase: boolean;
}

/** A running turn is looked at this often, so that one whose process died goes on by itself. */
export const LEASE_MS = 3_000;

export function owed(state: State, spec: SessionSpec, now: number): Owed {
  return {
    index: toView(state, spec, now),
    wakeAt: wakeAt(state, now),
    deadline: nextOverdue(state),
    stop: state.stopping,
    work: neededFor(state, spec),
    rest: { since: state.status === 'idle' ? state.updatedAt : null, upTo: state.worked },
    release: state.status === 'terminated',
    erase: state.deleted,
  };
}

function wakeAt(state: State, now: number): number | null {
  const retries = state.threads.flatMap(({ retryAt }) => (retryAt === null ? [] : [retryAt]));
  if (state.threads.some(({ status }) => status === 'running')) retries.push(now + LEASE_MS);
  return retries.length === 0 ? null : Math.min(...retries);
}

/** When to look again while it is not known whether the session comes from the one state to the other. Epoch ms. */
export function wakeBetween(
  [before, after]: readonly [State, State],
  spec: SessionSpec,
  now: number,
): number {
  // Even idle, the index row is owed until it is confirmed. What is overdue already is tried again in time.
  const then = owed(after, spec, now).wakeAt ?? now + LEASE_MS;
  const due = owed(before, spec, now).wakeAt;
  return due !== null && due > now ? Math.min(due, then) : then;
}

/** The first of two moments; null: there is none. */
export function earliest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function toView(state: State, spec: SessionSpec, now: number): SessionView {
  const { nanoUsd, priced } = state.spent;
  return {
    status: state.status,
    usage: { ...usageAt(state, now), list_cost: priced ? toMoney(nanoUsd) : null },
    activeSeconds: activeSecondsAt(state, now),
    updatedAt: state.updatedAt,
    archivedAt: state.archivedAt,
    title: titleOf({ state, spec }),
    metadata: metadataOf({ state, spec }),
    budget: budgetOf(state, spec),
    outcomeEvaluations: [...state.evaluations],
    agentTools: state.agentTools ?? null,
  };
}

/** Threads of one step have one agent: a reply over RPC (32 MiB) carries it once, however many there are. */
export function toThreadViews(known: Known & { state: State }, now: number): ThreadView[] {
  const owners = new Map<string, ThreadOwner>();
  return known.state.threads.map((thread) => {
    const key = thread.step === undefined ? thread.id : `${thread.step.runId} ${thread.step.stepId}`;
    const owner = owners.get(key) ?? ownerOf(thread, known);
    owners.set(key, owner);
    return toThreadView(thread, owner, now);
  });
}

function toThreadView(thread: ThreadState, agent: ThreadOwner, now: number): ThreadView {
  const begun = thread.activeSince !== null || thread.activeMs > 0 || thread.stop !== null;
  return {
    id: thread.id,
    parentId: thread.parentId,
    workflowRunId: thread.step?.runId ?? null,
    agent,
    status: thread.status,
    usage: thread.stop === null && thread.status !== 'terminated' ? null : usageAt(thread, now),
    activeSeconds: begun ? activeSecondsAt(thread, now) : null,
    createdAt: thread.createdAt,
    updatedAt: thread.updatedAt,
    archivedAt: thread.archivedAt,
  };
}

/** The agent as the API shows it: what has no version of its own has no id either. */
function ownerOf(thread: ThreadState, known: Known): ThreadOwner {
  const agent = agentOf(known, thread);
  if (thread.advises) return { type: 'advisor', model: agent.model.id };
  if (thread.inline === undefined) return agent;
  const { id: _id, version: _version, ...words } = agent;
  return { ...words, type: 'inline' };
}
