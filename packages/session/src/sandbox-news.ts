// News of the sandbox, of repositories and of MCP servers, as a session tells them: each once, on its log while it runs; and with the next result of a tool,
// once to each agent that may have lost something.
import type { SandboxReplacement } from '@capstan/schema/events/sandbox-events';
import type { SessionError } from '@capstan/schema/events/session-events';
import type { SandboxNews } from '@capstan/schema/sandbox-news';
import { type Entry, made, noted, type Stamp } from './entry.ts';
import { evolveAll } from './evolve.ts';
import type { Context } from './frame.ts';
import type { ToolOutcome } from './harness.ts';
import type { ThreadState } from './state.ts';

/**
 * The entries, and the news that the log has not told yet. A session that rests keeps them until it works: to its clients
 * it would seem to go on.
 */
export function withNews(
  context: Context,
  entries: readonly Entry[],
  news: readonly SandboxNews[],
): readonly Entry[] {
  if (news.length === 0) return entries;
  const state = evolveAll(context.state, entries);
  if (state.status !== 'running') return entries;
  const last = news.findIndex(({ id }) => id === state.told);
  return [...entries, ...news.slice(last + 1).map((one) => toEntry(one, context.stamp))];
}

function toEntry(news: SandboxNews, stamp: Stamp): Entry {
  const { id } = news;
  if (news.kind === 'replaced') {
    return noted(made(stamp, 'session.sandbox_replaced', { id, ...news.replacement }), { news: true });
  }
  if (news.kind === 'booted') {
    return noted(made(stamp, 'span.sandbox_boot', { id, ...news.boot }), { news: true });
  }
  return noted(made(stamp, 'session.error', { id, error: errorOf(news) }), { news: true });
}

type Trouble = Exclude<SandboxNews, { kind: 'replaced' | 'booted' }>;

function errorOf(news: Trouble): SessionError {
  const report = { message: news.message, retry_status: { type: 'retrying' as const } };
  switch (news.kind) {
    case 'mcp_failed':
      return { type: news.type, mcp_server_name: news.server, ...report };
    case 'repository_failed':
      return { type: news.type, repository_url: news.url, ...report };
    case 'image_failed':
      return { type: 'environment_image_error', ...report };
  }
}

/** The outcome as its thread is given it. */
export function toldWith({ content, isError }: ToolOutcome, { missing }: ThreadState): ToolOutcome {
  if (missing === null) return { content, isError };
  return { content: [{ type: 'text', text: textOf(missing) }, ...content], isError };
}

function textOf({ restored, lost }: SandboxReplacement): string {
  const from = restored === null ? '' : ` from its snapshot of ${restored.snapshot_taken_at}`;
  const files = {
    none: 'Its files are all there.',
    since_snapshot: 'Changes to files after that are gone.',
    all: 'Files and shell variables from before are gone.',
  };
  const processes = lost.processes ? ' Processes that were running have ended.' : '';
  const replaced = `Note: the session's sandbox had ended, so a new one was started${from}.`;
  return `${replaced} ${files[lost.files]}${processes}`;
}
