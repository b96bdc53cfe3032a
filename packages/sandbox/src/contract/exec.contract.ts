// What every implementation of the Sandboxes port keeps: short commands.
import { describe, expect, it } from 'vitest';
import { ALL_BYTES, over, text, type World } from './world.contract.ts';

export function describeExec(world: World): void {
  describe('exec', () => {
    it('tells output, errors and exit code apart', async () => {
      const result = await world.sandboxes.exec({
        sandboxId: world.sandboxId,
        command: 'echo out; echo err >&2; exit 7',
      });
      expect(result).toMatchObject({ exitCode: 7, timedOut: false, truncated: false });
      expect([text(result.stdout), text(result.stderr)]).toEqual(['out\n', 'err\n']);
    });

    it('runs an argument list without a shell, with directory, environment and input', async () => {
      const argv = ['sh', '-c', 'pwd; echo "$A $1"; cat', 'sh', '$HOME'];
      const stdin = new TextEncoder().encode('input');
      const { stdout } = await world.sandboxes.exec({
        sandboxId: world.sandboxId,
        command: argv,
        cwd: '/tmp',
        env: { A: 'x y' },
        stdin,
      });
      expect(text(stdout)).toBe('/tmp\nx y $HOME\ninput');
    });

    it('carries every byte both ways', async () => {
      const { stdout } = await world.sandboxes.exec({
        sandboxId: world.sandboxId,
        command: ['cat'],
        stdin: ALL_BYTES,
      });
      expect(new Uint8Array(stdout)).toEqual(ALL_BYTES);
    });

    it('stops at its time limit and says so', async () => {
      const result = await world.sandboxes.exec({
        sandboxId: world.sandboxId,
        command: 'echo begun; sleep 60',
        timeoutMs: 2_000,
      });
      expect(result.timedOut).toBe(true);
      expect(text(result.stdout)).toBe('begun\n');
    });

    it('stops what it started and what refuses to be stopped, a command that stopped itself too', async () => {
      const { sandboxId } = world;
      const limited = { sandboxId, timeoutMs: 300 };
      const refusing = world.sandboxes.exec({ ...limited, command: "trap '' TERM; sleep 4545 & wait" });
      const stopped = world.sandboxes.exec({ ...limited, command: 'kill -STOP $$; echo never' });
      expect(await stopped).toMatchObject({ exitCode: 124, timedOut: true });
      expect(text((await stopped).stdout)).toBe('');
      expect(await refusing).toMatchObject({ timedOut: true });
      expect(await world.sh(over('sleep 454[5]'))).toBe('over\n');
    }, 60_000);

    it('runs the program that a list names, not what a shell knows by that name', async () => {
      const { sandboxId } = world;
      const said = await world.sandboxes.exec({ sandboxId, command: ['printf', '%s', '--version'] });
      expect(text(said.stdout)).toBe('--version');
      const builtin = await world.sandboxes.exec({ sandboxId, command: ['declare', '-p'] });
      expect([builtin.exitCode, text(builtin.stdout)]).toEqual([127, '']);
    });

    it('keeps the exit code of a command that a signal ended', async () => {
      const { sandboxId } = world;
      for (const [command, exitCode] of [
        ['kill -9 $$', 137],
        ['kill -TERM $$', 143],
        ['kill -9 $PPID; exit 0', 137],
      ] as const) {
        const said = await world.sandboxes.exec({ sandboxId, command });
        expect([command, said.exitCode, text(said.stderr)]).toEqual([command, exitCode, '']);
      }
    });

    it('keeps the beginning of more output than asked for', async () => {
      const result = await world.sandboxes.exec({
        sandboxId: world.sandboxId,
        command: 'head -c 5000000 /dev/zero',
        maxBytes: 1000,
      });
      expect(result.truncated).toBe(true);
      expect(result.stdout).toHaveLength(1000);
    });
  });
}
