// What one process that tries mutants is told, and what it says: a file of each.
import type { Mutant } from './mutants.ts';

/** The environment variable that names the plan's file. */
export const PLAN = 'MUTATION_PLAN';

export interface Plan {
  root: string;
  /** All there are: a mutant is asked for by its place here. */
  mutants: readonly Mutant[];
  /** The modules that have the tests, absolute paths. */
  tests: readonly string[];
  /** Tests that take longer are not asked. */
  quickMs: number;
  /** Which mutants are to be tried, in this order. */
  tries: readonly number[];
  /** It is in place from the beginning, for what is worked out once, when a module is loaded. */
  always?: number;
  /** Where it says what it found, a `Said` per line. */
  report: string;
  /** Where it keeps which test reaches which mutant. */
  reach: string;
}

export interface Reach {
  /** By test, in the order they are defined: what it took of the processor, and the mutants it reaches. */
  tests: { name: string; ms: number; ids: number[] }[];
  /** Reached by loading the modules. */
  loading: number[];
}

export type Verdict =
  /** A test fails, or no longer ends. */
  | 'noticed'
  | 'survives'
  /** No test comes by. */
  | 'unreached';

/** A try begins, or has ended; `by`: the test that noticed. */
export type Said = { begins: number } | { id: number; verdict: Verdict; by: string };
