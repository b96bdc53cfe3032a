// What the pages ask the platform for, each under one cache key.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api } from './api.ts';

const PAGE_SIZE = 25;

export const me = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => api.consoleLogin.me({}, { signal }),
  staleTime: 60_000,
});

export const sessions = infiniteQueryOptions({
  queryKey: ['sessions'],
  queryFn: ({ pageParam, signal }) =>
    api.sessions.list({ query: { limit: PAGE_SIZE, page: pageParam } }, { signal }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last) => last.next_page ?? undefined,
});

export const session = (id: string) =>
  queryOptions({
    queryKey: ['session', id],
    queryFn: ({ signal }) => api.sessions.retrieve({ params: { session_id: id } }, { signal }),
  });

export const agents = queryOptions({
  queryKey: ['agents'],
  queryFn: ({ signal }) => api.agents.list({ query: { limit: 100 } }, { signal }),
});
