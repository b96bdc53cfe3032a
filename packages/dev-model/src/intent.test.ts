import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIntent } from './intent.ts';

const cases: [text: string, intent: ReturnType<typeof parseIntent>][] = [
  ['Run: uname -a', { kind: 'run', command: 'uname -a' }],
  ['please run: ls -la', { kind: 'run', command: 'ls -la' }],
  ['Run: `echo hi`', { kind: 'run', command: 'echo hi' }],
  ['Hello.\nRun: [[ -f x ]] && echo yes\nThanks', { kind: 'run', command: '[[ -f x ]] && echo yes' }],
  ['Run:\necho a\necho b', { kind: 'run', command: 'echo a\necho b' }],
  ['Can you run `pwd` for me?', { kind: 'run', command: 'pwd' }],
  ['Execute the command `date`.', { kind: 'run', command: 'date' }],
  ['Do this:\n```bash\ncd /tmp\nls\n```\nthen stop', { kind: 'run', command: 'cd /tmp\nls' }],
  ['Run:\n```sh\nid\n```', { kind: 'run', command: 'id' }],
  ['write "some text" to notes.txt', { kind: 'write', content: 'some text', path: 'notes.txt' }],
  ["Please write 'a' into the file `/tmp/a b`", null],
  ['Write “hello” to /tmp/x.md.', { kind: 'write', content: 'hello', path: '/tmp/x.md' }],
  ['write a haiku to poem.txt', { kind: 'write', content: 'a haiku', path: 'poem.txt' }],
  ['create a file a.txt with the text "x"', { kind: 'write', content: 'x', path: 'a.txt' }],
  ['read notes.txt', { kind: 'read', path: 'notes.txt' }],
  ['Could you please read the file /etc/hosts?', { kind: 'read', path: '/etc/hosts' }],
  ['replace "a" with "b" in c.txt', { kind: 'edit', from: 'a', to: 'b', path: 'c.txt' }],
  ['list files', { kind: 'list', path: null }],
  ['List the files in /tmp', { kind: 'list', path: '/tmp' }],
  ['list files in .', { kind: 'list', path: '.' }],
  ['search for TODO in src', { kind: 'search', pattern: 'TODO', path: 'src' }],
  ['search for "two words" in ./src.', { kind: 'search', pattern: 'two words', path: './src' }],
  ['say hi', { kind: 'greet' }],
  ['Hello!', { kind: 'greet' }],
  ['say "good night"', { kind: 'say', text: 'good night' }],
  ['What is the meaning of life?', null],
  ['I read the news today', null],
  ['', null],
];

describe('parseIntent', () => {
  it.each(cases)('%j is understood', (text, intent) => {
    expect(parseIntent(text)).toEqual(intent);
  });

  it('takes any one-line command after Run: as it is', () => {
    const command = fc.stringMatching(/^[\x21-\x5f\x61-\x7e]([\x20-\x5f\x61-\x7e]*[\x21-\x5f\x61-\x7e])?$/);
    fc.assert(
      fc.property(command, (line) => {
        expect(parseIntent(`Run: ${line}`)).toEqual({ kind: 'run', command: line });
      }),
    );
  });

  it('writes any quoted text to any plain path', () => {
    const content = fc.string().filter((text) => !text.includes('"'));
    const path = fc.stringMatching(/^\/?[a-z0-9_]+(\/[a-z0-9_-]+){0,3}\.[a-z]{1,3}$/);
    fc.assert(
      fc.property(content, path, (text, file) => {
        expect(parseIntent(`write "${text}" to ${file}`)).toEqual({
          kind: 'write',
          content: text,
          path: file,
        });
      }),
    );
  });

  it('answers any text, however often it could be read in another way', () => {
    const hard = [
      'write '.repeat(5000),
      `write ${' to'.repeat(9000)}`,
      `read ${' '.repeat(19_000)}x y`,
      'run `'.repeat(20_000),
      `run${' '.repeat(150_000)}`,
    ];
    for (const text of hard) expect(() => parseIntent(text)).not.toThrow();
    fc.assert(fc.property(fc.string({ maxLength: 500 }), (text) => void parseIntent(text)));
  });
});
