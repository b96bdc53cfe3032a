// Every session of the tenant, newest first.

import type { Session } from '@capstan/schema/sessions';
import { Button } from '@cloudflare/kumo/components/button';
import { CaretRightIcon, PlusIcon } from '@phosphor-icons/react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { sessions } from '../queries.ts';
import { ButtonLink } from '../ui/button-link.tsx';
import { FailureNotice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { Status } from '../ui/status.tsx';
import { Ago } from '../ui/time.tsx';
import { FirstSteps } from './first-steps.tsx';

const REFRESH_MS = 5_000;

export function SessionsPage() {
  const query = useInfiniteQuery({
    ...sessions,
    refetchInterval: ({ state }) =>
      state.data === undefined || state.data.pages.length === 1 ? REFRESH_MS : false,
  });
  const all = query.data?.pages.flatMap((page) => page.data) ?? [];
  const start = (
    <ButtonLink to="/sessions/new" variant="primary">
      <PlusIcon weight="bold" /> New session
    </ButtonLink>
  );
  if (query.data !== undefined && all.length === 0) return <FirstSteps />;
  return (
    <Page title="Sessions" action={start}>
      {query.error !== null && (
        <div className="mb-4">
          <FailureNotice error={query.error} />
        </div>
      )}
      {query.isPending ? <Skeleton /> : <SessionList sessions={all} />}
      {query.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button loading={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Load more
          </Button>
        </div>
      )}
    </Page>
  );
}

function SessionList({ sessions }: { sessions: Session[] }) {
  return (
    <ul className="divide-y divide-kumo-hairline overflow-hidden rounded-xl bg-kumo-base ring ring-kumo-hairline">
      {sessions.map((session) => (
        <li key={session.id}>
          <SessionRow session={session} />
        </li>
      ))}
    </ul>
  );
}

function SessionRow({ session }: { session: Session }) {
  return (
    <Link
      to="/sessions/$sessionId"
      params={{ sessionId: session.id }}
      className="group grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-0.5 px-4 py-3 -outline-offset-2 hover:bg-kumo-tint/60 sm:grid-cols-[minmax(0,1fr)_8.5rem_7rem_1rem]"
    >
      <span className="min-w-0">
        <span
          className={`block truncate font-medium ${session.title ? 'text-kumo-strong' : 'text-kumo-subtle'}`}
        >
          {session.title || 'Untitled session'}
        </span>
        <span className="block truncate text-sm text-kumo-subtle">
          {session.agent.name}
          <span aria-hidden="true"> · </span>
          {session.agent.model.id}
        </span>
      </span>
      <Status status={session.status} />
      <Ago at={session.updated_at} className="text-sm text-kumo-subtle max-sm:col-span-2 max-sm:text-xs" />
      <CaretRightIcon className="size-4 text-kumo-inactive group-hover:text-kumo-subtle max-sm:hidden" />
    </Link>
  );
}

function Skeleton() {
  return (
    <div
      role="status"
      className="divide-y divide-kumo-hairline overflow-hidden rounded-xl bg-kumo-base ring ring-kumo-hairline"
    >
      <span className="sr-only">Loading sessions</span>
      {[48, 36, 56, 40].map((width) => (
        <div key={width} className="animate-breathe space-y-2 px-4 py-3.5">
          <div className="h-3.5 rounded bg-kumo-fill" style={{ width: `${width}%` }} />
          <div className="h-3 rounded bg-kumo-fill/60" style={{ width: `${width / 2}%` }} />
        </div>
      ))}
    </div>
  );
}
