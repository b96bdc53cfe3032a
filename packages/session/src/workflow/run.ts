// A workflow run: background work of the session's agent by a plan that it wrote. What is known of one is a fold of the log;
// what it does next follows from that.
import type { WorkflowError } from '@capstan/schema/events/span-events';
import type { InlineWords } from '../inline-agent.ts';

/** Who works in the thread of a step: of the agents that plans may name, by its place, or one that the plan describes. */
export type StepOwner = { member: number } | { inline: InlineWords };

export interface PlannedStep {
  id: string;
  name: string;
  owner: StepOwner;
  /** With placeholders (schema `workflow-plans`). */
  message: string;
  /** What it is for, a thread for each: given, or the result of an earlier step. Null: one thread. */
  items: readonly string[] | { of: string } | null;
}

/** What a run follows: every agent found, nothing left to be looked up. */
export interface Plan {
  phases: readonly { name: string; steps: readonly PlannedStep[] }[];
}

/** Whose work a thread is. */
export interface StepPlace {
  runId: string;
  stepId: string;
  /** Which of the threads of its step. */
  index: number;
}

export interface StepResult {
  text: string;
  /** The thread ended without one: the text says why. */
  failed?: true;
}

export interface Run {
  id: string;
  name: string;
  phaseIds: readonly string[];
  plan: Plan;
  /** As it was last told; null: not told yet. */
  status: 'running' | 'idle' | null;
  /** The last phase that was entered; -1: none. */
  phase: number;
  /** The event that began the phase; null once it has ended. */
  startedId: string | null;
  /** Threads of this phase that were created, and of all: tasks begin in their order. */
  begun: number;
  threads: number;
  /** By `resultKey`. */
  results: Readonly<Record<string, StepResult>>;
  /** Epoch ms. */
  createdAt: number;
}

export type RunResult = { type: 'completed' } | { type: 'stopped' } | { type: 'error'; error: WorkflowError };

/** Runs of a session that have not ended. */
export const MAX_OPEN_RUNS = 10;
/** Threads of a session's runs that have not ended: more wait for their turn. */
export const MAX_AT_ONCE = 64;
export const RUN_MS = 24 * 60 * 60_000;

export function resultKey({ stepId, index }: Pick<StepPlace, 'stepId' | 'index'>): string {
  return `${stepId}#${index}`;
}
