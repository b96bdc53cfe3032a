// What went wrong, said where it went wrong.

import { Failure } from '@capstan/client/failure';
import { WarningCircleIcon } from '@phosphor-icons/react';
import type { ReactNode } from 'react';

const LINE_BROKE =
  'The server cannot be reached, or the line broke before it answered. Try again in a moment.';

export function FailureNotice({ error, children }: { error: Error; children?: ReactNode }) {
  const lineBroke = error instanceof Failure && error.status === 0;
  return (
    <div role="alert" className="flex gap-2.5 rounded-lg bg-kumo-danger-tint px-3 py-2.5 text-kumo-danger">
      <WarningCircleIcon weight="fill" className="mt-0.5 size-4 shrink-0" />
      <div className="min-w-0 break-words">
        <p>{lineBroke ? LINE_BROKE : error.message}</p>
        {error instanceof Failure && error.requestId !== null && (
          <p className="mt-0.5 font-mono text-xs opacity-75">{error.requestId}</p>
        )}
        {children}
      </div>
    </div>
  );
}
