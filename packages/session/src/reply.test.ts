import { describe, expect, it } from 'vitest';
import type { IdentifiedOutput } from './reply.ts';
import { USAGE } from './scripted-harness.ts';
import { coordinator, Machine, typesOf } from './testing/machine.ts';

function running(): Machine {
  const machine = new Machine();
  machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
  return machine;
}

type Call = Extract<IdentifiedOutput, { type: 'tool_call' }>;

function call(name: string, change: Partial<Call> = {}): Call {
  return { type: 'tool_call', id: `sevt_${name}`, name, input: { a: 1 }, ...change };
}

describe('a reply', () => {
  it('has the ids that were announced, and ends the request that was begun', () => {
    const machine = running();
    const start = machine.begins().find(({ event }) => event.type === 'span.model_request_start');
    const outputs: IdentifiedOutput[] = [
      { type: 'thinking', id: 'sevt_t' },
      { type: 'message', id: 'sevt_m', text: 'words' },
    ];
    const entries = machine.step({ kind: 'reply', outputs, usage: USAGE, refusal: null });
    expect(entries.slice(0, 2).map(({ event }) => event.id)).toEqual(['sevt_t', 'sevt_m']);
    const end = { type: 'span.model_request_end', model_request_start_id: start?.event.id, is_error: false };
    expect(entries[2]?.event).toMatchObject(end);
  });

  it('of the primary thread does not name it, nor a hash that nobody worked out', () => {
    const entries = running().replies([call('write'), call('ticket')]);
    for (const { event } of entries.slice(0, 2)) {
      expect(event).not.toHaveProperty('session_thread_id');
      expect(event).not.toHaveProperty('capstan');
    }
  });

  it('that hands on work in vain tells the model, whatever other tool has that name', () => {
    const { agent } = coordinator();
    if (agent === undefined) throw new Error('a coordinator is an agent');
    const input_schema = { type: 'object' as const };
    const own = { type: 'custom' as const, name: 'delegate', description: 'hands on', input_schema };
    const machine = new Machine({ agent: { ...agent, tools: [...agent.tools, own] } });
    machine.send({ type: 'user.message', content: [{ type: 'text', text: 'hello' }] });
    const entries = machine.replies([
      call('delegate', { id: 'sevt_a', input: { agent: 'nobody', message: 'look' } }),
      call('delegate', { id: 'sevt_b', input: null }),
    ]);
    const uses = entries.filter(({ event }) => event.type === 'agent.tool_use');
    expect(uses.map(({ event }) => 'input' in event && event.input)).toEqual([
      { agent: 'nobody', message: 'look' },
      {},
    ]);
    const texts = entries.flatMap(({ event }) => (event.type === 'agent.tool_result' ? [event.content] : []));
    expect(texts).toMatchObject([
      [{ text: expect.stringContaining('There is no agent "nobody"') }],
      [{ text: 'The input is no JSON object.' }],
    ]);
  });

  it('keeps what the harness wants back with each of its events', () => {
    const entries = running().replies([
      { type: 'thinking', id: 'sevt_t', opaque: 'T' },
      { type: 'message', id: 'sevt_m', text: 'words', opaque: 'M' },
      call('bash', { opaque: 'C' }),
      { type: 'message', id: 'sevt_n', text: 'more' },
    ]);
    expect(entries.map(({ note }) => note?.opaque)).toEqual(['T', 'M', 'C', undefined, undefined]);
    expect(entries[1]?.event).toMatchObject({ content: [{ type: 'text', text: 'words' }] });
    expect(entries[3]).not.toHaveProperty('note');
    expect(typesOf(entries).at(-1)).toBe('span.model_request_end');
  });

  it('says how each call was evaluated', () => {
    const entries = running().replies([call('bash'), call('write', { hash: 'abc' }), call('grep')]);
    const [allowed, asked, denied] = entries.map(({ event }) => event);
    expect(allowed).toMatchObject({ evaluated_permission: 'allow', evaluation: { type: 'always_allow' } });
    expect(allowed).not.toHaveProperty('capstan');
    expect(asked).toMatchObject({
      evaluated_permission: 'ask',
      evaluation: { type: 'always_ask' },
      capstan: { input_sha256: 'abc' },
      input: { a: 1 },
    });
    expect(denied).toMatchObject({ evaluated_permission: 'deny' });
    expect(denied).not.toHaveProperty('evaluation');
  });

  it('tells the model what is wrong with a call that cannot be performed', () => {
    const machine = running();
    const entries = machine.replies([
      call('bash', { input: null, problem: 'not JSON' }),
      call('grep'),
      call('unheard_of', { input: null }),
    ]);
    const results = entries.filter(({ event }) => event.type === 'agent.tool_result');
    const texts = results.map(({ event }) => 'content' in event && event.content);
    expect(texts).toEqual([
      [{ type: 'text', text: 'not JSON' }],
      [{ type: 'text', text: 'The tool "grep" is not enabled for this agent.' }],
      [{ type: 'text', text: 'The tool "unheard_of" is not enabled for this agent.' }],
    ]);
    for (const { event, note } of results) {
      expect(event).toMatchObject({ is_error: true });
      expect(note?.cancel).toBeUndefined();
    }
    // The request ends before the results: they are for the next one.
    expect(typesOf(entries)).toEqual([
      ...Array(3).fill('agent.tool_use'),
      'span.model_request_end',
      ...Array(3).fill('agent.tool_result'),
    ]);
    expect(machine.primary).toMatchObject({ calls: [], unanswered: true, status: 'running' });
  });

  it('whose calls all wait for a person rests', () => {
    const machine = running();
    const entries = machine.replies([call('write', { hash: 'abc' }), call('ticket')]);
    expect(typesOf(entries).slice(-3)).toEqual([
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(machine.primary.stop?.reason).toEqual({
      type: 'requires_action',
      event_ids: ['sevt_write', 'sevt_ticket'],
    });
  });
});
