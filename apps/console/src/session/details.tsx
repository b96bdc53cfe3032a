// The facts of a session beside its timeline.
import type { Isolation } from '@capstan/schema/isolation';
import type { Session } from '@capstan/schema/sessions';
import { useSuspenseQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { toolNames } from '../agents/tools.ts';
import { me } from '../queries.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import { Ago } from '../ui/time.tsx';
import type { Answerer, Timeline } from './timeline.ts';

export function Details({ session, timeline }: { session: Session; timeline: Timeline }) {
  const usage = timeline.usage ?? session.usage;
  const cached = usage.cache_read_input_tokens;
  const { answerer } = timeline;
  return (
    <dl className="grid grid-cols-2 gap-x-4 gap-y-4 p-4 text-sm sm:px-6 xl:grid-cols-1 xl:px-5 xl:py-5">
      <Fact name="Agent">
        {session.agent.name} <span className="text-kumo-subtle">v{session.agent.version}</span>
      </Fact>
      <Fact name="Model">
        {session.agent.model.id}
        <AnsweredBy answerer={answerer} asked={session.agent.model.id} />
      </Fact>
      <Fact name="Tools">{toolNames(session.agent).join(', ') || 'none'}</Fact>
      <Fact name="Tokens">
        {count(usage.input_tokens)} in · {count(usage.output_tokens)} out
        {cached > 0 && <span className="block text-kumo-subtle">{count(cached)} read from cache</span>}
      </Fact>
      <Fact name="Sandbox">
        <SandboxIsolation />
      </Fact>
      {usage.list_cost && <Fact name="List price">${usage.list_cost.amount}</Fact>}
      <Fact name="Working time">{duration(usage.active_seconds)}</Fact>
      <Fact name="Started">
        <Ago at={session.created_at} />
      </Fact>
      <div className="col-span-full">
        <dt className="mb-0.5 flex items-center justify-between text-xs text-kumo-subtle">
          Session id <CopyButton text={session.id} />
        </dt>
        <dd className="font-mono text-xs break-all text-kumo-default">{session.id}</dd>
      </div>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="mb-0.5 text-xs text-kumo-subtle">{name}</dt>
      <dd className="break-words text-kumo-default">{children}</dd>
    </div>
  );
}

const ISOLATION: Record<Isolation, string> = {
  none: 'not isolated: one trusted tenant only',
  process: 'separate processes',
  container: 'container on a shared kernel',
  gvisor: 'gVisor',
};

function SandboxIsolation() {
  const { sandbox_isolation: level } = useSuspenseQuery(me).data;
  if (level === null) return 'cannot be reached';
  return <span className={level === 'none' ? 'text-kumo-warning' : ''}>{ISOLATION[level]}</span>;
}

function AnsweredBy({ answerer, asked }: { answerer: Answerer | undefined; asked: string }) {
  if (answerer === undefined) return null;
  if (answerer.provider !== 'dev' && answerer.model === asked) return null;
  const by = answerer.provider === 'dev' ? 'the development model' : answerer.model;
  return <span className="block text-kumo-subtle">answered by {by}</span>;
}

function count(tokens: number): string {
  return tokens.toLocaleString('en');
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
