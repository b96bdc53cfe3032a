// A session's status: one dot, one word.
import type { StopReason } from '@capstan/schema/events/session-events';
import type { SessionStatus } from '@capstan/schema/sessions';

interface Look {
  label: string;
  dot: string;
}

const LOOKS: { [S in SessionStatus]: Look } = {
  running: { label: 'Running', dot: 'bg-accent animate-breathe' },
  idle: { label: 'Idle', dot: 'bg-kumo-interact' },
  rescheduling: { label: 'Retrying', dot: 'bg-kumo-warning animate-breathe' },
  terminated: { label: 'Ended', dot: 'bg-transparent ring-[1.5px] ring-inset ring-kumo-interact' },
};
const WAITING: Look = { label: 'Waiting for you', dot: 'bg-kumo-warning' };

export function Status({
  status,
  stopReason,
}: {
  status: SessionStatus;
  stopReason?: StopReason | undefined;
}) {
  const look = status === 'idle' && stopReason?.type === 'requires_action' ? WAITING : LOOKS[status];
  return (
    <span className="inline-flex items-center gap-2 whitespace-nowrap text-sm text-kumo-default">
      <span className={`size-2 rounded-full ${look.dot}`} aria-hidden="true" />
      {look.label}
    </span>
  );
}
