// Start a session: which agent, and what to say first.

import type { Agent } from '@capstan/schema/agents';
import { Button } from '@cloudflare/kumo/components/button';
import { Input, InputArea } from '@cloudflare/kumo/components/input';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type SubmitEvent, useState } from 'react';
import { AgentForm } from '../agents/agent-form.tsx';
import { AgentPicker } from '../agents/agent-picker.tsx';
import { api } from '../api.ts';
import { agents } from '../queries.ts';
import { FailureNotice } from '../ui/notice.tsx';
import { Page } from '../ui/page.tsx';
import { type Beginning, SessionStart } from './session-start.ts';

export function NewSessionPage() {
  const query = useQuery(agents);
  const [chosen, choose] = useState<Agent | null>(null);
  const [creating, setCreating] = useState(false);
  const queries = useQueryClient();
  const known = query.data?.data ?? [];
  const agent = chosen ?? known[0] ?? null;
  const created = (made: Agent) => {
    choose(made);
    setCreating(false);
    void queries.invalidateQueries({ queryKey: agents.queryKey });
  };
  const listed = chosen === null || known.some(({ id }) => id === chosen.id) ? known : [chosen, ...known];
  return (
    <Page title="New session" lead="Choose who works on it and say what it is about.">
      <div className="flex max-w-2xl flex-col gap-6">
        {query.error !== null && <FailureNotice error={query.error} />}
        {query.isSuccess && (creating || agent === null) && (
          <AgentForm onCreated={created} onCancel={agent === null ? undefined : () => setCreating(false)} />
        )}
        {agent !== null && !creating && (
          <>
            <AgentPicker agents={listed} value={agent} onChange={choose} onCreate={() => setCreating(true)} />
            <SessionForm agent={agent} />
          </>
        )}
      </div>
    </Page>
  );
}

function SessionForm({ agent }: { agent: Agent }) {
  const [title, setTitle] = useState('');
  const [message, setMessage] = useState('');
  const start = useStart();
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    start.mutate({ agentId: agent.id, title: title.trim(), message: message.trim() });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-5">
      <InputArea
        label="First message"
        required={false}
        rows={4}
        placeholder="Run: uname -a"
        value={message}
        onValueChange={setMessage}
        className="w-full"
      />
      <Input
        label="Title"
        required={false}
        maxLength={512}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
      />
      {start.error !== null && <FailureNotice error={start.error} />}
      <div>
        <Button type="submit" variant="primary" loading={start.isPending}>
          Start session
        </Button>
      </div>
    </form>
  );
}

function useStart() {
  const [start] = useState(() => new SessionStart(api));
  const navigate = useNavigate();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (beginning: Beginning) => start.begin(beginning),
    onSuccess: (session) => {
      void queries.invalidateQueries({ queryKey: ['sessions'] });
      void navigate({ to: '/sessions/$sessionId', params: { sessionId: session.id } });
    },
  });
}
