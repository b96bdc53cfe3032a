import fc, { array, constantFrom, oneof, property, record, string, stringMatching } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DockerfileError, expandWord, parseDockerfile, parseExecForm, parseVariables } from './dockerfile.ts';
import { planImage } from './image-plan.ts';

const START = { env: {}, workdir: '/root', usualEnv: { PATH: '/usr/bin:/bin' } };
const plan = (...lines: string[]) => planImage(lines, START);
const value = (name: string) => ({ A: 'one', EMPTY: '' })[name] ?? '';

describe('parseDockerfile', () => {
  it('joins continued lines, without the comments and empty lines between them', () => {
    const source = 'FROM x\n\n# a remark\nRUN one && \\  \n  # inside\n\n  two \\\n  three\n  env A=1';
    expect(parseDockerfile(source)).toEqual([
      { line: 1, name: 'FROM', text: 'x', documents: [] },
      { line: 4, name: 'RUN', text: 'one &&   two   three', documents: [] },
      { line: 9, name: 'ENV', text: 'A=1', documents: [] },
    ]);
  });

  it('takes documents along for RUN, and for nothing else', () => {
    const [run, env] = parseDockerfile("RUN cat <<A >x && cat <<-'B'\nRUN no\nA\n\ttabbed\n\tB\nENV X=<<A");
    expect(run?.documents).toEqual([
      { name: 'A', body: 'RUN no\n' },
      { name: 'B', body: 'tabbed\n' },
    ]);
    expect(env).toMatchObject({ name: 'ENV', text: 'X=<<A', documents: [] });
    expect(() => parseDockerfile('RUN true\nRUN <<END\necho')).toThrow(
      /^Line 2 begins a document that no line "END"/,
    );
  });

  it('says which line is none', () => {
    expect(() => parseDockerfile('RUN true\n&& false')).toThrow(
      /^Line 2 begins with no instruction: "&& false"/,
    );
  });

  it('reads back what was written, whatever the layout', () => {
    const word = stringMatching(/^[a-z0-9=$&|;.,/"'-]{1,8}$/).filter((text) => !text.includes('<<'));
    const instruction = record({
      name: constantFrom('RUN', 'env', 'WorkDir'),
      words: array(word, { minLength: 1, maxLength: 5 }),
      glue: constantFrom(' ', ' \\\n', ' \\ \t\n  # a remark\n', ' \\\n\n'),
      before: constantFrom('', '\n', '# FROM nowhere\n', '   '),
    });
    fc.assert(
      property(array(instruction), constantFrom('\n', '\r\n'), (all, end) => {
        const source = all
          .map(({ name, words, glue, before }) => `${before}${name} ${words.join(glue)}`)
          .join('\n');
        const read = parseDockerfile(source.replaceAll('\n', end));
        expect(read.map(({ name, text }) => [name, text.split(/\s+/)])).toEqual(
          all.map(({ name, words }) => [name.toUpperCase(), words]),
        );
      }),
    );
  });

  it('reads or refuses any text, and never does anything else', () => {
    const piece = oneof(
      string(),
      constantFrom(
        '\n',
        '\\\n',
        'RUN ',
        'ENV ',
        'WORKDIR ',
        'FROM ',
        'ARG ',
        '<<E',
        '"',
        "'",
        '$A',
        '${A:-',
        '}',
        '#',
        '\\',
      ),
    );
    fc.assert(
      property(array(piece, { maxLength: 30 }), (pieces) => {
        try {
          planImage([pieces.join('')], START);
        } catch (cause) {
          expect(cause).toBeInstanceOf(DockerfileError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('variables', () => {
  const braced = (inside: string) => `$\{${inside}}`;
  const cases: [text: string, expected: Record<string, string>][] = [
    ['A=1 B="two words" C=\'$A\' D=a\\ b', { A: '1', B: 'two words', C: '$A', D: 'a b' }],
    ['NAME the rest of it', { NAME: 'the rest of it' }],
    [`P=/x:$A:${braced('A')}b Q="${braced('EMPTY:-usual')}"`, { P: '/x:one:oneb', Q: 'usual' }],
    [`R=${braced('A:+yes')} S=${braced('EMPTY:+no')}`, { R: 'yes', S: '' }],
    ['E="a\\"b\\\\c\\nd" F="" G=\\$A H=$', { E: 'a"b\\c\\nd', F: '', G: '$A', H: '$' }],
  ];
  it.each(cases)('are set by %s', (text, expected) => {
    expect(Object.fromEntries(parseVariables(text, value))).toEqual(expected);
  });

  it('are what was meant, when they are quoted', () => {
    fc.assert(
      property(string(), (text) => {
        expect(expandWord(`"${text.replace(/["$\\]/g, '\\$&')}"`, value)).toBe(text);
        expect(expandWord(`'${text.replaceAll("'", '')}'`, value)).toBe(text.replaceAll("'", ''));
      }),
    );
  });
});

describe('parseExecForm', () => {
  it('is a JSON array of strings and nothing else', () => {
    fc.assert(
      property(array(string(), { minLength: 1 }), (argv) => {
        expect(parseExecForm(JSON.stringify(argv))).toEqual(argv);
      }),
    );
    for (const text of ['[ -e x ]', '[]', '["a", 1]', "['a']", '["a"', 'echo ["a"]'])
      expect([text, parseExecForm(text)]).toEqual([text, undefined]);
  });
});

describe('planImage', () => {
  it('gives each command the environment and the directory of its line', () => {
    const { runs, ...rest } = plan(
      'ARG BASE=debian VERSION=2',
      'FROM $BASE:12 AS x',
      'RUN a',
      'ENV V=$VERSION PATH=/opt:$PATH',
      'WORKDIR sub',
      'WORKDIR ../$V',
      'SHELL ["bash", "-ec"]',
      'RUN --mount=type=cache,target=/x b',
      'RUN ["c", "d"]',
      'RUN <<E\nf\nE',
      'RUN cat <<E\nf\nE',
      'LABEL a=b',
      'USER root',
    );
    expect(rest).toEqual({
      from: 'debian:12',
      env: { V: '2', PATH: '/opt:/usr/bin:/bin' },
      workdir: '/root/2',
    });
    const args = { BASE: 'debian', VERSION: '2' };
    const later = { env: { ...args, V: '2', PATH: '/opt:/usr/bin:/bin' }, workdir: '/root/2' };
    expect(runs).toMatchObject([
      { argv: ['/bin/sh', '-c', 'a'], env: args, workdir: '/root', line: 3, source: 'RUN a' },
      { argv: ['bash', '-ec', 'b'], ...later },
      { argv: ['c', 'd'], ...later },
      { argv: ['bash', '-ec', 'f\n'], ...later },
      { argv: ['bash', '-ec', 'cat <<E\nf\nE'], ...later },
    ]);
  });

  it.each([
    ['COPY . /x', /Line 2, "COPY \. \/x": COPY cannot be done here: .*write them to the sandbox/],
    ['ONBUILD RUN x', /ONBUILD cannot be done here/],
    ['FROM y', /no build stages/],
    ['USER 1000', /one user, root/],
    ['ENV 1=2', /"1=2" sets no variable/],
    ['ENV', /sets no variable/],
    ['RUN', /RUN has no command/],
    ['WORKDIR $NOTHING', /needs a value/],
    ['SHELL bash', /JSON array/],
    ['RUN --mount=type=bind,source=x y', /--mount=type=bind,source=x cannot be done here/],
    ['WHAT ever', /"WHAT" is no instruction/],
  ])('refuses %s, and says why', (line, reason) => {
    expect(() => plan('FROM x', line)).toThrow(reason);
  });
});
