// The items of a timeline, in order.

import type { EventOf } from '@capstan/schema/events';
import { BrainIcon, FlaskIcon, WarningCircleIcon } from '@phosphor-icons/react';
import { memo } from 'react';
import { Clock } from '../ui/time.tsx';
import { Prose } from './prose.tsx';
import type { Live } from './session.ts';
import type { Answerer, Item } from './timeline.ts';
import { ToolCall } from './tool-call.tsx';

export function Transcript({ live }: { live: Live }) {
  const { items } = live.timeline;
  if (live.loaded && items.length === 0) {
    return (
      <p className="py-16 text-center text-kumo-subtle">
        Nothing has been said yet. Write the first message below.
      </p>
    );
  }
  return (
    <>
      <ol className="flex flex-col gap-4">
        {items.map((item) => (
          <li key={item.key} className="min-w-0">
            <Entry item={item} live={live} />
          </li>
        ))}
      </ol>
      <Working live={live} />
    </>
  );
}

function Entry({ item, live }: { item: Item; live: Live }) {
  switch (item.kind) {
    case 'user':
      return <UserMessage event={item.event} />;
    case 'agent':
      return <AgentMessage text={item.text} live={item.live} at={item.at} answerer={item.answerer} />;
    case 'thinking':
      return <Thinking live={item.live} />;
    case 'tool':
      return (
        <ToolCall
          session={live.session}
          use={item.use}
          result={item.result}
          confirmation={item.confirmation}
          awaiting={item.awaiting}
        />
      );
    case 'error':
      return <SessionError event={item.event} />;
    case 'note':
      return <Note text={item.text} at={item.at} />;
  }
}

const UserMessage = memo(function UserMessage({ event }: { event: EventOf<'user.message'> }) {
  return (
    <div className="flex flex-col items-end gap-1 pl-8 sm:pl-16">
      <div className="max-w-full rounded-2xl rounded-br-md bg-accent-tint px-4 py-2.5 break-words whitespace-pre-wrap text-kumo-default">
        {event.content.map((block) => (block.type === 'text' ? block.text : `[${block.type}]`)).join('\n')}
      </div>
      <span className="text-xs text-kumo-subtle">
        {event.processed_at === null ? 'Queued' : <Clock at={event.processed_at} />}
      </span>
    </div>
  );
});

interface AgentMessageProps {
  text: string;
  live: boolean;
  at: string | null;
  answerer: Answerer | undefined;
}

const AgentMessage = memo(function AgentMessage({ text, live, at, answerer }: AgentMessageProps) {
  return (
    <div className="flex flex-col gap-1.5" data-live={live || undefined}>
      <Prose text={text} live={live} />
      <span className="flex flex-wrap items-center gap-x-2 text-xs text-kumo-subtle">
        {at !== null && <Clock at={at} />}
        {answerer?.provider === 'dev' && (
          <span className="inline-flex items-center gap-1">
            <FlaskIcon weight="fill" className="size-3 text-accent" /> development model
          </span>
        )}
      </span>
    </div>
  );
});

function Thinking({ live }: { live: boolean }) {
  return (
    <p className={`flex items-center gap-2 text-sm text-kumo-subtle ${live ? 'animate-breathe' : ''}`}>
      <BrainIcon className="size-4" /> {live ? 'Thinking…' : 'Thought about it'}
    </p>
  );
}

const RETRY = {
  retrying: 'The turn is tried again by itself.',
  exhausted: 'The agent gave this turn up. Send a message to go on.',
  terminal: 'The session cannot go on.',
} as const;

const SessionError = memo(function SessionError({ event }: { event: EventOf<'session.error'> }) {
  const { error } = event;
  const passing = error.retry_status.type === 'retrying';
  const tone = passing ? 'text-kumo-warning' : 'text-kumo-danger';
  return (
    <div
      className={`flex gap-3 rounded-xl px-4 py-3 ${passing ? 'bg-kumo-warning-tint' : 'bg-kumo-danger-tint'}`}
    >
      <WarningCircleIcon weight="fill" className={`mt-0.5 size-4 shrink-0 ${tone}`} />
      <div className="min-w-0">
        <p className={`font-medium ${tone}`}>{sentence(error.type)}</p>
        <p className="break-words whitespace-pre-wrap text-kumo-default">{error.message}</p>
        <p className="mt-1 text-sm text-kumo-subtle">{RETRY[error.retry_status.type]}</p>
      </div>
    </div>
  );
});

function sentence(type: string): string {
  if (type === 'unknown_error') return 'Something went wrong';
  const words = type.replace(/_error$/, '').replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const Note = memo(function Note({ text, at }: { text: string; at: string | null }) {
  return (
    <p className="flex items-center gap-3 text-center text-xs text-kumo-subtle before:h-px before:flex-1 before:bg-kumo-hairline after:h-px after:flex-1 after:bg-kumo-hairline">
      <span className="max-w-[80%] break-words">
        {text}
        {at !== null && (
          <>
            {' · '}
            <Clock at={at} />
          </>
        )}
      </span>
    </p>
  );
});

/** Shown while the agent works and nothing on the page moves by itself. */
function Working({ live }: { live: Live }) {
  const last = live.timeline.items.at(-1);
  const moving = last !== undefined && (last.kind === 'agent' || last.kind === 'thinking') && last.live;
  const tool = last?.kind === 'tool' && last.result === undefined;
  if (live.timeline.status !== 'running' || moving || tool) return null;
  return (
    <p role="status" className="mt-4 flex items-center gap-2 text-sm text-kumo-subtle">
      <span className="size-2 animate-breathe rounded-full bg-accent" aria-hidden="true" /> Working…
    </p>
  );
}
