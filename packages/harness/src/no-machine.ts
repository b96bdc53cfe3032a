// A session whose tools work at its user's own: nothing is held for it, and nothing is ever run for it here.
import { ApiError } from '@capstan/schema/error';
import type { Holding } from '@capstan/session/harness';
import { failed } from './tools/tool.ts';
import type { Tools } from './tools/tools.ts';

const OUTCOME = failed(
  "Not run: this session's files are on a machine of its user's own, which only the agent's own tool calls reach.",
);

/** Whoever else asks for a tool, such as a grader, is told why there is none. */
export const NO_MACHINE: Tools = {
  prepare: () => undefined,
  perform: async () => OUTCOME,
  recover: async () => OUTCOME,
  cancel: async () => undefined,
};

export const NO_SANDBOX: Holding = {
  holds: () => false,
  release: async () => undefined,
  prewarm: () => refuse(),
  refresh: () => undefined,
  expose: async () => refuse(),
  place: async () => refuse(),
  work: async () => refuse(),
  follow: () => undefined,
  careAt: () => null,
  care: async () => undefined,
  news: () => [],
  told: () => undefined,
  watch: () => undefined,
  snapshot: () => null,
  lend: async () => null,
};

function refuse(): never {
  throw new ApiError(
    'conflict',
    "The session's environment is self_hosted: its tools work where its worker runs, and it has no sandbox here.",
  );
}
