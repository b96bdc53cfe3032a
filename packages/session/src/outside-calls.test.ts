import { describe, expect, it } from 'vitest';
import { expose, place, prewarm, work } from './outside-calls.ts';
import { ScriptedHarness } from './scripted-harness.ts';
import { initialState, type State } from './state.ts';

const idle = initialState({ threadId: 'sthr_1', name: 'Agent', createdAt: 0 });
const over: State = { ...idle, status: 'terminated' };
const tooLate = { code: 'conflict', message: expect.stringContaining('is over') };

describe('a port of the sandbox', () => {
  it('is reached while a sandbox runs, and never once the session is over', async () => {
    const harness = Object.assign(new ScriptedHarness(), { held: true });
    expect(await expose(idle, harness, 3000)).toEqual({ url: 'http://sandbox.test:3000', headers: {} });
    await expect(expose(over, harness, 3000)).rejects.toMatchObject(tooLate);
  });

  it('is refused while none runs', async () => {
    await expect(expose(idle, new ScriptedHarness(), 3000)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('next tool call'),
    });
  });
});

describe('work in the sandbox', () => {
  it('makes it, and is refused once the session is over', async () => {
    const harness = new ScriptedHarness();
    await expect(place(idle, harness)).rejects.toMatchObject({ code: 'conflict' });
    expect(await work(idle, harness, async (sandboxId) => `in ${sandboxId}`)).toBe('in sb-scripted');
    expect(await place(idle, harness)).toBe('sb-scripted');
    await expect(work(over, harness, async () => 'done')).rejects.toMatchObject(tooLate);
    await expect(place(over, harness)).rejects.toMatchObject(tooLate);
  });
});

describe('prewarming', () => {
  it('is for sessions that are not over', () => {
    const harness = new ScriptedHarness();
    prewarm(idle, harness);
    expect(() => prewarm(over, harness)).toThrow(expect.objectContaining(tooLate));
    expect(harness.warmed).toBe(1);
  });
});
