// What became of what a session works with, its sandbox and its MCP servers, and its log does not tell yet. Each is told
// once, as the event whose id it has.
import type { SandboxBoot, SandboxReplacement } from './events/sandbox-events.ts';
import type { McpErrorType, RepositoryErrorType } from './events/session-events.ts';

export type SandboxNews = { id: string } & Happening;

/** What is to be told. */
export type Happening =
  | { kind: 'replaced'; replacement: SandboxReplacement }
  /** A sandbox was made, and is used. */
  | { kind: 'booted'; boot: SandboxBoot }
  /** The image of its environment cannot be built: the message says why. */
  | { kind: 'image_failed'; message: string }
  | RepositoryTrouble
  /** An MCP server cannot be used: the turn goes on without its tools. */
  | { kind: 'mcp_failed'; type: McpErrorType; server: string; message: string };

/** A repository cannot be mounted: the session goes on without it. */
export interface RepositoryTrouble {
  kind: 'repository_failed';
  type: RepositoryErrorType;
  url: string;
  message: string;
}
