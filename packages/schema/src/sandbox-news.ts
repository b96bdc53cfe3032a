// What became of a session's sandbox and its log does not tell yet. Each is told once, as the event whose id it has.
import type { SandboxReplacement } from './events/sandbox-events.ts';

export type SandboxNews =
  | { id: string; kind: 'replaced'; replacement: SandboxReplacement }
  /** The image of its environment cannot be built: the message says why. */
  | { id: string; kind: 'image_failed'; message: string };
