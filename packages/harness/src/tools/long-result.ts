// Results that are too long to be shown: the whole goes into a file of the sandbox, and the result says where.
import type { Sandboxes } from '@capstan/sandbox/port';
import { MAX_CHUNK_BYTES } from '@capstan/sandbox/port';
import type { ToolResultContent } from '@capstan/schema/content';
import type { ToolOutcome } from '@capstan/session/harness';
import { persist } from '../persistence.ts';
import type { SessionSandbox } from '../session-sandbox.ts';
import { MAX_RESULT_CHARS, PREVIEW_CHARS, wholeChars } from './output-text.ts';

export interface LongResultDeps {
  /** Null: there is none to keep a file in. */
  sandbox: Pick<SessionSandbox, 'use'> | null;
  sandboxes: () => Sandboxes;
}

/** The outcome as it is, or its first text and where all of it is. Media stay where they are. */
export async function withinLimit(
  outcome: ToolOutcome,
  effectId: string,
  deps: LongResultDeps,
): Promise<ToolOutcome> {
  const texts = outcome.content.flatMap((block) => (block.type === 'text' ? [block.text] : []));
  const whole = texts.join('\n');
  if (whole.length <= MAX_RESULT_CHARS) return outcome;
  const kept = await keep(whole, `/mnt/session/tool_results/${effectId}.txt`, deps);
  const shown = `${wholeChars(whole, PREVIEW_CHARS)}\n[The result is over ${MAX_RESULT_CHARS} characters; these are its first ${PREVIEW_CHARS}. ${kept}]`;
  const others = outcome.content.filter((block) => block.type !== 'text');
  const first: ToolResultContent = { type: 'text', text: shown };
  return { ...outcome, content: [first, ...others] };
}

const NOT_KEPT = 'The rest could not be kept: ask for less at a time.';

async function keep(whole: string, path: string, { sandbox, sandboxes }: LongResultDeps): Promise<string> {
  if (sandbox === null) return NOT_KEPT;
  const bytes = new TextEncoder().encode(whole).subarray(0, MAX_CHUNK_BYTES);
  try {
    await sandbox.use(
      (sandboxId) => persist(() => sandboxes().writeFile({ sandboxId, path, content: bytes })),
      {
        changes: true,
      },
    );
    return `The whole result is in ${path}: read it in parts, or search it.`;
  } catch {
    return NOT_KEPT;
  }
}
