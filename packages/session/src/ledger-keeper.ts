// Keeps the tenant's ledger right: each bill of the log becomes a line of it, under the id of its event. Nothing counts twice.
import type { LoggedEntry } from './entry.ts';
import type { Ledger, LedgerLine } from './ports.ts';
import { Reporter, type ReporterPorts } from './reporter.ts';
import type { SessionSpec } from './spec.ts';
import { agentOf, type Owned } from './thread.ts';

interface Session {
  spec: SessionSpec;
  /** Whose work a thread is. */
  ownerOf(threadId: string | undefined): Owned;
}

export class LedgerKeeper extends Reporter<LedgerLine> {
  /** `settled` is called whenever the ledger is right, or a write has failed. */
  constructor(ports: ReporterPorts & { ledger: Ledger }, session: Session, settled: () => void) {
    const report = {
      mark: 'billed' as const,
      debt: 'ledger' as const,
      failure: 'ledger.record_failed',
      linesOf: (entry: LoggedEntry) => linesOf(entry, session),
      record: (lines: readonly LedgerLine[]) => ports.ledger.record(lines),
    };
    super(ports, report, settled);
  }
}

function linesOf({ event, note }: LoggedEntry, { spec, ownerOf }: Session): LedgerLine[] {
  if (!note?.bill || event.processed_at === null) return [];
  const { id, version } = agentOf({ spec, state: {} }, ownerOf(note.thread));
  const threadId = note.thread ?? spec.threadId;
  const at = Date.parse(event.processed_at);
  return [{ ...note.bill, eventId: event.id, threadId, agent: { id, version }, at }];
}
