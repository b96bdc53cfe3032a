import { expect, it } from 'vitest';
import { USAGE } from './scripted-harness.ts';
import { Machine } from './testing/machine.ts';

it('a session that rests says how its primary thread ended, with the details', () => {
  const machine = new Machine();
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  machine.begins();
  const refusal = { type: 'refusal' as const, category: 'bio' as const, explanation: 'no' };
  const entries = machine.step({ kind: 'reply', outputs: [], usage: USAGE, refusal });
  const stops = entries.filter(({ event }) => 'stop_reason' in event).map(({ event }) => event);
  const stop = { stop_reason: { type: 'refusal' }, stop_details: refusal };
  expect(stops).toMatchObject([
    { type: 'session.thread_status_idle', ...stop },
    { type: 'session.status_idle', ...stop },
  ]);
});
