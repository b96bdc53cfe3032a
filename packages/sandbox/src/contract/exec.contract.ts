// What every implementation of the Sandboxes port keeps: short commands.
import { describe, expect, it } from 'vitest';
import { ALL_BYTES, text, type World } from './world.contract.ts';

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
        timeoutMs: 300,
      });
      expect(result.timedOut).toBe(true);
      expect(text(result.stdout)).toBe('begun\n');
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
