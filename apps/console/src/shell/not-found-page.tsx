// For addresses that lead nowhere.
import { ButtonLink } from '../ui/button-link.tsx';
import { Logo } from '../ui/logo.tsx';
import { useTitle } from '../ui/title.ts';

export function NotFoundPage() {
  useTitle('Not found');
  return (
    <main className="flex min-h-full flex-col items-center justify-center gap-4 px-4 py-12 text-center">
      <Logo className="size-10" />
      <h1 className="text-xl font-semibold text-kumo-strong">There is no page here</h1>
      <p className="max-w-sm break-words text-kumo-subtle">
        Nothing answers at <code className="font-mono text-sm">{location.pathname}</code>.
      </p>
      <ButtonLink to="/" variant="secondary">
        Go to your sessions
      </ButtonLink>
    </main>
  );
}
