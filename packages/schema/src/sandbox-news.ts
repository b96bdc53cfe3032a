// What became of what a session works with, its sandbox and its MCP servers, and its log does not tell yet. Each is told
// once, as the event whose id it has.
import type { SandboxReplacement } from './events/sandbox-events.ts';
import type { McpErrorType } from './events/session-events.ts';

export type SandboxNews =
  | { id: string; kind: 'replaced'; replacement: SandboxReplacement }
  /** The image of its environment cannot be built: the message says why. */
  | { id: string; kind: 'image_failed'; message: string }
  /** An MCP server cannot be used: the turn goes on without its tools. */
  | { id: string; kind: 'mcp_failed'; type: McpErrorType; server: string; message: string };
