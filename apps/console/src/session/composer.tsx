// Where the person writes, stops the agent, and is told what waits for them.

import type { SessionStatus } from '@capstan/schema/sessions';
import { Button } from '@cloudflare/kumo/components/button';
import { ArrowUpIcon, HandPalmIcon, StopIcon } from '@phosphor-icons/react';
import { useMutation } from '@tanstack/react-query';
import type { KeyboardEvent, SubmitEvent } from 'react';
import { ButtonLink } from '../ui/button-link.tsx';
import { FailureNotice } from '../ui/notice.tsx';
import { useDraft } from './draft.ts';
import type { Live } from './session.ts';

interface Props {
  live: Live;
  status: SessionStatus;
  archived: boolean;
}

export function Composer({ live, status, archived }: Props) {
  return (
    <div className="border-t border-kumo-hairline bg-kumo-base pb-[env(safe-area-inset-bottom)]">
      <div className="mx-auto w-full max-w-3xl px-3 py-3 sm:px-6">
        {archived || status === 'terminated' ? (
          <div className="flex flex-wrap items-center justify-between gap-3 text-kumo-subtle">
            This session is {archived ? 'archived' : 'over'}: it can be read, not continued.
            <ButtonLink to="/sessions/new" variant="secondary">
              New session
            </ButtonLink>
          </div>
        ) : (
          <MessageBox live={live} busy={status === 'running' || status === 'rescheduling'} />
        )}
      </div>
    </div>
  );
}

function MessageBox({ live, busy }: { live: Live; busy: boolean }) {
  const draft = useDraft(live);
  const stop = useMutation({ mutationFn: () => live.session.send({ type: 'user.interrupt' }) });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    draft.send();
  };
  const keyDown = (event: KeyboardEvent) => {
    if (!sends(event)) return;
    event.preventDefault();
    draft.send();
  };
  const error = draft.error ?? stop.error;
  return (
    <form onSubmit={submit} className="flex flex-col gap-2">
      {live.timeline.awaiting.length > 0 && <Waiting uses={live.timeline.awaiting} />}
      {error !== null && <FailureNotice error={error} />}
      <div className="flex items-end gap-2 rounded-2xl bg-kumo-control p-1.5 pl-4 ring ring-kumo-line focus-within:ring-2 focus-within:ring-accent">
        <textarea
          aria-label="Message"
          placeholder={
            busy ? 'Write ahead: it is taken up when the agent next listens' : 'Write to the agent'
          }
          rows={1}
          value={draft.text}
          onChange={(event) => draft.change(event.target.value)}
          onKeyDown={keyDown}
          className="field-sizing-content max-h-48 min-h-9 min-w-0 flex-1 resize-none bg-transparent py-1.5 text-lg outline-none placeholder:text-kumo-placeholder sm:text-base"
        />
        {busy && (
          <Button
            shape="circle"
            aria-label="Stop the agent"
            title="Stop the agent"
            icon={<StopIcon weight="fill" />}
            loading={stop.isPending}
            onClick={() => stop.mutate()}
          />
        )}
        <Button
          type="submit"
          variant="primary"
          shape="circle"
          aria-label="Send"
          icon={<ArrowUpIcon weight="bold" />}
          loading={draft.sending}
          disabled={draft.text.trim() === ''}
        />
      </div>
    </form>
  );
}

function Waiting({ uses }: { uses: Live['timeline']['awaiting'] }) {
  const first = uses[0];
  if (first === undefined) return null;
  const show = () =>
    document.getElementById(first.id)?.scrollIntoView({ block: 'center', behavior: 'smooth' });
  return (
    <div role="status" className="flex items-center gap-2 text-sm text-kumo-default">
      <HandPalmIcon weight="fill" className="size-4 text-kumo-warning" />
      <span className="flex-1">
        {uses.length === 1
          ? `The agent waits for you: ${first.name}`
          : `${uses.length} tool calls wait for you`}
      </span>
      <Button size="sm" variant="ghost" onClick={show}>
        Show
      </Button>
    </div>
  );
}

/** Enter sends where there is a real keyboard; on touch it makes a line, as people expect there. */
function sends(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || event.nativeEvent.isComposing) return false;
  if (event.metaKey || event.ctrlKey) return true;
  return !event.shiftKey && !matchMedia('(pointer: coarse)').matches;
}
