import { describe, expect, it } from 'vitest';
import { accept } from './accept.ts';
import { withRequests } from './requests.ts';
import { PRICE, USAGE } from './scripted-harness.ts';
import { CHOICE, Machine, typesOf } from './testing/machine.ts';
import { tokensOf } from './text-size.ts';

const hello = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'hello' }] };
const priced = { ...CHOICE, price: PRICE };

/** A message that is sent to the machine, with the requests it makes due. */
function sent(machine: Machine, choose: Parameters<typeof withRequests>[2]) {
  const context = machine.context();
  return machine.live([...withRequests(context, accept([hello], context).entries, choose)]);
}

describe('a request that is begun with what makes it due', () => {
  it('names who answers, and sets aside what its context was measured to be, with what has come to it', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([{ type: 'message', id: 'sevt_m', text: 'hi' }], machine.primary, {
      ...USAGE,
      input_tokens: 4_998,
    });
    expect(machine.primary.contextTokens).toBe(5_000);
    const start = sent(machine, () => priced).at(-1);
    expect(start?.event).toMatchObject({
      type: 'span.model_request_start',
      capstan: { provider: 'openai', model: 'real' },
    });
    const input = 5_000 + tokensOf(JSON.stringify(hello.content[0]).length);
    const tokens = input + CHOICE.maxOutputTokens;
    const nanoUsd = input * PRICE.cacheWrite + CHOICE.maxOutputTokens * PRICE.output;
    expect(start?.note).toMatchObject({ span: { price: PRICE, reserved: { tokens, input, nanoUsd } } });
    expect(machine.primary.openSpan).toMatchObject({ provider: 'openai', price: PRICE });
  });

  it('takes the input that is due', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.begins();
    machine.send(hello);
    const context = machine.context();
    const reply = { outputs: [{ type: 'message' as const, id: 'sevt_m', text: 'hi' }], usage: USAGE };
    const end = machine.step({ kind: 'reply', ...reply, refusal: null });
    const entries = withRequests(context, end, () => priced);
    expect(typesOf(entries).slice(-2)).toEqual(['user.message', 'span.model_request_start']);
  });

  it('waits for its turn when there is a budget, when nobody answers, or while one is under way', () => {
    const budgeted = new Machine({ budget: { type: 'limit', max_tokens: 9_000 } });
    expect(typesOf(sent(budgeted, () => priced))).not.toContain('span.model_request_start');
    expect(typesOf(sent(new Machine(), () => null))).not.toContain('span.model_request_start');
    const busy = new Machine();
    busy.send(hello);
    busy.begins();
    expect(typesOf(sent(busy, () => priced))).toEqual(['user.message']);
  });

  it('waits for the compaction of a context that is too long', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.begins();
    const context = machine.context();
    const entries = machine.step({ kind: 'too_long', message: 'too long' });
    expect(withRequests(context, entries, () => priced)).toBe(entries);
  });
});
