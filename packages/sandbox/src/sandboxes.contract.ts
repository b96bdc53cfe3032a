// What every implementation of the Sandboxes port keeps, run against the real thing.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSandboxError, type SandboxErrorCode } from './error.ts';
import {
  MAX_OUTPUT_BYTES,
  OUTPUTS,
  type RunChunk,
  type Sandboxes,
  type StartRun,
  UPLOADS,
  WORKSPACE,
} from './port.ts';

export interface Subject {
  sandboxes: Sandboxes;
  close(): Promise<void>;
}

const newName = () => `contract-${crypto.randomUUID()}`;
const newRunId = () => `run_${crypto.randomUUID()}`;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const refuses = (code: SandboxErrorCode) => ({
  asymmetricMatch: (error: unknown) => isSandboxError(error, code),
});
const ALL_BYTES = Uint8Array.from({ length: 1024 }, (_, i) => i % 256);

export function describeSandboxes(subject: string, open: () => Promise<Subject>): void {
  describe(`Sandboxes over ${subject}`, () => {
    let opened: Subject;
    let sandboxes: Sandboxes;
    let sandboxId: string;

    beforeAll(async () => {
      opened = await open();
      sandboxes = opened.sandboxes;
      sandboxId = (await sandboxes.create({ name: newName() })).sandboxId;
    }, 60_000);
    afterAll(() => opened.close());

    const sh = async (command: string) => text((await sandboxes.exec({ sandboxId, command })).stdout);
    const start = (command: StartRun['command'], more: Partial<StartRun> = {}) =>
      sandboxes.startRun({
        sandboxId,
        runId: newRunId(),
        command,
        timeoutMs: 20_000,
        waitMs: 15_000,
        ...more,
      });

    describe('create', () => {
      it('gives callers that race for a name one sandbox', async () => {
        const name = newName();
        const refs = await Promise.all([1, 2, 3, 4].map(() => sandboxes.create({ name })));
        expect(new Set(refs.map((ref) => ref.sandboxId)).size).toBe(1);
        expect(refs.filter((ref) => ref.created)).toHaveLength(1);
        expect(await sandboxes.create({ name })).toEqual({ ...refs[0], created: false });
        expect(await sandboxes.findByName(name)).toEqual({ ...refs[0], created: false });
        await sandboxes.terminate(refs[0]?.sandboxId ?? '');
      });

      it('makes the directories that agents are promised', async () => {
        expect(await sh('pwd')).toBe(`${WORKSPACE}\n`);
        for (const directory of [WORKSPACE, OUTPUTS, UPLOADS]) {
          expect(await sh(`touch ${directory}/x && rm ${directory}/x && echo ok`)).toBe('ok\n');
        }
      });

      it('gives every command the environment it was asked for', async () => {
        const env = { GREETING: 'hello you', state: 'mine', run: 'mine', code: '7' };
        const made = await sandboxes.create({ name: newName(), env });
        const command = 'echo "$GREETING $state $run $code"';
        const { stdout } = await sandboxes.exec({ sandboxId: made.sandboxId, command });
        expect(text(stdout)).toBe('hello you mine mine 7\n');
        const chunk = await start(command, { sandboxId: made.sandboxId });
        expect(text(chunk.bytes)).toBe('hello you mine mine 7\n');
        await sandboxes.terminate(made.sandboxId);
      });

      it('makes no sandbox when a variable has a name that commands could not be given', async () => {
        const name = newName();
        await expect(sandboxes.create({ name, env: { 'A-B': '1' } })).rejects.toThrow(/env: "A-B"/);
        expect(await sandboxes.findByName(name)).toBeNull();
      });

      it('refuses names that are none', async () => {
        await expect(sandboxes.create({ name: 'a b' })).rejects.toEqual(refuses('invalid'));
        await expect(sandboxes.create({ name: '' })).rejects.toThrow(/name: must be 1-64/);
      });
    });

    describe('exec', () => {
      it('tells output, errors and exit code apart', async () => {
        const result = await sandboxes.exec({ sandboxId, command: 'echo out; echo err >&2; exit 7' });
        expect(result).toMatchObject({ exitCode: 7, timedOut: false, truncated: false });
        expect([text(result.stdout), text(result.stderr)]).toEqual(['out\n', 'err\n']);
      });

      it('runs an argument list without a shell, with directory, environment and input', async () => {
        const argv = ['sh', '-c', 'pwd; echo "$A $1"; cat', 'sh', '$HOME'];
        const stdin = new TextEncoder().encode('input');
        const { stdout } = await sandboxes.exec({
          sandboxId,
          command: argv,
          cwd: '/tmp',
          env: { A: 'x y' },
          stdin,
        });
        expect(text(stdout)).toBe('/tmp\nx y $HOME\ninput');
      });

      it('carries every byte both ways', async () => {
        const { stdout } = await sandboxes.exec({ sandboxId, command: ['cat'], stdin: ALL_BYTES });
        expect(new Uint8Array(stdout)).toEqual(ALL_BYTES);
      });

      it('stops at its time limit and says so', async () => {
        const result = await sandboxes.exec({ sandboxId, command: 'echo begun; sleep 60', timeoutMs: 300 });
        expect(result.timedOut).toBe(true);
        expect(text(result.stdout)).toBe('begun\n');
      });

      it('keeps the beginning of more output than asked for', async () => {
        const result = await sandboxes.exec({
          sandboxId,
          command: 'head -c 5000000 /dev/zero',
          maxBytes: 1000,
        });
        expect(result.truncated).toBe(true);
        expect(result.stdout).toHaveLength(1000);
      });
    });

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
        const chunk = await start('for i in 1 2 3; do echo line $i; sleep 0.2; done; exit 4', {
          runId,
          waitMs: 0,
        });
        expect(chunk).toMatchObject({ outcome: { state: 'running' }, eof: false });
        const end = await sandboxes.readRun({ sandboxId, runId, offset: 7, waitMs: 10_000 });
        expect(end.outcome).toEqual({ state: 'exited', exitCode: 4 });
        expect(text(end.bytes)).toBe('line 2\nline 3\n');
        expect(end).toMatchObject({ nextOffset: 21, eof: true });
      });

      it('gives output as it comes to a reader that asks for it', async () => {
        const runId = newRunId();
        await start(`for i in 1 2; do echo $i; read -t 0.5 <> <(:); done`, { runId, waitMs: 0 });
        const seen: string[] = [];
        for (let offset = 0, eof = false; !eof; ) {
          const chunk: RunChunk = await sandboxes.readRun({
            sandboxId,
            runId,
            offset,
            waitMs: 10_000,
            until: 'output',
          });
          seen.push(text(chunk.bytes));
          ({ nextOffset: offset, eof } = chunk);
        }
        expect(seen.filter((piece) => piece !== '')).toEqual(['1\n', '2\n']);
      });

      it('stops a command that never ends, at its limit', async () => {
        const chunk = await start('echo begun; while :; do sleep 1; done', { timeoutMs: 500 });
        expect(chunk.outcome).toEqual({ state: 'timed_out', exitCode: 124 });
        expect(text(chunk.bytes)).toBe('begun\n');
      });

      it('stops a command that refuses to be stopped', async () => {
        const chunk = await start(`trap '' TERM; while :; do sleep 1; done`, { timeoutMs: 300 });
        expect(chunk.outcome).toEqual({ state: 'timed_out', exitCode: 137 });
      }, 20_000);

      it('is killed with everything it started, once', async () => {
        const runId = newRunId();
        await start('sleep 4242 & sleep 4242', { runId, waitMs: 0 });
        const killed = await sandboxes.killRun({ sandboxId, runId });
        expect(killed.state).toBe('killed');
        expect(await sandboxes.killRun({ sandboxId, runId })).toEqual(killed);
        expect(await sh('pgrep -f "sleep 424[2]" || echo none')).toBe('none\n');
      });

      it('keeps its outcome when it is killed after its end', async () => {
        const runId = newRunId();
        await start('exit 5', { runId });
        expect(await sandboxes.killRun({ sandboxId, runId })).toEqual({ state: 'exited', exitCode: 5 });
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
        const tail = await sandboxes.readRun({ sandboxId, runId, offset: MAX_OUTPUT_BYTES - 5 });
        expect(text(tail.bytes)).toBe('xxxxx');
        expect(tail.eof).toBe(true);
      }, 30_000);

      it('carries every byte', async () => {
        await sandboxes.writeFile({ sandboxId, path: `${WORKSPACE}/bytes`, content: ALL_BYTES });
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
        await start('echo begun; sleep 4444', { runId, waitMs: 200 });
        await sh(`read -r _ _ watcher < /var/tmp/.capstan/runs/${runId}.pid && kill -9 "$watcher"`);
        const chunk = await sandboxes.readRun({ sandboxId, runId, offset: 0, waitMs: 10_000 });
        expect(chunk.outcome).toEqual({ state: 'lost' });
        expect(text(chunk.bytes)).toBe('begun\n');
        expect(await sh('pgrep -f "sleep 444[4]" || echo none')).toBe('none\n');
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
        await expect(start('true')).rejects.toEqual(refuses('internal'));
        await sh(`rm ${runs} && mv ${runs}.kept ${runs}`);
        expect((await start('true')).outcome).toEqual({ state: 'exited', exitCode: 0 });
      });

      it('names what it cannot find or understand', async () => {
        await expect(sandboxes.readRun({ sandboxId, runId: 'unknown', offset: 0 })).rejects.toEqual(
          refuses('not_found'),
        );
        await expect(sandboxes.killRun({ sandboxId, runId: 'unknown' })).rejects.toEqual(
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
        await sandboxes.resetShell({ sandboxId, shell });
        expect(await say('echo "[$MINE]"; pwd')).toBe('[]\n/workspace\n');
      });
    });

    describe('files', () => {
      const path = `${WORKSPACE}/a dir/$file.bin`;

      it('are written whole, with their directories, and read in pieces', async () => {
        await sandboxes.writeFile({ sandboxId, path, content: ALL_BYTES });
        expect(await sandboxes.readFile({ sandboxId, path })).toMatchObject({ sizeBytes: 1024, eof: true });
        const piece = await sandboxes.readFile({ sandboxId, path, offset: 1000, maxBytes: 100 });
        expect(new Uint8Array(piece.bytes)).toEqual(ALL_BYTES.subarray(1000));
        expect(piece.eof).toBe(true);
        expect(await sandboxes.readFile({ sandboxId, path, maxBytes: 10 })).toMatchObject({
          eof: false,
          sizeBytes: 1024,
        });
      });

      it('take several megabytes, and nothing', async () => {
        const content = new Uint8Array(5_000_000).fill(7);
        await sandboxes.writeFile({ sandboxId, path, content });
        const { bytes } = await sandboxes.readFile({ sandboxId, path, maxBytes: 6_000_000 });
        expect(Buffer.compare(bytes, content)).toBe(0);
        await sandboxes.writeFile({ sandboxId, path, content: new Uint8Array() });
        expect(await sandboxes.readFile({ sandboxId, path })).toMatchObject({ sizeBytes: 0, eof: true });
      });

      it('keep their permissions and the links to them', async () => {
        await sh(`echo old > target; chmod 750 target; ln -sf target link`);
        await sandboxes.writeFile({
          sandboxId,
          path: `${WORKSPACE}/link`,
          content: new TextEncoder().encode('new'),
        });
        expect(await sh('cat target; stat -c " %a" target; stat -c %F link')).toBe(
          'new 750\nsymbolic link\n',
        );
      });

      it('are listed and described', async () => {
        await sh(
          `mkdir -p list/sub; printf 123 > "list/a b"; printf 1 > list/.hidden; ln -s nowhere list/link`,
        );
        const { entries, truncated } = await sandboxes.listFiles({ sandboxId, path: `${WORKSPACE}/list` });
        const seen = entries.map(({ path, type }) => [path.slice(`${WORKSPACE}/list/`.length), type]);
        expect(seen).toEqual([
          ['.hidden', 'file'],
          ['a b', 'file'],
          ['link', 'symlink'],
          ['sub', 'directory'],
        ]);
        expect(truncated).toBe(false);
        const file = await sandboxes.stat({ sandboxId, path: `${WORKSPACE}/list/a b` });
        expect(file).toMatchObject({
          type: 'file',
          sizeBytes: 3,
          mode: 0o644,
          path: `${WORKSPACE}/list/a b`,
        });
        expect(Math.abs(Date.now() - file.modifiedAt)).toBeLessThan(60_000);
      });

      it('say what is wrong with a path', async () => {
        const content = new Uint8Array(1);
        const missing = { sandboxId, path: '/no/such/file' };
        const directory = { sandboxId, path: WORKSPACE };
        await expect(sandboxes.readFile(missing)).rejects.toEqual(refuses('file_not_found'));
        await expect(sandboxes.stat(missing)).rejects.toEqual(refuses('file_not_found'));
        await expect(sandboxes.listFiles(missing)).rejects.toEqual(refuses('file_not_found'));
        await expect(sandboxes.readFile(directory)).rejects.toEqual(refuses('is_directory'));
        await expect(sandboxes.writeFile({ ...directory, content })).rejects.toEqual(refuses('is_directory'));
        await expect(sandboxes.listFiles({ sandboxId, path: '/etc/passwd' })).rejects.toEqual(
          refuses('not_directory'),
        );
        const below = { sandboxId, path: '/etc/passwd/x', content };
        await expect(sandboxes.writeFile(below)).rejects.toEqual(refuses('not_directory'));
        await expect(sandboxes.readFile({ sandboxId, path: 'relative' })).rejects.toThrow(
          /path: must be an absolute path/,
        );
        await expect(sandboxes.readFile({ sandboxId, path: '/dev/null' })).rejects.toEqual(
          refuses('invalid'),
        );
      });
    });

    describe('a terminated sandbox', () => {
      it('is gone for every call, and its name is free again', async () => {
        const name = newName();
        const { sandboxId: ended } = await sandboxes.create({ name });
        await sandboxes.startRun({ sandboxId: ended, runId: 'r', command: 'sleep 60', timeoutMs: 60_000 });
        const waiting = sandboxes.readRun({ sandboxId: ended, runId: 'r', offset: 0, waitMs: 30_000 });
        const refused = expect(waiting).rejects.toEqual(refuses('gone'));
        await sandboxes.terminate(ended);
        await refused;
        await sandboxes.terminate(ended);
        expect(await sandboxes.status(ended)).toMatchObject({ state: 'terminated' });
        const gone = refuses('gone');
        await expect(sandboxes.exec({ sandboxId: ended, command: 'true' })).rejects.toEqual(gone);
        await expect(sandboxes.readRun({ sandboxId: ended, runId: 'r', offset: 0 })).rejects.toEqual(gone);
        await expect(sandboxes.readFile({ sandboxId: ended, path: '/etc/passwd' })).rejects.toEqual(gone);
        expect(await sandboxes.findByName(name)).toBeNull();
        const again = await sandboxes.create({ name });
        expect(again.created).toBe(true);
        expect(again.sandboxId).not.toBe(ended);
        expect((await sandboxes.list()).map((entry) => entry.sandboxId)).toContain(again.sandboxId);
        await sandboxes.terminate(again.sandboxId);
      }, 30_000);
    });

    it('tells an unknown sandbox from a terminated one', async () => {
      const unknown = `sb-${'A'.repeat(26)}`;
      await expect(sandboxes.status(unknown)).rejects.toEqual(refuses('not_found'));
      await expect(sandboxes.exec({ sandboxId: unknown, command: 'true' })).rejects.toEqual(
        refuses('not_found'),
      );
      await sandboxes.terminate(unknown);
    });

    it('asks the backend for its health', async () => {
      expect((await sandboxes.health()).detail).toMatch(/Modal/);
      expect(await sandboxes.status(sandboxId)).toMatchObject({ state: 'running' });
    });
  });
}
