// One session: what was said and done, live, and what can be said and done next.
import { Button } from '@cloudflare/kumo/components/button';
import { ArrowDownIcon, CaretLeftIcon } from '@phosphor-icons/react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useEffect } from 'react';
import { session as sessionQuery } from '../queries.ts';
import { ButtonLink } from '../ui/button-link.tsx';
import { FailureNotice } from '../ui/notice.tsx';
import { Status } from '../ui/status.tsx';
import { useTitle } from '../ui/title.ts';
import { Composer } from './composer.tsx';
import { ConnectionState } from './connection-state.tsx';
import { Details } from './details.tsx';
import { useFollow } from './follow.ts';
import { type Live, useLiveSession } from './session.ts';
import { Transcript } from './transcript.tsx';

const route = getRouteApi('/shell/sessions/$sessionId');

export function SessionPage() {
  const { sessionId } = route.useParams();
  return <OneSession key={sessionId} id={sessionId} />;
}

function OneSession({ id }: { id: string }) {
  const live = useLiveSession(id);
  const query = useQuery(sessionQuery(id));
  const status = live.timeline.status ?? query.data?.status ?? 'idle';
  const { refetch } = query;
  // The stream says that a turn ended; times and totals of the session are then read anew.
  useEffect(() => {
    if (status !== 'running') void refetch();
  }, [status, refetch]);
  const title = query.data?.title || 'Untitled session';
  useTitle(title);

  if (live.failure?.status === 404) return <Missing />;
  return (
    <div className="grid h-full grid-cols-[minmax(0,1fr)] xl:grid-cols-[minmax(0,1fr)_18rem]">
      <section className="flex min-h-0 min-w-0 flex-col" aria-label={title}>
        <header className="flex items-center gap-3 border-b border-kumo-hairline bg-kumo-base px-3 py-2 sm:px-6 sm:py-3">
          <Link
            to="/"
            aria-label="All sessions"
            className="-ml-1 rounded-md p-1 text-kumo-subtle hover:bg-kumo-tint"
          >
            <CaretLeftIcon className="size-4" />
          </Link>
          <div className="min-w-0 flex-1">
            <h1 className="truncate font-semibold text-kumo-strong">{title}</h1>
            <p className="truncate text-xs text-kumo-subtle">
              {query.data === undefined ? ' ' : `${query.data.agent.name} · ${query.data.agent.model.id}`}
            </p>
          </div>
          <ConnectionState connection={live.connection} />
          <Status status={status} stopReason={live.timeline.stopReason} />
        </header>
        {query.data !== undefined && (
          <details className="border-b border-kumo-hairline bg-kumo-base xl:hidden">
            <summary className="cursor-pointer px-4 py-1.5 text-xs text-kumo-subtle -outline-offset-2 sm:px-6">
              Details
            </summary>
            <Details session={query.data} timeline={live.timeline} />
          </details>
        )}
        <Reading live={live} />
        <Composer
          live={live}
          status={status}
          archived={query.data !== undefined && query.data.archived_at !== null}
        />
      </section>
      {query.data !== undefined && (
        <aside
          aria-label="Details"
          className="min-h-0 overflow-y-auto border-l border-kumo-hairline bg-kumo-base max-xl:hidden"
        >
          <Details session={query.data} timeline={live.timeline} />
        </aside>
      )}
    </div>
  );
}

function Reading({ live }: { live: Live }) {
  const { session, timeline } = live;
  const follow = useFollow(timeline.items[0]?.key, live.sent);
  const earlier = useMutation({
    mutationFn: () => {
      follow.keepPlace();
      return session.loadEarlier();
    },
  });
  return (
    <div className="relative min-h-0 flex-1">
      <div ref={follow.scroller} className="h-full overflow-y-auto [overflow-anchor:none]">
        <div ref={follow.content} className="mx-auto w-full max-w-3xl px-4 py-6 sm:px-6">
          {live.hasEarlier && (
            <div className="mb-4 flex flex-col items-center gap-2">
              {earlier.error !== null && <FailureNotice error={earlier.error} />}
              <Button size="sm" loading={earlier.isPending} onClick={() => earlier.mutate()}>
                Show earlier events
              </Button>
            </div>
          )}
          {live.failure !== null && <FailureNotice error={live.failure} />}
          <Transcript live={live} />
        </div>
      </div>
      {!follow.following && (
        <Button
          size="sm"
          icon={<ArrowDownIcon />}
          className="absolute bottom-3 left-1/2 -translate-x-1/2 rounded-full shadow-md"
          onClick={follow.toEnd}
        >
          Latest
        </Button>
      )}
    </div>
  );
}

function Missing() {
  useTitle('Session not found');
  return (
    <div className="flex h-full flex-col items-center justify-center gap-3 px-4 text-center">
      <h1 className="text-lg font-semibold text-kumo-strong">This session does not exist</h1>
      <p className="max-w-sm text-kumo-subtle">
        It may have been deleted, or it belongs to another key's tenant.
      </p>
      <ButtonLink to="/" variant="secondary">
        Go to your sessions
      </ButtonLink>
    </div>
  );
}
