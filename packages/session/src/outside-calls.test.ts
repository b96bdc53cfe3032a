import { describe, expect, it } from 'vitest';
import { expose, prewarm } from './outside-calls.ts';
import { ScriptedHarness } from './scripted-harness.ts';
import { initialState, type State } from './state.ts';

const idle = initialState({ threadId: 'sthr_1', name: 'Agent', createdAt: 0 });
const over: State = { ...idle, status: 'terminated' };

describe('a port of the sandbox', () => {
  it('is reached while a sandbox runs, and never once the session is over', async () => {
    const harness = Object.assign(new ScriptedHarness(), { held: true });
    expect(await expose(idle, harness, 3000)).toEqual({ url: 'http://sandbox.test:3000', headers: {} });
    await expect(expose(over, harness, 3000)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is refused while none runs', async () => {
    await expect(expose(idle, new ScriptedHarness(), 3000)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('next tool call'),
    });
  });
});

describe('prewarming', () => {
  it('is for sessions that are not over', () => {
    const harness = new ScriptedHarness();
    prewarm(idle, harness);
    expect(() => prewarm(over, harness)).toThrow(expect.objectContaining({ code: 'conflict' }));
    expect(harness.warmed).toBe(1);
  });
});
