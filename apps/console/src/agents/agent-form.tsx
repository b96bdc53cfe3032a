// Make an agent: what it is called, which model it asks, what it is told and what it may use.

import type { Agent } from '@capstan/schema/agents';
import { Button } from '@cloudflare/kumo/components/button';
import { Checkbox } from '@cloudflare/kumo/components/checkbox';
import { Input, InputArea } from '@cloudflare/kumo/components/input';
import { useMutation } from '@tanstack/react-query';
import { type SubmitEvent, useState } from 'react';
import { api } from '../api.ts';
import { FailureNotice } from '../ui/notice.tsx';
import { OFFERED, type Offered, POLICIES, type Policy, toToolset } from './tools.ts';

interface Props {
  onCreated: (agent: Agent) => void;
  onCancel?: (() => void) | undefined;
}

interface Draft {
  name: string;
  model: string;
  system: string;
  tools: Offered[];
  policy: Policy;
}

const BLANK: Draft = {
  name: 'Assistant',
  model: 'claude-sonnet-4-6',
  system: '',
  tools: OFFERED.map(({ name }) => name),
  policy: 'always_allow',
};

export function AgentForm({ onCreated, onCancel }: Props) {
  const [draft, setDraft] = useState(BLANK);
  const change = (part: Partial<Draft>) => setDraft((now) => ({ ...now, ...part }));
  const create = useMutation({ mutationFn: createAgent, onSuccess: onCreated });
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    create.mutate(draft);
  };
  return (
    <form
      onSubmit={submit}
      className="flex flex-col gap-5 rounded-xl bg-kumo-base p-4 ring ring-kumo-hairline sm:p-6"
    >
      <h2 className="text-lg font-semibold text-kumo-strong">New agent</h2>
      <div className="grid gap-5 sm:grid-cols-2">
        <Input
          label="Name"
          required
          maxLength={256}
          value={draft.name}
          onChange={(event) => change({ name: event.target.value })}
        />
        <Input
          label="Model"
          required
          maxLength={256}
          spellCheck={false}
          value={draft.model}
          onChange={(event) => change({ model: event.target.value })}
        />
      </div>
      <InputArea
        label="System prompt"
        required={false}
        rows={3}
        maxLength={100_000}
        placeholder="You are a careful engineer. Explain what you do."
        value={draft.system}
        onValueChange={(system) => change({ system })}
        className="w-full"
      />
      <Tools draft={draft} change={change} />
      {draft.tools.length > 0 && <Policies value={draft.policy} onChange={(policy) => change({ policy })} />}
      {create.error !== null && <FailureNotice error={create.error} />}
      <div className="flex gap-2">
        <Button type="submit" variant="primary" loading={create.isPending}>
          Create agent
        </Button>
        {onCancel !== undefined && (
          <Button variant="ghost" onClick={onCancel}>
            Cancel
          </Button>
        )}
      </div>
    </form>
  );
}

function Tools({ draft, change }: { draft: Draft; change: (part: Partial<Draft>) => void }) {
  const toggle = (name: Offered, on: boolean) =>
    change({
      tools: OFFERED.map((tool) => tool.name).filter((n) => (n === name ? on : draft.tools.includes(n))),
    });
  return (
    <fieldset>
      <legend className="mb-2 font-medium text-kumo-default">Tools in the sandbox</legend>
      <div className="grid grid-cols-2 gap-x-4 gap-y-2.5 sm:grid-cols-3">
        {OFFERED.map(({ name, what }) => (
          <Checkbox
            key={name}
            label={
              <span>
                <span className="font-mono text-sm">{name}</span>
                <span className="block text-xs text-kumo-subtle">{what}</span>
              </span>
            }
            checked={draft.tools.includes(name)}
            onCheckedChange={(on) => toggle(name, on)}
          />
        ))}
      </div>
    </fieldset>
  );
}

function Policies({ value, onChange }: { value: Policy; onChange: (policy: Policy) => void }) {
  return (
    <fieldset>
      <legend className="mb-2 font-medium text-kumo-default">When it calls a tool</legend>
      <div className="grid gap-x-4 gap-y-2.5 sm:grid-cols-3">
        {POLICIES.map(({ type, label, what }) => (
          <label key={type} className="flex cursor-pointer items-start gap-2">
            <input
              type="radio"
              name="policy"
              className="mt-0.5 size-4 shrink-0 accent-accent"
              checked={type === value}
              onChange={() => onChange(type)}
            />
            <span>
              <span className="block text-kumo-strong">{label}</span>
              <span className="block text-xs text-kumo-subtle">{what}</span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function createAgent({ name, model, system, tools, policy }: Draft): Promise<Agent> {
  return api.agents.create({
    body: {
      name: name.trim(),
      model: model.trim(),
      system: system.trim() || null,
      tools: toToolset(tools, policy),
    },
  });
}
