import { ApiError } from '@capstan/schema/error';
import { ScriptedHarness } from '@capstan/session/scripted-harness';
import { describe, expect, it } from 'vitest';
import { lateHarness } from './late-harness.ts';

describe('a harness made late', () => {
  it('is made once, by the first turn', () => {
    let made = 0;
    const harness = lateHarness(() => {
      made += 1;
      return new ScriptedHarness();
    });
    expect(made).toBe(0);
    harness.choose({ id: 'a' });
    harness.prepare('bash');
    expect(made).toBe(1);
  });

  it('ends the turn with what is not configured, and is tried again by the next', () => {
    let configured = false;
    const harness = lateHarness(() => {
      if (!configured) throw new ApiError('unavailable', 'GATEWAY_URL is not set');
      return new ScriptedHarness();
    });
    expect(() => harness.choose({ id: 'a' })).toThrow(
      expect.objectContaining({ name: 'ModelFailure', retryable: false, message: 'GATEWAY_URL is not set' }),
    );
    configured = true;
    expect(harness.choose({ id: 'a' })).toMatchObject({ model: 'a' });
  });
});
