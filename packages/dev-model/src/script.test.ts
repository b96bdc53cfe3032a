import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DIRECTIVE_NAMES, DirectiveError, findDirectives } from './directive.ts';
import { parseScript } from './script.ts';

describe('findDirectives', () => {
  it('separates directives from the text around them', () => {
    expect(findDirectives('a [[delay 5]] b [[think]] c')).toEqual({
      directives: [
        { name: 'delay', args: '5' },
        { name: 'think', args: '' },
      ],
      rest: 'a  b  c',
      unknown: [],
    });
  });

  it('leaves shell tests as text and tells misspelt names', () => {
    const found = findDirectives('Run: [[ -f x ]] && [[ $a == b ]] [[wrods 3]]');
    expect(found.directives).toEqual([]);
    expect(found.rest).toBe('Run: [[ -f x ]] && [[ $a == b ]] [[wrods 3]]');
    expect(found.unknown).toEqual(['wrods']);
  });

  it('reads any JSON input back as it was written', () => {
    const input = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(input, fc.constantFrom('tool bash', 'tools 2', 'ptools 3 read'), (value, head) => {
        const json = JSON.stringify(value);
        const { replies, rest } = parseScript(`before [[${head} ${json}]] after`);
        expect(rest).toBe('before  after');
        expect(JSON.stringify(replies[0]?.calls[0]?.input)).toBe(JSON.stringify(JSON.parse(json)));
      }),
    );
  });

  it('either parses or names the directive at fault, whatever the text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(...DIRECTIVE_NAMES).map((name) => `[[${name}`),
      fc.constantFrom(']]', '{"a":1}', ' 7', ' 429', '[[', 'bash', '{', '"', ' after=2'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          parseScript(pieces.join(' '));
        } catch (error) {
          expect(error).toBeInstanceOf(DirectiveError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('parseScript', () => {
  it('ends a reply with each tool call', () => {
    const { replies } = parseScript(
      '[[say a]] [[tool bash {"command":"x"}]] [[think]] [[tool read {}]] [[say b]]',
    );
    expect(
      replies.map((reply) => [reply.content.map((part) => part.kind), reply.calls.map((call) => call.tool)]),
    ).toEqual([
      [['text'], ['bash']],
      [['thinking'], ['read']],
      [['text'], []],
    ]);
  });

  it('puts the tools after [[parallel]] in one reply', () => {
    const { replies } = parseScript('[[parallel]] [[tool a {}]] [[tools 2]] [[badjson]] [[say done]]');
    expect(replies.map((reply) => reply.calls.length)).toEqual([4, 0]);
  });

  it('makes many calls one after another or at once', () => {
    expect(parseScript('[[tools 3]]').replies.map((reply) => reply.calls.length)).toEqual([1, 1, 1]);
    expect(parseScript('[[ptools 3]]').replies.map((reply) => reply.calls.length)).toEqual([3]);
  });

  it('keeps the pace from where it stands on', () => {
    const { replies } = parseScript('[[tools 1]] [[delay 5]] [[tools 1]] [[ttft 7]] [[say x]]');
    expect(replies.map((reply) => reply.pace)).toEqual([
      { ttftMs: 0, delayMs: 0 },
      { ttftMs: 0, delayMs: 5 },
      { ttftMs: 7, delayMs: 5 },
    ]);
  });

  it('reads the options of a fault', () => {
    const { replies } = parseScript('[[failonce 529 retry-after=2 after=3 times=4]] [[cut 5]] [[hang]]');
    expect(replies[0]?.faults).toEqual([
      { kind: 'fail', status: 529, retryAfterSeconds: 2, afterPieces: 3, times: 4 },
      { kind: 'cut', status: 0, retryAfterSeconds: null, afterPieces: 5, times: null },
      { kind: 'hang', status: 0, retryAfterSeconds: null, afterPieces: null, times: null },
    ]);
  });

  it('keeps directives inside a directive as its text, however deep', () => {
    const nested = fc.letrec<{ text: string; directive: string }>((tie) => ({
      text: fc
        .array(fc.oneof({ maxDepth: 3 }, fc.stringMatching(/^[a-z .]{1,8}$/), tie('directive')))
        .map((parts) => `a${parts.join('')}b`),
      directive: tie('text').map((inner) => `[[say ${inner}]]`),
    })).text;
    fc.assert(
      fc.property(nested, (text) => {
        expect(findDirectives(`before [[say ${text}]] after`)).toEqual({
          directives: [{ name: 'say', args: text }],
          rest: 'before  after',
          unknown: [],
        });
      }),
    );
  });

  it('ends a text at the first brackets when those inside it are not in pairs', () => {
    expect(findDirectives('[[say see [[ here]] ok')).toMatchObject({
      directives: [{ name: 'say', args: 'see [[ here' }],
      rest: 'ok',
    });
  });

  it('makes a text of exactly the size', () => {
    fc.assert(
      fc.property(fc.nat({ max: 20_000 }), (size) => {
        const said = parseScript(`[[size ${size}]]`).replies[0]?.content[0];
        expect(said?.kind === 'text' && said.text.length === size && said.text.trim() === said.text).toBe(
          true,
        );
      }),
    );
  });

  it.each([
    '[[words many]]',
    '[[fail 200]]',
    '[[fail]]',
    '[[fail 429 soon]]',
    '[[tool bash {bad}]]',
    '[[tool bash {"a":1]]',
    '[[tool two names {}]]',
    '[[usage 1]]',
    '[[usage 1 2 3]]',
    '[[ptools 0]]',
    '[[say hi',
  ])('%s is refused with what it wants', (text) => {
    expect(() => parseScript(text)).toThrow(/The directive \[\[.*\]\] .*docs\/dev-model\.md/s);
  });
});
