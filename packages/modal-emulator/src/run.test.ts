import { createHash } from 'node:crypto';
import type { Sandbox } from 'modal';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { bash, PATIENTLY, startTestEmulator, type TestEmulator } from './testing.ts';

const MIB = 1024 * 1024;
let world: TestEmulator;
let sandbox: Sandbox;

beforeAll(async () => {
  world = await startTestEmulator();
  sandbox = await world.create({ workdir: '/workspace/made', env: { BASE: 'sandbox', BOTH: 'sandbox' } });
});
afterAll(() => world.stop());

describe('a command', { timeout: 60_000 }, () => {
  it('keeps stdout, stderr and the exit code apart', async () => {
    expect(await bash(sandbox, 'echo out; echo err >&2; exit 7')).toEqual({
      code: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('receives its arguments and variables byte for byte', async () => {
    const words = ["it's", '$HOME `id` "x" \\', 'ünïcödé', 'two\nlines', '', '-n', '*'];
    const run = await sandbox.exec(['printf', '%s\\0', ...words], { env: { QUOTED: "a'b$c" } });
    expect((await run.stdout.readText()).split('\0').slice(0, -1)).toEqual(words);
    const env = await sandbox.exec(['sh', '-c', 'echo "$QUOTED|$BASE|$BOTH|$UID"'], {
      env: { QUOTED: "a'b$c", BOTH: 'command', UID: '77' },
    });
    expect(await env.stdout.readText()).toBe("a'b$c|sandbox|command|77\n");
  });

  it('starts in the sandbox directory, or the one it names', async () => {
    expect((await bash(sandbox, 'pwd')).stdout).toBe('/workspace/made\n');
    const run = await sandbox.exec(['pwd'], { workdir: '/usr/bin' });
    expect(await run.stdout.readText()).toBe('/usr/bin\n');
    const nowhere = await sandbox.exec(['pwd'], { workdir: '/nowhere' });
    expect(await nowhere.stderr.readText()).toContain('/nowhere: No such file or directory');
    expect(await nowhere.wait()).toBe(127);
  });

  it('that does not exist ends with 127 and says so', async () => {
    const run = await sandbox.exec(['no-such-program']);
    expect(await run.stderr.readText()).toContain('no-such-program: not found');
    expect(await run.wait()).toBe(127);
  });

  it('with an argument no program can receive is refused by name', async () => {
    await expect(sandbox.exec(['echo', 'a\0b'])).rejects.toThrow(/NUL/);
  });

  it('streams its output while it runs, and reads stdin until it is closed', async () => {
    const run = await sandbox.exec(['cat']);
    const reader = run.stdout.getReader();
    for (const text of ['one\n', 'two\n']) {
      await run.stdin.writeText(text);
      expect((await reader.read()).value).toBe(text);
    }
    await run.stdin.close();
    expect((await reader.read()).done).toBe(true);
    expect(await run.wait()).toBe(0);
  });

  it('that ignores its stdin does not hold up who writes it', async () => {
    const run = await sandbox.exec(['true'], { mode: 'binary' });
    expect(await run.wait()).toBe(0);
    const early = await sandbox.exec(['bash', '-c', 'exec <&-; echo closed; sleep 0.2']);
    await early.stdout.readText();
    expect(await early.wait()).toBe(0);
  });

  it('carries binary input and output unchanged', async () => {
    const bytes = new Uint8Array(3 * MIB).map((_, index) => (index * 31) % 256);
    const run = await sandbox.exec(['cat'], { mode: 'binary' });
    const output = run.stdout.readBytes();
    await run.stdin.writeBytes(bytes);
    await run.stdin.close();
    expect(digest(await output)).toBe(digest(bytes));
  });

  it('streams 100 MB without keeping it in memory', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const run = await sandbox.exec(['head', '-c', '104857600', '/dev/zero'], { mode: 'binary' });
    expect(await run.wait()).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * MIB);
    let size = 0;
    for await (const chunk of run.stdout) size += chunk.length;
    expect(size).toBe(104_857_600);
  }, 60_000);

  it('has its output cut at the limit, and the cut is announced', async () => {
    const small = await startTestEmulator({ outputLimitBytes: MIB });
    const run = await (await small.create()).exec(['head', '-c', String(3 * MIB), '/dev/zero'], {
      mode: 'binary',
    });
    expect(await run.wait()).toBe(0);
    const output = Buffer.from(await run.stdout.readBytes());
    expect(output.subarray(MIB).toString()).toBe(`\n[output over ${MIB} bytes is discarded]\n`);
    await small.stop();
  });

  it('is over when it exits, while its background child lives on and may still write', async () => {
    const script =
      '(while [ ! -e /tmp/stop ]; do echo tick; echo tick >>/tmp/ticks; sleep 0.01; done) & echo main';
    const { code, stdout } = await bash(sandbox, script);
    expect(code).toBe(0);
    expect(stdout).toContain('main\n');
    const ticks = async () => Number((await bash(sandbox, 'wc -l </tmp/ticks')).stdout);
    const first = await ticks();
    await vi.waitFor(async () => expect(await ticks()).toBeGreaterThan(first + 20), PATIENTLY);
    await bash(sandbox, 'touch /tmp/stop');
  });

  it('leaves a detached process that dies with the sandbox', async () => {
    const other = await world.create();
    await bash(
      other,
      'setsid sh -c "echo \\$\\$ >/tmp/pid; exec sleep 4713" >/dev/null 2>&1 & until [ -s /tmp/pid ]; do :; done',
    );
    expect((await bash(other, 'kill -0 $(cat /tmp/pid)')).code).toBe(0);
    await other.terminate();
    const { stdout } = await bash(sandbox, 'true');
    expect(stdout).toBe('');
    expect(await other.wait()).toBe(137);
  });

  it('has its whole process group killed at its timeout', async () => {
    const run = await sandbox.exec(['bash', '-c', 'sleep 4714 & sleep 4714'], { timeoutMs: 1000 });
    // The client gives up at the same moment as the emulator kills: either may be first.
    expect(await run.wait().catch(() => 137)).toBe(137);
    await vi.waitFor(
      async () => expect((await bash(sandbox, 'pgrep -f "sleep 471[4]"')).code).toBe(1),
      PATIENTLY,
    );
  });

  it('has its orphans reaped', async () => {
    await bash(sandbox, 'for i in $(seq 20); do (true &) ; done');
    const zombies = 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l';
    await vi.waitFor(async () => expect((await bash(sandbox, zombies)).stdout).toBe('0\n'), PATIENTLY);
  });

  it('can reopen /dev/stdout and /dev/stdin', async () => {
    const run = await sandbox.exec(['bash', '-c', 'echo e >/dev/stderr; cat /dev/stdin >/dev/stdout']);
    await run.stdin.writeText('through');
    const reader = run.stdout.getReader();
    expect((await reader.read()).value).toBe('through');
    await run.stdin.close();
    expect([await run.wait(), await run.stderr.readText()]).toEqual([0, 'e\n']);
  });

  it('runs on a terminal when it asks for one', async () => {
    const run = await sandbox.exec(['bash', '-c', 'test -t 0 && test -t 1 && echo terminal'], { pty: true });
    expect(await run.stdout.readText()).toContain('terminal');
    expect(await run.wait()).toBe(0);
  });

  it('runs beside many others', async () => {
    const runs = Array.from({ length: 50 }, (_, index) => bash(sandbox, `echo ${index}; exit ${index}`));
    const results = await Promise.all(runs);
    expect(results.map(({ code }) => code)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    expect(results.map(({ stdout }) => Number(stdout))).toEqual(results.map(({ code }) => code));
  });

  it('finds the languages of the host', async () => {
    const { stdout } = await bash(sandbox, 'uname -a; python3 -c "print(6 * 7)"; git --version; node -p 6*7');
    expect(stdout).toMatch(/^Linux sandbox .*\n42\ngit version .*\n42\n$/);
  });
});

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
