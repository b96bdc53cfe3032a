// A session as JSON lines: its definition, then every row of its log, whole (schema `exports`).
import type { ExportedSession } from '@capstan/schema/exports';
import type { LogReader } from './log-reader.ts';
import type { SessionSpec } from './spec.ts';

const encoder = new TextEncoder();

/** `until`: the last row it has. A reader that stops early costs nothing more. */
export function exportLog(
  spec: SessionSpec,
  log: Pick<LogReader, 'entries'>,
  until: number,
): ReadableStream<Uint8Array> {
  const lines = linesOf(spec, log, until);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await lines.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(`${value}\n`));
    },
    async cancel() {
      await lines.return(undefined);
    },
  });
}

async function* linesOf(
  spec: SessionSpec,
  log: Pick<LogReader, 'entries'>,
  until: number,
): AsyncGenerator<string, void> {
  yield JSON.stringify(toExported(spec));
  if (until === 0) return;
  for await (const entry of log.entries(0)) {
    yield JSON.stringify(entry);
    if (entry.seq >= until) return;
  }
}

function toExported(spec: SessionSpec): ExportedSession {
  const { origin } = spec;
  return {
    type: 'session',
    id: spec.sessionId,
    thread_id: spec.threadId,
    agent: spec.agent,
    environment: spec.environment,
    title: spec.title,
    metadata: spec.metadata,
    budget: spec.budget,
    initial_events: spec.initialEvents,
    forked_from: origin && { session_id: origin.sessionId, event_id: origin.eventId },
  };
}
