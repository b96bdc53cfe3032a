// Sign-in: an API key, or the one-time link that the terminal prints.

import { Failure } from '@capstan/client/failure';
import { Button } from '@cloudflare/kumo/components/button';
import { Input } from '@cloudflare/kumo/components/input';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { type SubmitEvent, useEffect, useState } from 'react';
import { api } from '../api.ts';
import { Logo } from '../ui/logo.tsx';
import { FailureNotice } from '../ui/notice.tsx';
import { useTitle } from '../ui/title.ts';
import { arrivals, takeCode } from './login-link.ts';

type Credential = { api_key: string } | { code: string };
const route = getRouteApi('/login');

export function LoginPage() {
  useTitle('Sign in');
  const [key, setKey] = useState('');
  const login = useLogin();
  const { mutate } = login;

  useEffect(() => {
    const use = () => {
      const code = takeCode();
      if (code !== null) mutate({ code });
    };
    use();
    arrivals.addEventListener('change', use);
    return () => arrivals.removeEventListener('change', use);
  }, [mutate]);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (key.trim() !== '') mutate({ api_key: key.trim() });
  };

  return (
    <main className="flex min-h-full items-center justify-center px-4 py-12">
      <div className="w-full max-w-sm">
        <div className="mb-8 flex items-center gap-3">
          <Logo className="size-10" />
          <div>
            <h1 className="text-xl font-semibold tracking-tight text-kumo-strong">Sign in to Capstan</h1>
            <p className="text-kumo-subtle">{location.host}</p>
          </div>
        </div>
        <form onSubmit={submit} className="flex flex-col gap-4">
          <Input
            label="API key"
            type="password"
            size="lg"
            name="api_key"
            autoComplete="current-password"
            spellCheck={false}
            autoFocus
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
          {login.error !== null && <FailureNotice error={login.error} />}
          <Button
            type="submit"
            variant="primary"
            size="lg"
            className="w-full justify-center"
            loading={login.isPending}
          >
            {login.isPending && 'code' in login.variables ? 'Opening your link' : 'Sign in'}
          </Button>
        </form>
        <p className="mt-8 border-t border-kumo-hairline pt-4 text-sm text-kumo-subtle">
          Starting the platform prints an API key and a one-time sign-in link in the terminal. Opening that
          link signs you in without a key.
        </p>
      </div>
    </main>
  );
}

function useLogin() {
  const { next } = route.useSearch();
  const router = useRouter();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (credential: Credential) => signIn(credential),
    onSuccess: () => {
      queries.clear();
      router.history.replace(next ?? '/');
    },
  });
}

async function signIn(credential: Credential): Promise<void> {
  try {
    await api.consoleLogin.login({ body: credential });
  } catch (error) {
    if (!(error instanceof Failure) || error.status !== 401) throw error;
    throw new Error('code' in credential ? STALE_LINK : WRONG_KEY, { cause: error });
  }
}

const STALE_LINK =
  'This sign-in link has expired or was already used. Start the platform again for a new one, or use an API key.';
const WRONG_KEY =
  'This API key is not valid. Check that all of it was copied and that it belongs to this server.';
