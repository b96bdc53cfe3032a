import { describe, expect, it } from 'vitest';
import { assertTurnOrder } from './event-order.ts';

const START = ['user.message', 'session.status_running', 'session.thread_status_running'];
const SAID = ['span.model_request_start', 'agent.message', 'span.model_request_end'];
const RAN = ['span.model_request_start', 'agent.tool_use', 'span.model_request_end', 'agent.tool_result'];
const END = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];

describe('the order of a turn', () => {
  it('holds for an answer, and for tools before it', () => {
    assertTurnOrder([...START, ...SAID, ...END]);
    assertTurnOrder([...START, ...RAN, ...RAN, ...SAID, ...END]);
  });

  it.each([
    ['nothing', []],
    ['no model request', [...START, ...END]],
    [
      'the result before the end of the request',
      [...START, ...RAN.toSpliced(2, 2, 'agent.tool_result', 'span.model_request_end'), ...END],
    ],
    ['usage missing before idle', [...START, ...SAID, 'session.thread_status_idle', 'session.status_idle']],
    ['a turn without an end', [...START, ...SAID]],
    ['something after the end', [...START, ...SAID, ...END, 'agent.message']],
  ])('is broken by %s', (_what, types) => {
    expect(() => assertTurnOrder(types)).toThrow('events out of order');
  });
});
