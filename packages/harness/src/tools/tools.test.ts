import type { Sandboxes } from '@capstan/sandbox/port';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callOf, NEVER, type SandboxWorld, startSandboxWorld, textOf } from './testing.ts';
import type { Tools } from './tools.ts';

let world: SandboxWorld;
let tools: Tools;

beforeAll(async () => {
  world = await startSandboxWorld();
}, 30_000);
afterAll(() => world.stop());
beforeEach(() => {
  tools = world.wake();
});

const run = (name: string, input: Record<string, unknown>) => tools.perform(callOf(name, input), NEVER);
const bash = (command: string, more: Record<string, unknown> = {}) => run('bash', { command, ...more });

describe('bash', () => {
  it('returns the output of a command in the order it was written', async () => {
    const outcome = await bash('echo out; echo err >&2; echo again');
    expect(outcome).toEqual({ content: [{ type: 'text', text: 'out\nerr\nagain\n' }], isError: false });
  });

  it('keeps the directory and exported variables from call to call, until it is restarted', async () => {
    await bash('mkdir -p /workspace/deep && cd /workspace/deep && export MARK=here');
    expect(textOf(await bash('echo $PWD $MARK'))).toBe('/workspace/deep here\n');
    expect(textOf(await run('bash', { restart: true }))).toBe('The shell was restarted.');
    expect(textOf(await bash('echo $PWD [$MARK]'))).toBe('/workspace []\n');
  });

  it('tells the command the id of its call', async () => {
    const call = callOf('bash', { command: 'echo $CAPSTAN_EFFECT_ID' });
    expect(textOf(await tools.perform(call, NEVER))).toBe(`${call.effectId}\n`);
  });

  it('is an error with the exit code when the command fails', async () => {
    const outcome = await bash('echo before; exit 3');
    expect(outcome.isError).toBe(true);
    expect(textOf(outcome)).toBe('before\n[exit code 3]');
  });

  it('says so when there is no output', async () => {
    expect(textOf(await bash('true'))).toBe('(no output)');
  });

  it('stops a command at its limit and keeps what it wrote', async () => {
    const outcome = await bash('echo begun; sleep 60', { timeout_ms: 2_000 });
    expect(outcome.isError).toBe(true);
    expect(textOf(outcome)).toMatch(/^begun\n\[Stopped: it ran longer than its limit of 2000 ms/);
  });

  it('says what may have been when all that runs is killed, as it is over a full disk', async () => {
    const outcome = await bash('kill -KILL -1; sleep 60');
    expect(outcome.isError).toBe(true);
    expect(textOf(outcome)).toMatch(/^\[Outcome unknown: all that ran .*more on its disk than it may have/);
    expect(textOf(await bash('echo goes on'))).toBe('goes on\n');
  });

  it('shows the beginning of a long output and the file that has the whole', async () => {
    const outcome = await bash('yes 0123456789 | head -c 3000000; echo THE-END');
    const text = textOf(outcome);
    expect(text.length).toBeLessThan(25_000);
    const path = /whole output is in (\S+):/.exec(text)?.[1] ?? '';
    expect(textOf(await bash(`tail -c 8 ${path}; wc -c < ${path}`))).toBe('THE-END\n3000008\n');
  });

  it('gives exactly 100,000 characters whole', async () => {
    expect(textOf(await bash('head -c 100000 /dev/zero | tr "\\0" x'))).toBe('x'.repeat(100_000));
  });

  it('does not put binary output or terminal control into the text', async () => {
    expect(textOf(await bash('head -c 2000 /dev/urandom; printf "\\0\\0"'))).toMatch(/^\[Binary output/);
    expect(textOf(await bash('printf "\\033[31mred\\033[0m\\a plain"'))).toBe('red plain');
  });

  it('says where the rest is even when little of the beginning can be shown', async () => {
    expect(textOf(await bash('yes "$(printf "\\033[0m")" | tr -d "\\n" | head -c 1000000'))).toMatch(
      /whole output is in/,
    );
  });

  it('runs once, however often the same call is performed', async () => {
    const call = callOf('bash', { command: 'echo x >> /workspace/once; wc -l < /workspace/once' });
    const [first, second] = await Promise.all([tools.perform(call, NEVER), tools.perform(call, NEVER)]);
    expect([textOf(first), textOf(second)]).toEqual(['1\n', '1\n']);
  });

  it.each([
    [{}, /command: is required unless restart is true/],
    [{ command: 7 }, /command: /],
    [{ command: 'x', timeout_ms: 0 }, /timeout_ms: must be at least 1/],
    [{ command: 'x', timeoutMs: 5 }, /timeoutMs/],
  ])('refuses %j and names the field', async (input, message) => {
    const outcome = await run('bash', input);
    expect(outcome.isError).toBe(true);
    expect(textOf(outcome)).toMatch(message);
  });
});

describe('files', () => {
  it('writes, reads with line numbers and makes directories', async () => {
    expect(textOf(await run('write', { file_path: 'a/b/c.txt', content: 'one\ntwo\nthree\n' }))).toBe(
      'Wrote 14 bytes to /workspace/a/b/c.txt.',
    );
    expect(textOf(await run('read', { file_path: '/workspace/a/b/c.txt' }))).toBe(
      '     1\tone\n     2\ttwo\n     3\tthree\n',
    );
    const ranged = await run('read', { file_path: 'a/b/c.txt', view_range: [2, 0] });
    expect(textOf(ranged)).toBe('     2\ttwo\n     3\tthree\n');
  });

  it('says what is wrong with a path or range', async () => {
    expect(textOf(await run('read', { file_path: '/workspace/none' }))).toBe(
      'There is no file or directory /workspace/none.',
    );
    expect(textOf(await run('read', { file_path: '/workspace' }))).toMatch(/is a directory/);
    await run('write', { file_path: 'short', content: 'x' });
    expect(textOf(await run('read', { file_path: 'short', view_range: [5, 9] }))).toMatch(/only 1 lines/);
    expect(textOf(await run('write', { content: 'x' }))).toMatch(/file_path/);
  });

  it('cuts a long file at a whole line and says how to read on', async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index + 1}`);
    await run('write', { file_path: 'long', content: lines.join('\n') });
    const text = textOf(await run('read', { file_path: 'long' }));
    const next = Number(/view_range \[(\d+), 20000\]/.exec(text)?.[1]);
    expect(text).toContain(`\tline ${next - 1}\n[Lines 1-${next - 1} of 20000.`);
  });

  it('shows an image as an image and refuses other binaries', async () => {
    await bash('printf "\\x89PNG\\r\\n\\x1a\\n1234" > p.png; head -c 100 /dev/zero > z');
    const outcome = await run('read', { file_path: 'p.png' });
    expect(outcome.content[0]).toMatchObject({ type: 'image', source: { media_type: 'image/png' } });
    expect(textOf(await run('read', { file_path: 'z' }))).toMatch(/binary file of 100 bytes/);
  });

  it('edits exactly what is there once', async () => {
    await run('write', { file_path: 'e', content: 'aa\nbb\naa\n$& é\n' });
    const edit = (old: string, next: string, all = false) =>
      run('edit', { file_path: 'e', old_string: old, new_string: next, replace_all: all });
    expect(textOf(await edit('aa', 'x'))).toMatch(/found 2 times/);
    expect(textOf(await edit('zz', 'x'))).toMatch(/not found/);
    expect(textOf(await edit('bb', 'b$&b'))).toBe('Replaced one occurrence in /workspace/e.');
    expect(textOf(await edit('aa', 'c', true))).toBe('Replaced 2 occurrences in /workspace/e.');
    expect(textOf(await bash('cat e'))).toBe('c\nb$&b\nc\n$& é\n');
  });

  it('replaces nothing when the file changes between its reading and its writing', async () => {
    await run('write', { file_path: 'raced', content: 'a' });
    const racing: Sandboxes = {
      ...world.sandboxes,
      async readFile(request) {
        const chunk = await world.sandboxes.readFile(request);
        await bash('echo changed > /workspace/raced');
        return chunk;
      },
    };
    const call = callOf('edit', { file_path: 'raced', old_string: 'a', new_string: 'b' });
    const outcome = await world.wake(racing).perform(call, NEVER);
    expect([outcome.isError, textOf(outcome)]).toEqual([
      true,
      expect.stringMatching(/changed while it was edited/),
    ]);
    expect(textOf(await bash('cat raced; ls /tmp/.capstan | grep -c edit'))).toMatch(/^changed\n0/);
  });

  it('keeps the mode of a file it edits', async () => {
    await bash('printf "#!/bin/sh\\necho hi\\n" > s.sh; chmod 755 s.sh');
    await run('edit', { file_path: 's.sh', old_string: 'hi', new_string: 'ho' });
    expect(textOf(await bash('./s.sh; stat -c %a s.sh'))).toBe('ho\n755\n');
  });
});

describe('searches', () => {
  it('find files by pattern, newest first', async () => {
    await bash(
      'rm -rf g; mkdir -p g/sub/.git "g/sp ace"; cd g; touch -d "2020-01-01" old.ts; touch -d "2021-01-01" sub/mid.ts; ' +
        'touch -d "2022-01-01" "sp ace/new.ts"; touch sub/.git/no.ts other.js; cd /workspace',
    );
    const found = await run('glob', { pattern: '**/*.ts', path: '/workspace/g' });
    expect(textOf(found)).toBe('/workspace/g/sp ace/new.ts\n/workspace/g/sub/mid.ts\n/workspace/g/old.ts');
    expect(textOf(await run('glob', { pattern: 'g/*.{js,md}' }))).toBe('/workspace/g/other.js');
    expect(textOf(await run('glob', { pattern: '*.none' }))).toMatch(/No files match/);
    expect(textOf(await run('glob', { pattern: 'a[' }))).toMatch(/pattern: a "\[" is not closed/);
  });

  it('list no more files than a result may have characters', async () => {
    await bash('mkdir crowd; for n in $(seq 600); do : > "crowd/$(printf %0240d "$n")"; done');
    const text = textOf(await run('glob', { pattern: 'crowd/*' }));
    expect(text.length).toBeLessThanOrEqual(100_000);
    const listed = text.split('\n').slice(0, -1);
    expect(text).toContain(`these are the newest ${listed.length}.`);
    expect(new Set(listed.map((path) => path.length))).toEqual(new Set(['/workspace/crowd/'.length + 240]));
  });

  it('search contents with line numbers', async () => {
    await bash('rm -rf s; mkdir s; printf "alpha\\nbeta 42\\n" > s/a.txt; printf "beta\\0" > s/bin');
    expect(textOf(await run('grep', { pattern: 'beta \\d+', path: 's' }))).toBe(
      '/workspace/s/a.txt:2:beta 42\n',
    );
    expect(textOf(await run('grep', { pattern: 'gamma', path: 's' }))).toMatch(/^No matches/);
    const wrong = await run('grep', { pattern: '(', path: 's' });
    expect(wrong.isError).toBe(true);
    expect(textOf(await run('grep', { pattern: '-rf; echo pwned', path: 's' }))).toMatch(/^No matches/);
  });

  it('put a long result into a file', async () => {
    await bash('yes "a fairly long line to find" | head -n 20000 > /workspace/many');
    const text = textOf(await run('grep', { pattern: 'fairly', path: 'many' }));
    const path = /whole output is in (\S+):/.exec(text)?.[1] ?? '';
    expect(textOf(await bash(`wc -l < ${path}`))).toBe('20000\n');
  });
});

describe('recovery', () => {
  it('joins a command that a dead process had begun, without running it again', async () => {
    const call = callOf('bash', { command: 'echo y >> /workspace/r; sleep 0.5; wc -l < /workspace/r' });
    const dying = new AbortController();
    const lost = tools.perform(call, dying.signal).catch(() => null);
    await begun(call.effectId);
    dying.abort();
    await lost;
    expect(textOf(await world.wake().recover(call, NEVER))).toBe('1\n');
  });

  it('runs a command that never began', async () => {
    await bash('true');
    const call = callOf('bash', { command: 'echo fresh' });
    expect(textOf(await world.wake().recover(call, NEVER))).toBe('fresh\n');
  });

  it('knows an edit that was made from one that was not', async () => {
    await run('write', { file_path: 'edited', content: 'a' });
    const call = callOf('edit', { file_path: 'edited', old_string: 'a', new_string: 'aa' });
    await tools.perform(call, NEVER);
    const again = await world.wake().recover(call, NEVER);
    expect(again).toEqual({
      content: [{ type: 'text', text: 'Replaced one occurrence in /workspace/edited.' }],
      isError: false,
    });
    expect(textOf(await bash('cat edited'))).toBe('aa');
    const other = callOf('edit', { file_path: 'edited', old_string: 'aa', new_string: 'b' });
    await world.wake().recover(other, NEVER);
    expect(textOf(await bash('cat edited'))).toBe('b');
  });

  it('cannot know what became of a command whose sandbox is gone', async () => {
    const call = callOf('bash', { command: 'echo done' });
    await tools.perform(call, NEVER);
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    expect(await world.wake().recover(call, NEVER)).toBeNull();
    world.remembered.sandboxId = 'sb-nobodyknowsthisone00000';
    expect(await world.wake().recover(call, NEVER)).toBeNull();
  });

  it('cannot know what became of a command whose sandbox was replaced since, and does not run it again', async () => {
    const call = callOf('bash', { command: 'echo ran >> /workspace/ran' });
    await tools.perform(call, NEVER);
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    const woken = world.wake();
    woken.follow({ since: null, upTo: call.effectId });
    await woken.perform(callOf('bash', { command: 'true' }), NEVER);
    expect(await world.wake().recover(call, NEVER)).toBeNull();
    expect(textOf(await bash('ls /workspace/ran 2>/dev/null; true'))).toBe('(no output)');
  });

  it('stops a command that is cancelled', async () => {
    await bash('true');
    const call = callOf('bash', { command: 'echo started; sleep 60' });
    const outcome = tools.perform(call, NEVER);
    await begun(call.effectId, 'started');
    await world.wake().cancel(call);
    expect(textOf(await outcome)).toBe('started\n[Stopped before it was done.]');
  });
});

describe('a cancelled call', () => {
  it('whose command had not begun yet never begins', async () => {
    await bash('rm -f /workspace/late');
    const call = callOf('bash', { command: 'touch /workspace/late' });
    await tools.cancel(call);
    expect((await tools.perform(call, NEVER)).isError).toBe(true);
    expect(textOf(await bash('ls /workspace/late 2>/dev/null; true'))).toBe('(no output)');
  });

  it('is not performed when its sandbox was still being made', async () => {
    const abort = new AbortController();
    const call = callOf('write', { file_path: 'late', content: 'x' });
    const held = {
      ...world.sandboxes,
      status: async (id: string) => {
        abort.abort('stopped');
        return world.sandboxes.status(id);
      },
    };
    await expect(world.wake(held).perform(call, abort.signal)).rejects.toBe('stopped');
    expect(textOf(await bash('ls /workspace/late 2>/dev/null; true'))).toBe('(no output)');
  });
});

describe('the sandbox of a session', () => {
  it('is made once for callers that race', async () => {
    let created = 0;
    const counted: Sandboxes = {
      ...world.sandboxes,
      create: (request) => {
        created++;
        return world.sandboxes.create(request);
      },
    };
    world.remembered.sandboxId = null;
    const fresh = world.wake(counted);
    fresh.prepare('bash');
    const calls = ['a', 'b', 'c'].map((word) =>
      fresh.perform(callOf('bash', { command: `echo ${word}` }), NEVER),
    );
    expect((await Promise.all(calls)).map(textOf)).toEqual(['a\n', 'b\n', 'c\n']);
    expect(created).toBe(1);
  });

  it('is replaced when it was lost, and there is news of that for the session to tell', async () => {
    await bash('true');
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    const woken = world.wake();
    const first = await woken.perform(callOf('bash', { command: 'echo back' }), NEVER);
    expect(first.isError).toBe(false);
    expect(textOf(first)).toBe('back\n');
    const replacement = { restored: null, lost: { files: 'all', processes: true } };
    expect(woken.news().at(-2)).toMatchObject({ kind: 'replaced', replacement });
    expect(textOf(await woken.perform(callOf('bash', { command: 'echo on' }), NEVER))).toBe('on\n');
  });

  it('that ends under a tool is replaced for what is harmless to repeat, not for a command', async () => {
    await bash('true');
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    const command = await bash('echo hi');
    expect([command.isError, textOf(command)]).toEqual([true, expect.stringMatching(/may or may not/)]);
    await run('write', { file_path: 'w', content: 'x' });
    await world.sandboxes.terminate(world.remembered.sandboxId ?? '');
    expect(textOf(await run('write', { file_path: 'w', content: 'x' }))).toMatch(/^Wrote 1 bytes/);
  });

  it('that a command has made unusable is replaced: what is harmless is done in the next, a command is not', async () => {
    const gone = 'rm -rf /usr/bin /bin 2>/dev/null; echo done';
    expect(textOf(await bash(gone))).toBe('done\n');
    const command = await bash('echo hi');
    expect([command.isError, textOf(command)]).toEqual([
      true,
      expect.stringMatching(/cannot be used any more/),
    ]);
    expect(textOf(await bash(gone))).toBe('done\n');
    const file = { file_path: '/workspace/w', content: 'x' };
    expect(textOf(await run('write', file))).toMatch(/^Wrote 1 bytes/);
    expect(textOf(await bash('cat /workspace/w'))).toBe('x');
  });

  it('is ended with its session, by whichever process looks after it then', async () => {
    await bash('true');
    const sandboxId = world.remembered.sandboxId ?? '';
    const another = world.wake();
    expect(another.holds()).toBe(true);
    await another.release();
    expect(another.holds()).toBe(false);
    expect(await world.sandboxes.status(sandboxId)).toMatchObject({ state: 'terminated' });
    await another.release();
  });

  it('that is still being made when its session ends is held until it is there, and ended', async () => {
    let reach = () => {};
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const slow: Sandboxes = {
      ...world.sandboxes,
      create: async (request) => {
        await reached;
        return world.sandboxes.create(request);
      },
    };
    world.remembered.sandboxId = null;
    const fresh = world.wake(slow);
    fresh.prepare('bash');
    expect(fresh.holds()).toBe(true);
    const released = fresh.release();
    reach();
    await released;
    expect(fresh.holds()).toBe(false);
    expect(world.remembered.sandboxId).toBe(null);
  });

  it('is not made for a tool there is none of', async () => {
    expect(textOf(await run('web_search', { query: 'x' }))).toMatch(/There is no tool named "web_search"/);
  });
});

/** Resolves when the run is known to its sandbox, and has said that. */
async function begun(runId: string, words = ''): Promise<void> {
  for (;;) {
    const sandboxId = world.remembered.sandboxId ?? '';
    const chunk = await world.sandboxes
      .readRun({ sandboxId, runId, offset: 0, until: 'output', waitMs: 2_000 })
      .catch(() => null);
    if (chunk !== null && new TextDecoder().decode(chunk.bytes).includes(words)) return;
  }
}
