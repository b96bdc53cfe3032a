// Whether what is shown is live. Silent while it is.
import { WifiSlashIcon } from '@phosphor-icons/react';
import type { Connection } from './live-session.ts';

export function ConnectionState({ connection }: { connection: Connection }) {
  const lost = connection === 'reconnecting';
  return (
    <span role="status" className="shrink-0 text-xs text-kumo-warning">
      {lost && (
        <span className="inline-flex items-center gap-1.5">
          <WifiSlashIcon className="size-4" />
          <span className="max-sm:sr-only">Connection lost. Reconnecting…</span>
        </span>
      )}
    </span>
  );
}
