// What every implementation of the Sandboxes port keeps: runs and the shells they share.
import { describe, expect, it } from 'vitest';
import { MAX_OUTPUT_BYTES, type RunChunk, type StartRun, WORKSPACE } from '../port.ts';
import { ALL_BYTES, newRunId, over, refuses, text, type World } from './world.contract.ts';

export function describeRuns(world: World): void {
  const { sh, start } = world;
  describe('runs', () => {
    it('gives a short run its whole output and exit code in one call', async () => {
      const chunk = await start('echo one; echo two >&2; exit 3');
      expect(chunk).toMatchObject({
        outcome: { state: 'exited', exitCode: 3 },
        eof: true,
        truncated: false,
        nextOffset: 8,
      });
      expect(text(chunk.bytes)).toBe('one\ntwo\n');
      expect(await sh(`cat ${chunk.outputPath}`)).toBe('one\ntwo\n');
    });

    it('runs an argument list, and says 127 when there is no such program', async () => {
      const chunk = await start(['printf', '%s|', 'a b', '$HOME'], { cwd: '/tmp', env: { X: '1' } });
      expect(text(chunk.bytes)).toBe('a b|$HOME|');
      expect((await start(['no-such-program'])).outcome).toEqual({ state: 'exited', exitCode: 127 });
    });

    it('has names that begin with CAPSTAN_ in the environment of the shell itself, not of its children alone', async () => {
      const command = 'while IFS= read -r -d "" entry; do echo "$entry"; done </proc/$$/environ';
      const { bytes } = await start(command, { env: { CAPSTAN_MARK: 'a b', OTHER: '1' } });
      expect(text(bytes).split('\n')).toContain('CAPSTAN_MARK=a b');
    });

    it('starts a command once, however many ask for it at once', async () => {
      const runId = newRunId();
      const command = `echo started >> ${WORKSPACE}/${runId}; read -t 0.3 <> <(:); echo done`;
      const chunks = await Promise.all([1, 2, 3, 4, 5, 6].map(() => start(command, { runId })));
      for (const chunk of chunks) {
        expect(chunk.outcome).toEqual({ state: 'exited', exitCode: 0 });
        expect(text(chunk.bytes)).toBe('done\n');
      }
      expect(await sh(`cat ${WORKSPACE}/${runId}`)).toBe('started\n');
    });

    it('refuses a known runId with another command', async () => {
      const runId = newRunId();
      await start('echo a', { runId });
      await expect(start('echo b', { runId })).rejects.toEqual(refuses('conflict'));
    });

    it('goes on without its caller and is read from any offset', async () => {
      const runId = newRunId();
      const command = `for i in 1 2 3; do echo line $i; done; until [[ -e ${runId} ]]; do read -t 0.02 <> <(:); done; exit 4`;
      const chunk = await start(command, { runId, waitMs: 0 });
      expect(chunk).toMatchObject({ outcome: { state: 'running' }, eof: false });
      await sh(`touch ${runId}`);
      const end = await world.sandboxes.readRun({
        sandboxId: world.sandboxId,
        runId,
        offset: 7,
        waitMs: 10_000,
      });
      expect(end.outcome).toEqual({ state: 'exited', exitCode: 4 });
      expect(text(end.bytes)).toBe('line 2\nline 3\n');
      expect(end).toMatchObject({ nextOffset: 21, eof: true });
    });

    it('gives output as it comes to a reader that asks for it', async () => {
      const runId = newRunId();
      const more = `until [[ -e ${runId} ]]; do read -t 0.02 <> <(:); done`;
      await start(`echo 1; ${more}; echo 2`, { runId, waitMs: 0 });
      const seen: string[] = [];
      for (let offset = 0, eof = false; !eof; ) {
        const chunk: RunChunk = await world.sandboxes.readRun({
          sandboxId: world.sandboxId,
          runId,
          offset,
          waitMs: 10_000,
          until: 'output',
        });
        seen.push(text(chunk.bytes));
        if (seen.length === 1) await sh(`touch ${runId}`);
        ({ nextOffset: offset, eof } = chunk);
      }
      expect(seen.filter((piece) => piece !== '')).toEqual(['1\n', '2\n']);
    });

    it('gives the first output in the call that starts it, when asked to, and the end when there is none', async () => {
      const said = await start('echo first; sleep 20; echo second', { until: 'output' });
      expect(said).toMatchObject({ outcome: { state: 'running' }, nextOffset: 6, eof: false });
      expect(text(said.bytes)).toBe('first\n');
      const late = await start('read -t 0.3 <> <(:); echo late; sleep 20', { until: 'output' });
      expect(text(late.bytes)).toBe('late\n');
      expect(await start('exit 3', { until: 'output' })).toMatchObject({
        outcome: { state: 'exited', exitCode: 3 },
        eof: true,
      });
      const waited = await start('sleep 20', { until: 'output', waitMs: 300 });
      expect(waited).toMatchObject({ outcome: { state: 'running' }, nextOffset: 0 });
    });

    it('stops a command that never ends, at its limit', async () => {
      const chunk = await start('echo begun; while :; do sleep 1; done', { timeoutMs: 2_000 });
      expect(chunk.outcome).toEqual({ state: 'timed_out', exitCode: 124 });
      expect(text(chunk.bytes)).toBe('begun\n');
    });

    it('stops a command that refuses to be stopped', async () => {
      const chunk = await start(`trap '' TERM; while :; do sleep 1; done`, { timeoutMs: 2_000 });
      expect(chunk.outcome).toEqual({ state: 'timed_out', exitCode: 137 });
    }, 60_000);

    it.each([
      ['is suspended', 'echo begun; kill -STOP $$'],
      ['left its group', ['bash', '-c', 'echo begun; exec setsid sleep 4545']],
    ])('stops a command that %s, at its limit', async (_, command) => {
      const chunk = await start(command, { timeoutMs: 2_000 });
      expect(chunk.outcome).toEqual({ state: 'timed_out', exitCode: 124 });
      expect(text(chunk.bytes)).toBe('begun\n');
      expect(await sh(over('sleep 454[5]'))).toBe('over\n');
    });

    it('may signal everything in its group', async () => {
      const chunk = await start(
        'trap "echo told" HUP INT TERM; for s in HUP INT TERM; do kill -$s 0; done; exit 4',
      );
      expect(chunk.outcome).toEqual({ state: 'exited', exitCode: 4 });
      expect(text(chunk.bytes)).toBe('told\n'.repeat(3));
      expect((await start('kill 0')).outcome).toEqual({ state: 'exited', exitCode: 143 });
    });

    it('is killed with everything it started, once', async () => {
      const runId = newRunId();
      await start('sleep 4242 & sleep 4242', { runId, waitMs: 0 });
      const killed = await world.sandboxes.killRun({ sandboxId: world.sandboxId, runId });
      expect(killed.state).toBe('killed');
      expect(await world.sandboxes.killRun({ sandboxId: world.sandboxId, runId })).toEqual(killed);
      expect(await sh(over('sleep 424[2]'))).toBe('over\n');
    });

    it('keeps its outcome when it is killed after its end', async () => {
      const runId = newRunId();
      await start('exit 5', { runId });
      expect(await world.sandboxes.killRun({ sandboxId: world.sandboxId, runId })).toEqual({
        state: 'exited',
        exitCode: 5,
      });
    });

    it('leaves a background process running and does not wait for it', async () => {
      const chunk = await start('sleep 4343 & echo served');
      expect(chunk.outcome).toEqual({ state: 'exited', exitCode: 0 });
      expect(text(chunk.bytes)).toBe('served\n');
      expect(await sh('pkill -f "sleep 434[3]" && echo was there')).toBe('was there\n');
    });

    it('keeps the first 64 MiB of 100 MB and lets the command finish', async () => {
      const runId = newRunId();
      const chunk = await start('head -c 100000000 /dev/zero | tr "\\0" x; exit 6', {
        runId,
        maxBytes: 10,
      });
      expect(chunk).toMatchObject({
        outcome: { state: 'exited', exitCode: 6 },
        truncated: true,
        eof: false,
      });
      const tail = await world.sandboxes.readRun({
        sandboxId: world.sandboxId,
        runId,
        offset: MAX_OUTPUT_BYTES - 5,
      });
      expect(text(tail.bytes)).toBe('xxxxx');
      expect(tail.eof).toBe(true);
    }, 60_000);

    it('carries every byte', async () => {
      await world.sandboxes.writeFile({
        sandboxId: world.sandboxId,
        path: `${WORKSPACE}/bytes`,
        content: ALL_BYTES,
      });
      const chunk = await start('cat bytes');
      expect(new Uint8Array(chunk.bytes)).toEqual(ALL_BYTES);
    });

    it('survives a fork bomb', async () => {
      const chunk = await start('bomb() { bomb | bomb & }; bomb; sleep 60', {
        timeoutMs: 1_000,
        waitMs: 20_000,
      });
      expect(['timed_out', 'exited', 'killed']).toContain(chunk.outcome.state);
      expect((await start('echo alive')).outcome).toEqual({ state: 'exited', exitCode: 0 });
    }, 60_000);

    it('ends when a command kills its parent', async () => {
      const chunk = await start('echo before; kill -9 $PPID; sleep 60');
      expect(chunk.outcome).toEqual({ state: 'exited', exitCode: 137 });
      expect(text(chunk.bytes)).toBe('before\n');
    });

    it('is lost, and stopped, when what watches it is killed', async () => {
      const runId = newRunId();
      await start('echo begun; sleep 4444', { runId, until: 'output' });
      const pids = `/var/tmp/.capstan/runs/${runId}.pid`;
      await sh(
        `until [[ -s ${pids} ]]; do read -t 0.02 <> <(:); done; read -r _ _ watcher _ < ${pids} && kill -9 "$watcher"`,
      );
      const chunk = await world.sandboxes.readRun({
        sandboxId: world.sandboxId,
        runId,
        offset: 0,
        waitMs: 10_000,
      });
      expect(chunk.outcome).toEqual({ state: 'lost' });
      expect(text(chunk.bytes)).toBe('begun\n');
      expect(await sh(over('sleep 444[4]'))).toBe('over\n');
    });

    it('takes a script longer than one argument can be', async () => {
      const script = `cat <<'END' | wc -c\n${'é'.repeat(150_000)}\nEND\n`;
      expect(text((await start(script)).bytes)).toBe('300001\n');
      expect(await sh(script)).toBe('300001\n');
      await expect(start('x'.repeat(1_100_000))).rejects.toEqual(refuses('too_large'));
    });

    it('tells a run that could not be started from one that is unknown', async () => {
      const runs = '/var/tmp/.capstan/runs';
      await sh(`mv ${runs} ${runs}.kept && touch ${runs}`);
      await expect(start('true')).rejects.toEqual(refuses('unusable'));
      await sh(`rm ${runs} && mv ${runs}.kept ${runs}`);
      expect((await start('true')).outcome).toEqual({ state: 'exited', exitCode: 0 });
    });

    it('names what it cannot find or understand', async () => {
      await expect(
        world.sandboxes.readRun({ sandboxId: world.sandboxId, runId: 'unknown', offset: 0 }),
      ).rejects.toEqual(refuses('not_found'));
      await expect(world.sandboxes.killRun({ sandboxId: world.sandboxId, runId: 'unknown' })).rejects.toEqual(
        refuses('not_found'),
      );
      await expect(start('true', { runId: '../x' })).rejects.toThrow(/runId: must be/);
      await expect(start('true', { env: { 'A-B': '1' } })).rejects.toThrow(/env: "A-B"/);
      await expect(start(['true'], { shell: 'main' })).rejects.toThrow(/shell: needs a script/);
    });
  });

  describe('shells', () => {
    const shell = 'main';
    const say = async (command: string, more: Partial<StartRun> = {}) =>
      text((await start(command, { shell, ...more })).bytes);

    it('remember directory and exported variables, whatever the exit code', async () => {
      await say('mkdir -p "/tmp/a b"; cd "/tmp/a b"; export WORD="it\'s\n\\$5"; LOCAL=1; false');
      expect(await say('pwd; echo "$WORD"; echo "[$LOCAL]"')).toBe("/tmp/a b\nit's\n$5\n[]\n");
      await say('export WORD=new; exit 9');
      expect(await say('echo $WORD')).toBe('new\n');
    });

    it('know the directory they were in before', async () => {
      await say('cd /usr; cd /tmp');
      expect(await say('cd -; cd -')).toBe('/usr\n/tmp\n');
    });

    it('do not remember the variables of one run', async () => {
      expect(await say('echo $ONCE', { env: { ONCE: 'secret' } })).toBe('secret\n');
      expect(await say('echo "[$ONCE]"')).toBe('[]\n');
    });

    it('are as before when a script is killed', async () => {
      await say('export KEPT=1; cd /tmp');
      expect((await start('export KEPT=2; cd /; kill -9 $$', { shell })).outcome).toEqual({
        state: 'exited',
        exitCode: 137,
      });
      expect(await say('echo $KEPT; pwd')).toBe('1\n/tmp\n');
    });

    it('go on from /workspace, and say so, when their directory is gone', async () => {
      await say('mkdir /tmp/gone; cd /tmp/gone; rmdir /tmp/gone');
      expect(await say('pwd')).toBe('/tmp/gone is gone; back in /workspace\n/workspace\n');
    });

    it('are independent of each other and forget when they are reset', async () => {
      await say('export MINE=1; cd /tmp');
      expect(await say('echo "[$MINE]"; pwd', { shell: 'other' })).toBe('[]\n/workspace\n');
      await world.sandboxes.resetShell({ sandboxId: world.sandboxId, shell });
      expect(await say('echo "[$MINE]"; pwd')).toBe('[]\n/workspace\n');
    });
  });
}
