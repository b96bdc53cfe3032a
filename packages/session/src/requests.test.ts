import { describe, expect, it } from 'vitest';
import { accept } from './accept.ts';
import { OVERHEAD_TOKENS, sizeOfContent } from './content-size.ts';
import type { Entry } from './entry.ts';
import { withRequests } from './requests.ts';
import { PRICE, USAGE } from './scripted-harness.ts';
import { CHOICE, coordinator, Machine, typesOf } from './testing/machine.ts';
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
    const limits = { contextWindow: CHOICE.contextWindow, maxOutputTokens: CHOICE.maxOutputTokens };
    expect(start?.note).toMatchObject({
      span: { price: PRICE, reserved: { tokens, input, nanoUsd }, limits },
    });
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

describe('the context of a request that is begun with what makes it due', () => {
  const text = (length: number) => [{ type: 'text' as const, text: 'x'.repeat(length) }];
  const tokens = (...contents: ReturnType<typeof text>[]) =>
    tokensOf(contents.reduce((sum, content) => sum + sizeOfContent(content), 0));

  /** What its requests are taken to read, by thread; `primary` for the one that has no id in a note. */
  function inputsOf(entries: readonly Entry[]): Record<string, number | undefined> {
    const starts = entries.filter(({ event }) => event.type === 'span.model_request_start');
    return Object.fromEntries(
      starts.map(({ note }) => [note?.thread ?? 'primary', note?.span?.reserved.input]),
    );
  }

  it('has what was waiting, once, and not again what the agent said itself', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.begins();
    machine.send({ ...hello, content: text(4_000) });
    const outputs = [{ type: 'message' as const, id: 'sevt_m', text: 'y'.repeat(8_000) }];
    const context = machine.context();
    const entries = machine.step({ kind: 'reply', outputs, usage: USAGE, refusal: null });
    const begun = withRequests(context, entries, () => priced);
    expect(inputsOf(begun)).toEqual({ primary: OVERHEAD_TOKENS + tokens(text(4_000)) });
  });

  it('has results, and not yet what waits behind them', () => {
    const machine = new Machine();
    machine.send(hello);
    machine.replies([{ type: 'tool_call', id: 'sevt_c', name: 'ticket', input: {} }]);
    const context = machine.context();
    const result = { type: 'user.custom_tool_result' as const, custom_tool_use_id: 'sevt_c' };
    const sent = accept(
      [
        { ...result, content: text(2_000) },
        { ...hello, content: text(6_000) },
      ],
      context,
    );
    const begun = withRequests(context, sent.entries, () => priced);
    expect(inputsOf(begun)).toEqual({ primary: OVERHEAD_TOKENS + tokens(text(2_000)) });
  });

  it("is the thread's own", () => {
    const machine = new Machine(coordinator());
    machine.send(hello);
    const input = { agent: 'scout', message: 'z'.repeat(3_000) };
    machine.begins();
    const outputs = [
      { type: 'tool_call' as const, id: 'sevt_sent', name: 'delegate', input },
      { type: 'tool_call' as const, id: 'sevt_c', name: 'grep', input: {} },
    ];
    const context = machine.context();
    const entries = machine.step({ kind: 'reply', outputs, usage: USAGE, refusal: null });
    const { id } = machine.child();
    const begun = withRequests(context, entries, () => priced);
    const look = [{ type: 'text' as const, text: 'z'.repeat(3_000) }];
    expect(inputsOf(begun)[id]).toBe(OVERHEAD_TOKENS + tokens(look));
  });
});
