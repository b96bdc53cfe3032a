import { describe, expect, it } from 'vitest';
import { toolSchemas } from '../models/tool-schemas.ts';
import { agentOf, callOf } from '../testing.ts';
import { onOwnMachine, SANDBOX_TOOLS } from './definitions.ts';

describe('the tools of a machine of the user’s own', () => {
  it('are each offered once, and none speaks of a sandbox or its directories', () => {
    const offered = toolSchemas(onOwnMachine(callOf({ agent: agentOf({ id: 'm' }), context: [] })));
    expect(offered.map(({ name }) => name).toSorted()).toEqual(SANDBOX_TOOLS.toSorted());
    expect(JSON.stringify(offered)).not.toMatch(/sandbox|\/workspace|\/mnt/);
  });

  it('are those that the agent has, and none where only the engine’s are offered', () => {
    const none = callOf({ agent: agentOf({ id: 'm' }, { tools: [] }), context: [] });
    expect(onOwnMachine(none).tools).toEqual([]);
    const summary = { ...callOf({ agent: agentOf({ id: 'm' }), context: [] }), builtIn: false };
    expect(onOwnMachine(summary).tools).toEqual([]);
  });
});
