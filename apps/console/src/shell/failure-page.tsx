// The error boundary: says what failed and offers to try again, without losing the address.

import { Failure } from '@capstan/client/failure';
import { Button } from '@cloudflare/kumo/components/button';
import { type ErrorComponentProps, useRouter } from '@tanstack/react-router';
import { Logo } from '../ui/logo.tsx';
import { FailureNotice } from '../ui/notice.tsx';
import { useTitle } from '../ui/title.ts';

export function FailurePage({ error, reset }: ErrorComponentProps) {
  useTitle('Something went wrong');
  const router = useRouter();
  const retry = () => {
    reset();
    void router.invalidate();
  };
  return (
    <main className="flex min-h-full flex-col items-center justify-center gap-5 px-4 py-12">
      <Logo className="size-10" />
      <h1 className="text-xl font-semibold text-kumo-strong">
        {error instanceof Failure ? 'This page could not be loaded' : 'This page stopped working'}
      </h1>
      <div className="max-w-md">
        <FailureNotice error={error instanceof Error ? error : new Error(String(error))} />
      </div>
      <Button variant="primary" onClick={retry}>
        Try again
      </Button>
    </main>
  );
}
