// Every page of the Console, and the one gate before them: who is not signed in signs in first and comes back.

import { Failure } from '@capstan/client/failure';
import { QueryClient } from '@tanstack/react-query';
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';
import { signedOut } from './api.ts';
import { me } from './queries.ts';
import { FailurePage } from './shell/failure-page.tsx';
import { NotFoundPage } from './shell/not-found-page.tsx';
import { Shell, ShellPending } from './shell/shell.tsx';

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, error) =>
        failures < 2 && !(error instanceof Failure && error.status < 500 && error.status > 0),
    },
  },
});

const root = createRootRoute({ notFoundComponent: NotFoundPage, errorComponent: FailurePage });

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  // Named even when it is refused: what is left out here would be taken from the address as it is.
  validateSearch: (search: Record<string, unknown>): { next?: string | undefined } => ({
    next: isInside(search.next) ? search.next : undefined,
  }),
  component: lazyRouteComponent(() => import('./login/login-page.tsx'), 'LoginPage'),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: Shell,
  pendingComponent: ShellPending,
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(me);
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 401) throw error;
      throw redirect({ to: '/login', search: toNext(location.href) });
    }
  },
});

const sessions = createRoute({
  getParentRoute: () => shell,
  path: '/',
  component: lazyRouteComponent(() => import('./sessions/sessions-page.tsx'), 'SessionsPage'),
});

const newSession = createRoute({
  getParentRoute: () => shell,
  path: '/sessions/new',
  component: lazyRouteComponent(() => import('./sessions/new-session-page.tsx'), 'NewSessionPage'),
});

const session = createRoute({
  getParentRoute: () => shell,
  path: '/sessions/$sessionId',
  component: lazyRouteComponent(() => import('./session/session-page.tsx'), 'SessionPage'),
});

const sessionsAlias = createRoute({
  getParentRoute: () => root,
  path: '/sessions',
  beforeLoad: () => {
    throw redirect({ to: '/' });
  },
});

export const router = createRouter({
  routeTree: root.addChildren([login, sessionsAlias, shell.addChildren([sessions, newSession, session])]),
  defaultPreload: 'intent',
  defaultErrorComponent: FailurePage,
  scrollRestoration: true,
});

signedOut.addEventListener('change', () => {
  const { pathname, href } = router.state.location;
  if (pathname === '/login') return;
  queryClient.removeQueries();
  void router.navigate({ to: '/login', search: toNext(href) });
});

/** A return path must stay on this origin: `//other.example` would not. */
function isInside(next: unknown): next is string {
  return typeof next === 'string' && /^\/(?![/\\])/.test(next) && !next.startsWith('/login');
}

function toNext(href: string): { next?: string } {
  return href === '/' || !isInside(href) ? {} : { next: href };
}

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
