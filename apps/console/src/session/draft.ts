// The message being written. It stays until the server is known to have it, and it is not sent twice:
// a repeated press carries the same idempotency key, another text another one, and when the line broke before the answer,
// the event arriving on the stream counts as the answer.

import { Failure } from '@capstan/client/failure';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { randomKey } from '../api.ts';
import type { Live } from './session.ts';

interface Draft {
  text: string;
  change: (next: string) => void;
  send: () => void;
  sending: boolean;
  error: Error | null;
}

const NOTHING_SENT = { text: '', key: '' };

export function useDraft(live: Live): Draft {
  const [text, setText] = useState('');
  const attempt = useRef(NOTHING_SENT);
  const seen = useRef<ReadonlySet<string>>(new Set());
  const { items } = live.timeline;
  const { mutate, reset, error, isPending } = useMutation({
    mutationFn: (message: string) =>
      live.session.send(
        { type: 'user.message', content: [{ type: 'text', text: message }] },
        attempt.current.key,
      ),
    onSuccess: () => {
      setText('');
      attempt.current = NOTHING_SENT;
    },
  });

  const unanswered = error instanceof Failure && error.status === 0;
  useEffect(() => {
    if (!unanswered) return;
    const arrived = items.some(
      (item) => item.kind === 'user' && !seen.current.has(item.key) && textOf(item.event) === text,
    );
    if (!arrived) return;
    reset();
    setText('');
    attempt.current = NOTHING_SENT;
  }, [unanswered, items, text, reset]);

  return {
    text,
    change: setText,
    send: () => {
      if (text.trim() === '' || isPending) return;
      if (attempt.current.text !== text) attempt.current = { text, key: randomKey() };
      seen.current = new Set(items.map((item) => item.key));
      mutate(text);
    },
    sending: isPending,
    error,
  };
}

function textOf(event: { content: readonly { type: string; text?: string }[] }): string {
  return event.content.map((block) => block.text ?? '').join('');
}
