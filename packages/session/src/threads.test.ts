// Threads: what a coordinator hands on, what its agents do with it, and what each of them and the session show of it.
import { describe, expect, it } from 'vitest';
import { MAX_RELAYED } from './delegation.ts';
import { outcome, say, use } from './scripted-harness.ts';
import { Crew, delegate, message, PRIMARY, wordsOf } from './testing/crew.ts';
import { quiesce, until, World } from './testing.ts';

describe('a coordinator', () => {
  it('hands work to a new thread, goes on, and is given the answer as a message', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look around']);
    expect((await crew.model(scout)).input).toEqual([
      {
        type: 'user',
        content: [
          { type: 'text', text: `Message from the agent that called you (thread ${PRIMARY}):` },
          { type: 'text', text: 'look around' },
        ],
      },
    ]);
    await crew.says(PRIMARY, 'I wait');
    await until(() => crew.status(PRIMARY) === 'idle');
    await crew.says(scout, 'nothing there');
    const next = await crew.model(PRIMARY);
    expect(next.input.map(({ type }) => type)).toEqual([
      'user',
      'tool_call',
      'tool_result',
      'message',
      'user',
    ]);
    expect(next.input.at(1)).toMatchObject({
      name: 'delegate',
      input: { agent: 'scout', message: 'look around' },
    });
    expect(wordsOf(next.input.slice(2, 3))).toContain(scout);
    expect(next.input.at(-1)).toEqual({
      type: 'user',
      content: [
        { type: 'text', text: `Message from scout (thread ${scout}):` },
        { type: 'text', text: 'nothing there' },
      ],
    });
    next.settle([say('all clear')]);
    await crew.rests();
    expect(await crew.stops()).toEqual([{ type: 'end_turn' }]);
  });

  it('shows its work in the order of the API', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(PRIMARY, 'I wait');
    await until(() => crew.status(PRIMARY) === 'idle');
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'done');
    await crew.rests();
    expect(await crew.types()).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'span.model_request_start',
      'session.thread_created',
      'agent.thread_message_sent',
      'span.model_request_end',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.thread_status_idle',
      'session.thread_status_running',
      'agent.thread_message_received',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(await crew.types(scout)).toEqual([
      'session.thread_created',
      'session.thread_status_running',
      'agent.thread_message_received',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'agent.thread_message_sent',
      'session.thread_status_idle',
    ]);
    const shown = await crew.events();
    const find = (type: string) => shown.find((event) => event.type === type);
    const routed = { session_thread_id: scout, agent_name: 'scout' };
    expect(find('session.thread_created')).toMatchObject({ ...routed, workflow_run_id: null });
    expect(find('agent.thread_message_sent')).toMatchObject({
      to_session_thread_id: scout,
      to_agent_name: 'scout',
      content: [{ type: 'text', text: 'look' }],
    });
    expect(find('agent.thread_message_received')).toMatchObject({
      from_session_thread_id: scout,
      from_agent_name: 'scout',
      content: [{ type: 'text', text: 'seen' }],
    });
    const own = await crew.events(scout);
    expect(own.find(({ type }) => type === 'agent.thread_message_received')).toMatchObject({
      from_session_thread_id: PRIMARY,
      from_agent_name: null,
    });
    expect(own.find(({ type }) => type === 'agent.thread_message_sent')).toMatchObject({
      to_session_thread_id: PRIMARY,
      to_agent_name: null,
    });
    const ran = own.filter(({ type }) => type.startsWith('session.thread_status_'));
    for (const event of ran) expect(event).toMatchObject(routed);
  });

  it('hands work to several at once: all run beside each other and beside itself', async () => {
    const crew = await Crew.open();
    const threads = await crew.delegated(['scout', 'a'], ['scribe', 'b'], ['scout', 'c']);
    expect(new Set(threads).size).toBe(3);
    await until(() => [PRIMARY, ...threads].every((thread) => crew.asks(thread)));
    expect(crew.runtime.threads.map(({ status }) => status)).toEqual(Array(4).fill('running'));
    for (const [index, thread] of threads.entries())
      expect(wordsOf((await crew.model(thread)).input)).toContain(`"${'abc'[index]}"`);
    for (const thread of threads.toReversed()) await crew.says(thread, `of ${thread}`);
    await until(() => threads.every((thread) => crew.status(thread) === 'idle'));
    await crew.says(PRIMARY, 'I wait');
    const told: string[] = [];
    for (const _ of threads) {
      const next = await crew.model(PRIMARY);
      told.push(wordsOf(next.input.slice(-1)));
      next.settle([say('noted')]);
      await until(() => next.done && (crew.asks(PRIMARY) || crew.runtime.view.status === 'idle'));
    }
    for (const [index, thread] of threads.toReversed().entries()) expect(told[index]).toContain(thread);
    const running = (await crew.types()).filter((type) => type === 'session.status_running');
    expect(running).toHaveLength(1);
    expect(await crew.stops()).toEqual([{ type: 'end_turn' }]);
  });

  it('shows the same events under its own thread as the session does', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'I wait');
    await crew.model(PRIMARY);
    expect(await crew.events(PRIMARY)).toEqual(await crew.events());
  });

  it('goes on with a thread it names, which remembers what was said', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'a river');
    (await crew.model(PRIMARY)).settle([say('I wait')]);
    const next = await crew.model(PRIMARY);
    next.settle([delegate({ thread_id: scout, message: 'how wide' })]);
    const again = await crew.model(scout);
    expect(again.input.map(({ type }) => type)).toEqual(['user', 'message', 'user']);
    expect(wordsOf(again.input)).toContain('a river');
    expect(crew.children()).toEqual([scout]);
    again.settle([say('ten feet')]);
    await crew.says(PRIMARY, 'I wait');
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('ten feet');
  });

  it('writes to a thread at work, which reads it with its next model call', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const id = await crew.uses(scout, 'bash');
    (await crew.model(PRIMARY)).settle([delegate({ thread_id: scout, message: 'look left, too' })]);
    await crew.says(PRIMARY, 'I wait');
    (await crew.tool(id)).settle(outcome('dark'));
    const next = await crew.model(scout);
    expect(next.input.map(({ type }) => type)).toEqual(['user', 'tool_call', 'tool_result', 'user']);
    expect(wordsOf(next.input.slice(-1))).toContain('look left, too');
  });

  it('is given an answer that comes while it is in its tools with its next model call', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    (await crew.model(PRIMARY)).settle([delegate({ agent: 'scout', message: 'look' }), use('bash')]);
    await until(() => crew.world.harness.waitingTools.length === 1);
    const [scout = ''] = crew.children();
    await crew.says(scout, 'seen');
    await until(() => crew.status(scout) === 'idle');
    expect(crew.asks(PRIMARY)).toBe(false);
    crew.world.harness.waitingTools[0]?.settle(outcome('ok'));
    const next = await crew.model(PRIMARY);
    expect(next.input.map(({ type }) => type)).toEqual([
      'user',
      'tool_call',
      'tool_result',
      'tool_call',
      'tool_result',
      'user',
    ]);
    expect(wordsOf(next.input.slice(-1))).toContain('seen');
  });

  it('that has handed work on reads all that came in meanwhile with what its call was answered', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    const first = await crew.model(PRIMARY);
    await crew.send(message('one more'), message('and another'));
    first.settle([delegate({ agent: 'scout', message: 'look' })]);
    await until(() => first.done && crew.asks(PRIMARY));
    const { input } = await crew.model(PRIMARY);
    expect(input.map(({ type }) => type)).toEqual(['user', 'tool_call', 'tool_result', 'user', 'user']);
  });

  it('that waits for a person is given an answer once that person has decided', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    (await crew.model(PRIMARY)).settle([delegate({ agent: 'scout', message: 'look' }), use('ticket')]);
    await until(() => crew.status(PRIMARY) === 'idle');
    const [scout = ''] = crew.children();
    expect(await crew.stops()).toEqual([]);
    await crew.says(scout, 'seen');
    await crew.rests();
    const ticket = (await crew.events()).find(({ type }) => type === 'agent.custom_tool_use')?.id ?? '';
    expect(await crew.stops()).toEqual([{ type: 'requires_action', event_ids: [ticket] }]);
    expect(crew.asks(PRIMARY)).toBe(false);
    await crew.send({ type: 'user.custom_tool_result', custom_tool_use_id: ticket, content: [] });
    const next = await crew.model(PRIMARY);
    expect(next.input.at(-1)).toMatchObject({ type: 'tool_result', callId: ticket });
    next.settle([say('noted')]);
    await until(() => next.done && crew.asks(PRIMARY));
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('seen');
  });

  it('hands on a message that is larger than a row of the log', async () => {
    const crew = await Crew.open();
    crew.world.harness.choice = { contextWindow: 2_000_000 };
    const has = async (thread: string, letter: string) =>
      wordsOf((await crew.model(thread)).input).includes(letter.repeat(300_000));
    const [scout = ''] = await crew.delegated(['scout', 'x'.repeat(300_000)]);
    expect(await has(scout, 'x')).toBe(true);
    expect(await has(PRIMARY, 'x')).toBe(true);
    await crew.says(scout, 'y'.repeat(300_000));
    const first = await crew.model(PRIMARY);
    first.settle([say('I wait')]);
    await until(() => first.done && crew.asks(PRIMARY));
    expect(await has(PRIMARY, 'y')).toBe(true);
    await crew.restart();
    await crew.world.ring(crew.runtime);
    expect(await has(PRIMARY, 'x')).toBe(true);
  });
});

describe('the tool that hands work on', () => {
  it('is offered to a coordinator with its roster, and to nobody else', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const [tool, ...others] = (await crew.model(PRIMARY)).call.tools;
    expect(others).toEqual([]);
    expect(tool).toMatchObject({ name: 'delegate', schema: { required: ['message'] } });
    expect(tool?.description).toContain('scout (agent_scout)');
    expect(tool?.description).toContain('scribe (agent_scribe)');
    expect((await crew.model(scout)).call.tools).toEqual([]);
    const alone = new World();
    await (await alone.open()).send([message('go')]);
    await until(() => alone.harness.waitingModels.length === 1);
    expect(alone.harness.waitingModels[0]?.call.tools).toEqual([]);
  });

  it('is refused to a child that calls it all the same', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    (await crew.model(scout)).settle([delegate({ agent: 'scribe', message: 'write' })]);
    const next = await crew.model(scout);
    expect(next.input.at(-1)).toMatchObject({ type: 'tool_result', isError: true });
    expect(crew.children()).toEqual([scout]);
  });

  it.each([
    ['no message', { agent: 'scout' }, 'message'],
    ['an empty message', { agent: 'scout', message: '' }, 'message'],
    ['a message that is no text', { agent: 'scout', message: 7 }, 'message'],
    ['neither agent nor thread', { message: 'm' }, 'scout, scribe'],
    ['an agent that is not in the roster', { agent: 'spy', message: 'm' }, 'There is no agent "spy"'],
    ['a thread that does not exist', { thread_id: 'sthr_no', message: 'm' }, 'There is no thread sthr_no'],
    ['itself', { thread_id: PRIMARY, message: 'm' }, `There is no thread ${PRIMARY}`],
  ])('answers %s with an error that the model can mend', async (_, input, says) => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    (await crew.model(PRIMARY)).settle([use('delegate', input)]);
    const next = await crew.model(PRIMARY);
    expect(next.input.map(({ type }) => type)).toEqual(['user', 'tool_call', 'tool_result']);
    expect(next.input.at(-1)).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining(says) }],
    });
    expect(crew.children()).toEqual([]);
    next.settle([delegate({ agent: 'scout', message: 'look' })]);
    await until(() => crew.children().length === 1);
  });

  it.each([
    ['no words', { agent: 'scout', thread_id: '', message: 'm' }],
    ['null', { agent: 'scout', thread_id: null, message: 'm' }],
  ])('takes %s for a property left out', async (_, input) => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    (await crew.model(PRIMARY)).settle([use('delegate', input)]);
    await until(() => crew.children().length === 1);
  });

  it('answers arguments that are no JSON with an error', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    const broken = { type: 'tool_call' as const, name: 'delegate', input: null, problem: 'It breaks off.' };
    (await crew.model(PRIMARY)).settle([broken]);
    const next = await crew.model(PRIMARY);
    expect(next.input.at(-1)).toMatchObject({ isError: true, content: [{ text: 'It breaks off.' }] });
  });

  it('takes an agent by its id', async () => {
    const crew = await Crew.open();
    await crew.delegated(['agent_scribe', 'write']);
    expect(crew.runtime.threads.at(-1)?.agent).toMatchObject({ name: 'scribe' });
  });

  it('begins 25 threads at once, and not one more until one has ended', async () => {
    const crew = await Crew.open();
    await crew.send(message('go'));
    const calls = Array.from({ length: 26 }, (_, index) =>
      delegate({ agent: 'scout', message: `part ${index + 1}` }),
    );
    (await crew.model(PRIMARY)).settle(calls);
    const next = await crew.model(PRIMARY);
    const children = crew.children();
    expect(children).toHaveLength(25);
    await until(() => children.every((thread) => crew.asks(thread)));
    const refused = next.input.filter((item) => item.type === 'tool_result' && item.isError);
    expect(refused).toHaveLength(1);
    expect(wordsOf(refused)).toContain('25 threads');
    next.settle([say('I wait')]);
    const [first = ''] = children;
    await crew.says(first, 'done');
    await until(() => crew.status(first) === 'idle');
    (await crew.model(PRIMARY)).settle([delegate({ agent: 'scout', message: 'part 26' })]);
    expect((await crew.model(PRIMARY)).input.at(-1)).toMatchObject({ isError: true });
    await crew.runtime.archiveThread(first);
    (await crew.model(PRIMARY)).settle([delegate({ agent: 'scout', message: 'part 26' })]);
    await until(() => crew.children().length === 26);
  });

  it('does not write to a thread that has ended, nor to one of nobody', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await until(() => crew.status(scout) === 'idle');
    await crew.runtime.archiveThread(scout);
    (await crew.model(PRIMARY)).settle([delegate({ thread_id: scout, message: 'more' })]);
    const next = await crew.model(PRIMARY);
    expect(wordsOf(next.input)).toContain(`The thread ${scout} has ended`);
    next.settle([delegate({ thread_id: 'sthr_x', message: 'more' })]);
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-2))).toContain('There are: none');
  });
});

describe('agents that give each other work without end', () => {
  it('are stopped after a bound, and go on once a person says something', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const again = async () => {
      (await crew.model(PRIMARY)).settle([use('delegate', { thread_id: scout, message: 'no, you' })]);
      await crew.says(PRIMARY, 'I wait');
    };
    const refusals = async () => (await crew.types()).filter((type) => type === 'agent.tool_result').length;
    await crew.says(PRIMARY, 'I wait');
    for (let rounds = 0; rounds < MAX_RELAYED && (await refusals()) === 0; rounds++) {
      await crew.says(scout, 'and now you');
      await again();
    }
    expect(await refusals()).toBe(1);
    await crew.rests();
    await crew.send(message('go on'));
    await again();
    await crew.says(scout, 'and now you');
    expect(await refusals()).toBe(1);
  });
});

describe('a thread', () => {
  it('sees nothing of its coordinator, and shows it nothing but its answer', async () => {
    const crew = await Crew.open();
    await crew.send(message('a secret of the coordinator'));
    (await crew.model(PRIMARY)).settle([say('my thoughts'), delegate({ agent: 'scout', message: 'look' })]);
    await until(() => crew.children().length === 1);
    const [scout = ''] = crew.children();
    expect(wordsOf((await crew.model(scout)).input)).not.toMatch(/secret|thoughts/);
    (await crew.model(scout)).settle([say('my own thoughts'), use('bash', { command: 'peek' })]);
    await until(() => crew.world.harness.waitingTools.length === 1);
    crew.world.harness.waitingTools[0]?.settle(outcome('a find'));
    const second = await crew.model(scout);
    expect(second.input.map(({ type }) => type)).toEqual(['user', 'message', 'tool_call', 'tool_result']);
    second.settle([say('the answer')]);
    await crew.says(PRIMARY, 'I wait');
    const words = wordsOf((await crew.model(PRIMARY)).input);
    expect(words).toContain('the answer');
    expect(words).not.toMatch(/my own thoughts|peek|a find/);
    expect(await crew.types()).not.toContain('agent.tool_use');
    expect(JSON.stringify(await crew.events(scout))).not.toMatch(/secret/);
    const { agent } = second.call;
    expect(agent.name).toBe('scout');
  });

  it('runs its tools in a shell of its own', async () => {
    const crew = await Crew.open();
    const [scout = '', scribe = ''] = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    const shells = [];
    for (const thread of [PRIMARY, scout, scribe])
      shells.push((await crew.tool(await crew.uses(thread, 'bash'))).input.shell);
    expect(shells).toEqual(['main', 'thread-1', 'thread-2']);
  });

  it('says that it has no words when it ends with none', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    (await crew.model(scout)).settle([{ type: 'thinking' }]);
    await crew.says(PRIMARY, 'I wait');
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('(no words)');
  });

  it('that the model refuses tells its coordinator', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const details = { type: 'refusal' as const, category: null, explanation: null };
    (await crew.model(scout)).settle({
      type: 'end',
      outputs: [],
      usage: { ...ZERO },
      refusal: details,
    });
    await crew.says(PRIMARY, 'I wait');
    expect(wordsOf((await crew.model(PRIMARY)).input.slice(-1))).toContain('refused');
    const idle = (await crew.events(scout)).findLast(({ type }) => type === 'session.thread_status_idle');
    expect(idle).toMatchObject({ stop_reason: { type: 'refusal' }, stop_details: details });
    await crew.says(PRIMARY, 'a pity');
    await crew.rests();
    expect(await crew.stops()).toEqual([{ type: 'end_turn' }]);
  });
});

const ZERO = {
  input_tokens: 0,
  output_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};

describe('a message from outside', () => {
  it('goes to the thread it names, and its answer to the coordinator', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await crew.says(PRIMARY, 'I wait');
    await crew.says(PRIMARY, 'good');
    await crew.rests();
    const { events } = await crew.send(message('a word to you alone', scout));
    expect(events[0]).toMatchObject({ session_thread_id: scout, processed_at: expect.any(String) });
    const asked = await crew.model(scout);
    expect(wordsOf(asked.input.slice(-1))).toContain('a word to you alone');
    expect(crew.status(PRIMARY)).toBe('idle');
    expect(crew.runtime.view.status).toBe('running');
    asked.settle([say('heard')]);
    const parent = await crew.model(PRIMARY);
    expect(wordsOf(parent.input)).not.toContain('a word to you alone');
    expect(wordsOf(parent.input.slice(-1))).toContain('heard');
    const id = events[0]?.id;
    expect((await crew.events()).filter((event) => event.id === id)).toHaveLength(1);
    expect((await crew.events(scout)).filter((event) => event.id === id)).toHaveLength(1);
  });

  it('to a thread at work is kept, and taken in its turn', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    const first = await crew.model(scout);
    const { events } = await crew.send(message('later', scout));
    expect(events[0]?.processed_at).toBeNull();
    first.settle([say('seen')]);
    await until(() => first.done && crew.asks(scout));
    expect(wordsOf((await crew.model(scout)).input.slice(-1))).toContain('later');
  });

  it('to a thread that has ended, or that is not there, is refused and not kept', async () => {
    const crew = await Crew.open();
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    await crew.says(scout, 'seen');
    await until(() => crew.status(scout) === 'idle');
    await crew.runtime.archiveThread(scout);
    const before = await crew.world.types();
    for (const [thread, why] of [
      [scout, 'has ended'],
      ['sthr_other', 'no thread'],
    ] as const) {
      await expect(crew.send(message('hello', thread))).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(`^events\\.0\\.session_thread_id: .*${why}`),
      });
    }
    expect(await crew.world.types()).toEqual(before);
  });
});

describe('what is shown of a thread', () => {
  it('is all that was there before and after each of its turns', async () => {
    const crew = await Crew.open();
    const { now } = crew.world;
    expect(crew.runtime.threads).toEqual([
      {
        id: PRIMARY,
        parentId: null,
        workflowRunId: null,
        agent: expect.objectContaining({ name: 'tester' }),
        status: 'idle',
        usage: null,
        activeSeconds: null,
        createdAt: now,
        updatedAt: now,
        archivedAt: null,
      },
    ]);
    expect(crew.thread(PRIMARY).agent).not.toHaveProperty('multiagent');
    crew.world.now += 1_000;
    const [scout = ''] = await crew.delegated(['scout', 'look']);
    expect(crew.thread(scout)).toMatchObject({
      parentId: PRIMARY,
      agent: { id: 'agent_scout', name: 'scout' },
      status: 'running',
      usage: null,
      activeSeconds: 0,
      createdAt: now + 1_000,
    });
    crew.world.now += 2_000;
    expect(crew.thread(scout).activeSeconds).toBe(2);
    await crew.says(scout, 'seen');
    await until(() => crew.status(scout) === 'idle');
    crew.world.now += 5_000;
    const rested = { activeSeconds: 2, updatedAt: now + 3_000, createdAt: now + 1_000 };
    const usage = { input_tokens: 10, output_tokens: 2, active_seconds: 2 };
    expect(crew.thread(scout)).toMatchObject({ ...rested, status: 'idle', usage });
    await crew.send(message('again', scout));
    await crew.model(scout);
    crew.world.now += 1_000;
    expect(crew.thread(scout)).toMatchObject({
      status: 'running',
      activeSeconds: 3,
      usage: { ...usage, active_seconds: 3 },
    });
  });

  it('shares the definition of its agent with all threads of that agent', async () => {
    const crew = await Crew.open();
    await crew.delegated(['scout', 'a'], ['scribe', 'b'], ['scout', 'c']);
    const [, first, other, second] = crew.runtime.threads;
    expect(second?.agent).toBe(first?.agent);
    expect(second?.agent).not.toBe(other?.agent);
  });

  it('adds up to what is shown of the session, where time that overlaps counts once', async () => {
    const crew = await Crew.open();
    const threads = await crew.delegated(['scout', 'a'], ['scribe', 'b']);
    crew.world.now += 3_000;
    for (const thread of threads) await crew.says(thread, 'done');
    await until(() => threads.every((thread) => crew.status(thread) === 'idle'));
    crew.world.now += 1_000;
    await crew.says(PRIMARY, 'I wait');
    for (const _ of threads) {
      const next = await crew.model(PRIMARY);
      next.settle([say('noted')]);
      await until(() => next.done && (crew.asks(PRIMARY) || crew.runtime.view.status === 'idle'));
    }
    await crew.rests();
    const sum = (field: 'input_tokens' | 'output_tokens') =>
      crew.runtime.threads.reduce((total, { usage }) => total + (usage?.[field] ?? Number.NaN), 0);
    const { usage, activeSeconds } = crew.runtime.view;
    expect(usage).toMatchObject({ input_tokens: 60, output_tokens: 12, active_seconds: 4 });
    expect([sum('input_tokens'), sum('output_tokens')]).toEqual([60, 12]);
    expect(activeSeconds).toBe(4);
    expect(crew.runtime.threads.map((thread) => thread.activeSeconds)).toEqual([4, 3, 3]);
    const bills = [...crew.world.ledger.values()];
    expect(bills).toHaveLength(6);
    await quiesce();
  });
});
