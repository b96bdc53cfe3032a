// The answer to a custom tool, given by hand.
import { Button } from '@cloudflare/kumo/components/button';
import { InputArea } from '@cloudflare/kumo/components/input';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { FailureNotice } from '../ui/notice.tsx';
import type { LiveSession } from './live-session.ts';

export function CustomResult({ session, useId }: { session: LiveSession; useId: string }) {
  const [text, setText] = useState('');
  const answer = useMutation({
    mutationFn: (failed: boolean) =>
      session.send({
        type: 'user.custom_tool_result',
        custom_tool_use_id: useId,
        content: text === '' ? [] : [{ type: 'text', text }],
        is_error: failed,
      }),
  });
  return (
    <div className="flex flex-col gap-2">
      <InputArea
        label="Result of this tool"
        description="The agent waits for it. A program using the API can answer as well."
        rows={3}
        value={text}
        onValueChange={setText}
        className="w-full font-mono text-xs"
      />
      {answer.error !== null && <FailureNotice error={answer.error} />}
      <div className="flex flex-wrap gap-2">
        <Button variant="primary" loading={answer.isPending} onClick={() => answer.mutate(false)}>
          Send result
        </Button>
        <Button
          variant="secondary-destructive"
          disabled={answer.isPending}
          onClick={() => answer.mutate(true)}
        >
          Send as error
        </Button>
      </div>
    </div>
  );
}
