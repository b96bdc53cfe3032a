// What surrounds every page: where you are, who you are, which model answers.
import { Button } from '@cloudflare/kumo/components/button';
import { BookOpenTextIcon, ChatsCircleIcon, PlusIcon, SignOutIcon } from '@phosphor-icons/react';
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams, useRouter } from '@tanstack/react-router';
import { api } from '../api.ts';
import { me } from '../queries.ts';
import { Logo } from '../ui/logo.tsx';
import { ModelBanner } from './model-banner.tsx';
import { ThemeSwitch } from './theme-switch.tsx';

const item =
  'flex items-center gap-2.5 rounded-lg px-2.5 py-1.5 text-kumo-subtle hover:bg-kumo-tint hover:text-kumo-default data-[status=active]:bg-kumo-tint data-[status=active]:font-medium data-[status=active]:text-kumo-strong';

export function Shell() {
  const { data } = useSuspenseQuery(me);
  return (
    <div className="grid h-dvh grid-cols-[minmax(0,1fr)] grid-rows-[auto_minmax(0,1fr)] lg:grid-cols-[15rem_minmax(0,1fr)] lg:grid-rows-1">
      <a
        href="#content"
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-lg bg-kumo-contrast px-3 py-2 text-kumo-inverse focus:translate-y-0"
      >
        Skip to content
      </a>
      <header className="flex items-center gap-1 border-kumo-hairline bg-kumo-base px-3 py-2 max-lg:border-b lg:flex-col lg:items-stretch lg:border-r lg:p-3">
        <Link
          to="/"
          className="mr-auto flex items-center gap-2.5 rounded-lg px-1 py-1 lg:mr-0 lg:mb-4 lg:px-2"
        >
          <Logo className="size-6" />
          <span className="text-lg font-semibold tracking-tight text-kumo-strong">Capstan</span>
        </Link>
        <Navigation />
        <Account name={data.api_key.name} lastFour={data.api_key.last_four} version={data.version} />
      </header>
      <div className="flex min-h-0 min-w-0 flex-col">
        <ModelBanner model={data.model} />
        <main id="content" tabIndex={-1} className="min-h-0 flex-1 outline-none">
          <Outlet />
        </main>
      </div>
    </div>
  );
}

export function ShellPending() {
  return (
    <div role="status" className="flex h-dvh items-center justify-center">
      <Logo className="size-10 animate-breathe" />
      <span className="sr-only">Loading</span>
    </div>
  );
}

function Navigation() {
  const { sessionId } = useParams({ strict: false });
  return (
    <nav aria-label="Main" className="flex items-center gap-1 lg:flex-col lg:items-stretch">
      <Link
        to="/"
        activeOptions={{ exact: true }}
        className={item}
        aria-label="Sessions"
        {...(sessionId === undefined ? {} : { 'data-status': 'active' })}
      >
        <ChatsCircleIcon className="size-[18px]" />
        <span className="max-sm:hidden">Sessions</span>
      </Link>
      <Link to="/sessions/new" className={item} aria-label="New session">
        <PlusIcon className="size-[18px]" />
        <span className="max-sm:hidden">New session</span>
      </Link>
      <a href="/docs" className={item} aria-label="API reference">
        <BookOpenTextIcon className="size-[18px]" />
        <span className="max-sm:hidden">API reference</span>
      </a>
    </nav>
  );
}

function Account({ name, lastFour, version }: { name: string; lastFour: string; version: string }) {
  const router = useRouter();
  const queries = useQueryClient();
  const logout = useMutation({
    mutationFn: () => api.consoleLogin.logout({}),
    onSuccess: async () => {
      await router.navigate({ to: '/login' });
      queries.clear();
    },
  });
  return (
    <div className="flex items-center gap-1 lg:mt-auto lg:border-t lg:border-kumo-hairline lg:pt-3">
      <div className="min-w-0 flex-1 px-2 max-lg:hidden">
        <p className="truncate font-medium text-kumo-default">{name}</p>
        <p className="truncate text-xs text-kumo-subtle">
          Key …{lastFour} · {version}
        </p>
      </div>
      <ThemeSwitch />
      <Button
        variant="ghost"
        shape="square"
        icon={<SignOutIcon className="size-[18px]" />}
        aria-label={logout.isError ? 'Sign out failed. Try again' : 'Sign out'}
        loading={logout.isPending}
        onClick={() => logout.mutate()}
      />
    </div>
  );
}
