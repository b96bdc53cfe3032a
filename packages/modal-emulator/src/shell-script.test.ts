import { execFileSync } from 'node:child_process';
import { array, assert, asyncProperty, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Command, CommandError, commandScript } from './shell-script.ts';

const command = (argv: string[], env: Record<string, string> = {}): Command => ({
  argv,
  env,
  workdir: '/',
  makeWorkdir: false,
  pty: false,
  stderrToStdout: false,
});
const run = (script: string) =>
  execFileSync('bash', ['--norc', '-c', script], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  }).toString();

describe('commandScript', { timeout: 120_000 }, () => {
  it('hands any arguments and values to the program unchanged', async () => {
    const word = string({ unit: 'binary' }).filter((text) => !text.includes('\0'));
    await assert(
      asyncProperty(array(word, { minLength: 1, maxLength: 5 }), word, async (words, value) => {
        const script = commandScript(
          command(['sh', '-c', 'printf "%s\\0" "$@" "$V"', 'sh', ...words], { V: value }),
        );
        expect(run(script).split('\0').slice(0, -1)).toEqual([...words, value]);
      }),
      { numRuns: 40 },
    );
  });

  it('sets even the variables bash keeps to itself', () => {
    expect(run(commandScript(command(['printenv', 'UID'], { UID: '7' })))).toBe('7\n');
  });

  it('refuses what no program can be given', () => {
    for (const bad of [
      command([]),
      command(['a\0']),
      command(['x'.repeat(131_072)]),
      command(['x'], { '1A': '' }),
      command(['x'], { 'A;id': '' }),
    ])
      expect(() => commandScript(bad)).toThrow(CommandError);
  });
});
