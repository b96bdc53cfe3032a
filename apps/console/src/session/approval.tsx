// Allow or deny a tool call; a reason given with a denial reaches the agent.
import { Button } from '@cloudflare/kumo/components/button';
import { Input } from '@cloudflare/kumo/components/input';
import { useMutation } from '@tanstack/react-query';
import { type SubmitEvent, useState } from 'react';
import { FailureNotice } from '../ui/notice.tsx';
import type { LiveSession } from './live-session.ts';

interface Decision {
  result: 'allow' | 'deny';
  reason?: string;
}

export function Approval({ session, useId }: { session: LiveSession; useId: string }) {
  const [denying, setDenying] = useState(false);
  const [reason, setReason] = useState('');
  const decide = useMutation({
    mutationFn: ({ result, reason }: Decision) =>
      session.send({
        type: 'user.tool_confirmation',
        tool_use_id: useId,
        result,
        ...(reason ? { deny_message: reason } : {}),
      }),
  });
  const deny = (event: SubmitEvent) => {
    event.preventDefault();
    decide.mutate({ result: 'deny', reason: reason.trim() });
  };
  return (
    <div className="flex flex-col gap-2">
      {decide.error !== null && <FailureNotice error={decide.error} />}
      {denying ? (
        <form onSubmit={deny} className="flex flex-wrap items-end gap-2">
          <div className="min-w-48 flex-1">
            <Input
              label="Reason for the agent"
              required={false}
              maxLength={10_000}
              autoFocus
              value={reason}
              onChange={(event) => setReason(event.target.value)}
            />
          </div>
          <Button type="submit" variant="destructive" loading={decide.isPending}>
            Deny
          </Button>
          <Button variant="ghost" onClick={() => setDenying(false)}>
            Back
          </Button>
        </form>
      ) : (
        <div className="flex flex-wrap items-center gap-2">
          <Button
            variant="primary"
            loading={decide.isPending}
            onClick={() => decide.mutate({ result: 'allow' })}
          >
            Allow
          </Button>
          <Button disabled={decide.isPending} onClick={() => setDenying(true)}>
            Deny…
          </Button>
          <span className="text-sm text-kumo-subtle">The agent waits until you decide.</span>
        </div>
      )}
    </div>
  );
}
