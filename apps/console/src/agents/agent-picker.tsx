// One of the tenant's agents.

import type { Agent } from '@capstan/schema/agents';
import { Button } from '@cloudflare/kumo/components/button';
import { PlusIcon } from '@phosphor-icons/react';
import { toolNames } from './tools.ts';

interface Props {
  agents: Agent[];
  value: Agent;
  onChange: (agent: Agent) => void;
  onCreate: () => void;
}

export function AgentPicker({ agents, value, onChange, onCreate }: Props) {
  return (
    <fieldset>
      <div className="mb-2 flex items-center justify-between">
        <legend className="float-left font-medium text-kumo-default">Agent</legend>
        <Button size="sm" variant="ghost" icon={<PlusIcon />} onClick={onCreate}>
          New agent
        </Button>
      </div>
      <div className="max-h-80 divide-y divide-kumo-hairline overflow-y-auto rounded-xl bg-kumo-base ring ring-kumo-hairline">
        {agents.map((agent) => (
          <label
            key={agent.id}
            className="flex cursor-pointer items-start gap-3 px-4 py-3 hover:bg-kumo-tint/60 has-checked:bg-accent-tint has-focus-visible:outline-2 has-focus-visible:-outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="agent"
              className="mt-1 size-4 shrink-0 accent-accent outline-none"
              checked={agent.id === value.id}
              onChange={() => onChange(agent)}
            />
            <span className="min-w-0">
              <span className="block truncate font-medium text-kumo-strong">{agent.name}</span>
              <span className="block text-sm break-words text-kumo-subtle">
                {[agent.model.id, toolNames(agent).join(', ') || 'no tools'].join(' · ')}
              </span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
