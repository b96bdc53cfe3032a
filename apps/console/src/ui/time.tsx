// An instant as people say it, with the exact time on hover; it ages while the page is open.
import { useSyncExternalStore } from 'react';

const TICK_MS = 20_000;
const UNITS = [
  { unit: 'year', seconds: 31_536_000 },
  { unit: 'month', seconds: 2_592_000 },
  { unit: 'day', seconds: 86_400 },
  { unit: 'hour', seconds: 3600 },
  { unit: 'minute', seconds: 60 },
] as const;
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });

export function Ago({ at, className }: { at: string; className?: string }) {
  const now = useSyncExternalStore(subscribe, () => Math.floor(Date.now() / TICK_MS) * TICK_MS);
  return (
    <time dateTime={at} title={exact.format(new Date(at))} className={className}>
      {ago(Date.parse(at), now)}
    </time>
  );
}

export function Clock({ at, className }: { at: string; className?: string }) {
  const date = new Date(at);
  return (
    <time dateTime={at} title={exact.format(date)} className={className}>
      {clock.format(date)}
    </time>
  );
}

export function ago(at: number, now: number): string {
  const seconds = (now - at) / 1000;
  const fitting = UNITS.find((unit) => seconds >= unit.seconds);
  if (fitting === undefined) return 'just now';
  return relative.format(-Math.floor(seconds / fitting.seconds), fitting.unit);
}

function subscribe(listener: () => void): () => void {
  const timer = setInterval(listener, TICK_MS);
  return () => clearInterval(timer);
}
