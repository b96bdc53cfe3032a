// What the database plans to do: the very statements that stores send, explained by it.
import type { D1Database } from '@cloudflare/workers-types';

/** One step of a plan; those with the same `parent` make one query of the statement together. */
export interface Step {
  statement: number;
  parent: number;
  detail: string;
}

/** A database whose statements are remembered. */
export interface Watched {
  /** To open stores on. */
  binding: D1Database;
  /** The steps of everything that `work` asks, in the order it asks. */
  stepsOf(work: () => Promise<unknown>): Promise<Step[]>;
  /** The same in the database's words alone. */
  plansOf(work: () => Promise<unknown>): Promise<string[]>;
}

export function watchPlans(database: D1Database): Watched {
  let asked: { sql: string; params: unknown[] }[] = [];
  const prepare: typeof database.prepare = (sql) => {
    const statement = database.prepare(sql);
    const bind: typeof statement.bind = (...params) => {
      asked.push({ sql, params });
      return statement.bind(...params);
    };
    return new Proxy(statement, {
      get: (target, name) => (name === 'bind' ? bind : Reflect.get(target, name)),
    });
  };
  const binding = new Proxy(database, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name === 'prepare') return prepare;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const stepsOf = async (work: () => Promise<unknown>) => {
    asked = [];
    await work();
    const steps: Step[] = [];
    for (const [statement, { sql, params }] of asked.entries()) {
      const explained = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(...params);
      const { results } = await explained.all<Omit<Step, 'statement'>>();
      steps.push(...results.map(({ parent, detail }) => ({ statement, parent, detail })));
    }
    return steps;
  };
  const plansOf = async (work: () => Promise<unknown>) => (await stepsOf(work)).map(({ detail }) => detail);
  return { binding, stepsOf, plansOf };
}

const TABLE = /^(SEARCH|SCAN) (?!\(subquery|fitting\b|ids\b|items\b|json_each\b|CONSTANT)/;
/** One row by its key. */
const LOOKUP = /\(([a-z_]+=\? AND )*id=\?\)$|\((agent|environment)_id=\? AND version=\?\)$/;

/** The parts of indexes, and whole tables, that are read: but for single rows, each once. */
export function readsOf(steps: readonly Step[]): string[] {
  const found = steps
    .map(({ detail }) => detail)
    .filter((detail) => TABLE.test(detail) && !LOOKUP.test(detail));
  return [...new Set(found.map((detail) => detail.replace('COVERING ', '')))];
}

/** What is read to be sorted: none of a page's own few rows. */
export function sortsOf(steps: readonly Step[]): string[] {
  const sorts = steps.filter(({ detail }) => detail.startsWith('USE TEMP B-TREE'));
  return sorts.flatMap((sort) =>
    readsOf(steps.filter((step) => step.statement === sort.statement && step.parent === sort.parent)),
  );
}
