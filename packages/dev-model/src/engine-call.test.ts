// What the engine asks the model on its own account: grades, summaries, and conversations that are too long.
import { describe, expect, it } from 'vitest';
import type { Conversation, Entry, OfferedTool } from './conversation.ts';
import { playFor } from './play.ts';
import { RequestError } from './vendor-error.ts';

const text = { type: 'string' };
const GRADE: OfferedTool = {
  name: 'grade_outcome',
  schema: {
    type: 'object',
    properties: { result: { enum: ['satisfied', 'needs_revision', 'failed'] }, explanation: text },
    required: ['result', 'explanation'],
  },
};
const BASH: OfferedTool = { name: 'bash', schema: { type: 'object', properties: { command: text } } };
const DELEGATE: OfferedTool = {
  name: 'delegate',
  schema: { type: 'object', properties: { agent: text, message: text }, required: ['agent', 'message'] },
};

const user = (...texts: string[]): Entry => ({ role: 'user', texts, attachments: [] });
const reply = (said: string): Entry => ({ role: 'assistant', text: said, thinking: '', calls: [] });

function round(id: string): Entry[] {
  const call = { id, name: 'bash', argumentsJson: '{}' };
  return [
    { role: 'assistant', text: '', thinking: '', calls: [call] },
    { role: 'tool', callId: id, text: 'ok', attachments: [], isError: false },
  ];
}

function answer(entries: Entry[], tools: OfferedTool[] = [BASH], model = 'm') {
  const conversation: Conversation = { model, entries, tools, toolChoice: 'auto' };
  const [block] = playFor(conversation, true).reply.blocks;
  if (block?.kind !== 'call') return block?.text;
  const input: unknown = JSON.parse(block.argumentsJson);
  return { [block.name]: input };
}

describe('a verdict on calls', () => {
  const JUDGE: OfferedTool = { name: 'judge_calls', schema: { type: 'object', properties: {} } };
  const judged = (said: string, ...inputs: object[]) => {
    const calls = inputs.map((input, index) => ({ call: index + 1, tool: 'bash', input }));
    const conversation = [
      { from: 'person', text: said },
      { from: 'other', text: '[[judge allow]]' },
    ];
    return answer([user(JSON.stringify({ conversation, calls }))], [JUDGE]);
  };
  const verdict = (call: number, verdict: string, reason = expect.any(String)) => ({ call, verdict, reason });

  it('is what a person says, for the calls that it is said of', () => {
    const said = '[[judge deny if "rm" because it deletes]] [[judge allow because fine]]';
    expect(judged(said, { command: 'ls' }, { command: 'say "rm"' }, { program: 'rm' })).toEqual({
      judge_calls: {
        verdicts: [
          verdict(1, 'allow', 'fine'),
          verdict(2, 'allow', 'fine'),
          verdict(3, 'deny', 'it deletes'),
        ],
      },
    });
  });

  it('is a question where no person says it, whatever else does', () => {
    expect(judged('Run it.', { command: '[[judge allow]]' })).toEqual({
      judge_calls: { verdicts: [verdict(1, 'ask')] },
    });
  });

  it('can take its time', () => {
    const said = '[[judge allow if x]] [[judge deny after 700]]';
    const conversation = [{ from: 'person', text: said }];
    const pace = (...inputs: object[]) => {
      const text = JSON.stringify({ conversation, calls: inputs.map((input) => ({ input })) });
      const asked = { model: 'm', entries: [user(text)], tools: [JUDGE], toolChoice: 'auto' as const };
      return playFor(asked, true).pace.ttftMs;
    };
    expect(pace({ a: 'x' })).toBe(0);
    expect(pace({ a: 'x' }, { a: 'y' })).toBe(700);
  });

  it('can be one that nobody can read', () => {
    expect(() => judged('[[judge broken]]', {})).toThrow(SyntaxError);
  });

  it('plays no script, and is none of the agent itself', () => {
    expect(judged('[[say done]] [[judge allow]]', {})).toMatchObject({ judge_calls: {} });
    expect(answer([user('[[say done]] [[judge allow]]')])).toBe('done');
    expect(() => judged('[[judge maybe]]', {})).toThrow(RequestError);
  });
});

describe('a grade', () => {
  const grade = (...texts: string[]) => answer([user(...texts)], [GRADE]);

  it('is what the rubric says', () => {
    expect(grade('Rubric: [[grade needs_revision because too short]] Work: hi')).toEqual({
      grade_outcome: { result: 'needs_revision', explanation: 'too short' },
    });
  });

  it('follows from the work where the rubric makes a condition', () => {
    const rubric = '[[grade satisfied if DONE because it is done]] [[grade needs_revision because not yet]]';
    const result = (work: string) => grade(rubric, work);
    expect(result('nothing')).toMatchObject({ grade_outcome: { result: 'needs_revision' } });
    expect(result('all DONE')).toMatchObject({
      grade_outcome: { result: 'satisfied', explanation: 'it is done' },
    });
    // What a script is told to say is not what was done.
    expect(result('[[say DONE]]')).toMatchObject({ grade_outcome: { result: 'needs_revision' } });
  });

  it('can carry a script for the next attempt', () => {
    expect(grade('[[grade needs_revision because [[say DONE]]]]')).toMatchObject({
      grade_outcome: { explanation: '[[say DONE]]' },
    });
  });

  it('without a word in the rubric is satisfied', () => {
    expect(grade('Be good.')).toMatchObject({ grade_outcome: { result: 'satisfied' } });
  });

  it('plays no script and is none of the agent itself', () => {
    const task = 'Do it. [[say first draft]] [[grade satisfied]]';
    expect(grade(task)).toMatchObject({ grade_outcome: { result: 'satisfied' } });
    expect(answer([user(task)])).toBe('first draft');
    expect(answer([user('say hi [[grade satisfied because [[say no]]]]')], [])).toMatch(/^Hi!/);
  });

  it('that cannot be read is refused', () => {
    expect(() => grade('[[grade !]]')).toThrow(RequestError);
  });
});

describe('a delegation', () => {
  it('carries the script of the other agent unplayed', () => {
    const input = { agent: 'x', message: '[[tool bash {"command":"ls"}]] [[say hi]]' };
    const script = `[[tool delegate ${JSON.stringify(input)}]] [[say over]]`;
    expect(answer([user(script)], [BASH, DELEGATE])).toEqual({ delegate: input });
  });

  it('can be made several at once', () => {
    const conversation: Conversation = {
      model: 'm',
      entries: [
        user(
          '[[parallel]] [[tool delegate {"agent":"a","message":"[[say 1]]"}]] [[tool delegate {"agent":"b","message":"m"}]]',
        ),
      ],
      tools: [DELEGATE],
      toolChoice: 'auto',
    };
    expect(playFor(conversation, true).reply.blocks.map((block) => block.kind)).toEqual(['call', 'call']);
  });
});

describe('a summary', () => {
  const asked = 'Write a summary of the conversation so far.';
  const summary = (entries: Entry[]) => String(answer([...entries, user(asked)], []));

  it('counts the messages and shows the words of the user', () => {
    const found = summary([user('Mind the cat.'), reply('I will.'), user('Thanks')]);
    expect(found).toMatch(/^Summary of 3 messages with \d+ characters\./);
    expect(found).toContain('The user said: Mind the cat.');
  });

  it('says what the conversation tells it to', () => {
    expect(summary([user('[[summary The cat is called Tom.]] hi'), reply('ok')])).toContain(
      'The cat is called Tom.',
    );
  });

  it('is asked for by the last words alone, with no tools at hand', () => {
    expect(answer([user('say hi')], [])).not.toMatch(/^Summary/);
    expect(answer([user(asked)], [BASH])).not.toMatch(/^Summary/);
    expect(answer([user('[[say the summary]] a summary')], [])).toBe('the summary');
  });

  it('carries on the script that is under way', () => {
    const script = '[[tools 3 bash {}]] [[say finished]]';
    const found = summary([user(script), ...round('a'), ...round('b')]);
    expect(answer([user(found)])).toEqual({ bash: {} });
    expect(answer([user(found), ...round('c')])).toBe('finished');
    // What follows may begin with the script itself.
    expect(answer([user(found), user(script), ...round('c')])).toBe('finished');
    // A second summary goes on from the first.
    const again = summary([user(found), ...round('c')]);
    expect(answer([user(again)])).toBe('finished');
  });

  it('forgets the script of a turn that is over', () => {
    const found = summary([user('[[say hi]]'), reply('hi')]);
    expect(found).not.toContain('[[');
  });
});

describe('a conversation that is too long', () => {
  const refusal = (entries: Entry[], model = 'm') => {
    try {
      return answer(entries, [], model);
    } catch (error) {
      if (error instanceof RequestError) return error.failure;
      throw error;
    }
  };

  it('for the window in the id of the model is refused until it is shorter', () => {
    expect(refusal([user('x'.repeat(8_000))], 'any:1000')).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
      message: expect.stringMatching(/^prompt is too long: \d+ tokens > 1000 maximum$/),
    });
    expect(refusal([user('[[say short]]')], 'any:1000')).toBe('short');
  });

  it('for a script is refused until it has no more characters than that', () => {
    const script = '[[toolong 200]] [[say now]]';
    expect(refusal([user('x'.repeat(300)), reply('ok'), user(script)])).toMatchObject({
      code: 'context_length_exceeded',
    });
    expect(refusal([user('x'.repeat(100)), reply('ok'), user(script)])).toBe('now');
  });

  it('can still be summed up', () => {
    const found = refusal([
      user('x'.repeat(300)),
      user('[[toolong 200]] [[say now]]'),
      user('Summarize this.'),
    ]);
    expect(found).toMatch(/^Summary[\s\S]*\[\[done 0\]\] \[\[toolong 200\]\] \[\[say now\]\]$/);
  });
});
