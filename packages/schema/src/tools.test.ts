import { describe, expect, it } from 'vitest';
import { customToolParam, ENGINE_TOOL_NAMES } from './tools.ts';

describe('a custom tool', () => {
  const named = (name: string) =>
    customToolParam.safeParse({ type: 'custom', name, description: 'd', input_schema: { type: 'object' } });

  it('has a name of its own', () => {
    expect(named('weather').success).toBe(true);
    expect(named('delegate_work').success).toBe(true);
  });

  it('cannot have the name of a tool of the engine', () => {
    for (const name of ENGINE_TOOL_NAMES) {
      expect(named(name).error?.issues[0]).toMatchObject({
        path: ['name'],
        message: expect.stringContaining('choose another'),
      });
    }
  });
});
