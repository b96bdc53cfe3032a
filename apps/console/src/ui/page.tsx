// The frame of an ordinary page: one heading, one column, room to breathe.
import type { ReactNode } from 'react';
import { useTitle } from './title.ts';

interface Props {
  title: string;
  lead?: ReactNode;
  action?: ReactNode;
  children: ReactNode;
}

export function Page({ title, lead, action, children }: Props) {
  useTitle(title);
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto w-full max-w-4xl px-4 py-6 sm:px-8 sm:py-10">
        <header className="mb-6 flex items-center justify-between gap-4">
          <div>
            <h1 className="text-xl font-semibold tracking-tight text-kumo-strong sm:text-2xl">{title}</h1>
            {lead !== undefined && <p className="mt-1 max-w-prose text-kumo-subtle">{lead}</p>}
          </div>
          {action}
        </header>
        {children}
      </div>
    </div>
  );
}
