// Attendants in sandboxes of the local Modal: killed, polluted, shared, idle.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createModalSandboxes, type ModalSandboxes } from '../modal.ts';
import { MAX_CHUNK_BYTES } from '../port.ts';
import { type LocalModal, openLocalModal, TOKENS } from '../testing.ts';

const IDLE_MS = 3_000;

let modal: LocalModal;
let open: (idleMs?: number) => ModalSandboxes;
let sandboxes: ModalSandboxes;
const opened: ModalSandboxes[] = [];

beforeAll(async () => {
  modal = await openLocalModal();
  process.env.MODAL_SERVER_URL = modal.emulator.url;
  const { createModalClient } = await import('./sdk.ts');
  open = (idleMs = IDLE_MS) => {
    const settings = { appName: 'attendants', image: 'debian:12', idleMs };
    const made = createModalSandboxes({ ...createModalClient(TOKENS), ...settings });
    opened.push(made);
    return made;
  };
  sandboxes = open();
});
afterAll(async () => {
  for (const each of opened) each.close();
  await modal.close();
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const path = '/workspace/file';
const PATIENTLY = { timeout: 20_000 };

async function make(name: string) {
  const { sandboxId } = await sandboxes.create({ name });
  const sh = async (command: string) => text((await sandboxes.exec({ sandboxId, command })).stdout).trim();
  return { sandboxId, sh };
}

/** The attendants on this machine, as it numbers them, in sandboxes whose environment has `word`. */
function attendants(word: string): number[] {
  const read = (file: string) => {
    try {
      return readFileSync(file, 'latin1');
    } catch {
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => read(`/proc/${pid}/cmdline`).includes('__capstan_answer()'))
    .filter((pid) => read(`/proc/${pid}/environ`).includes(word))
    .map(Number);
}

/** What a command forked may be about to end, with its attendant's name still. */
const alone = (word: string) => vi.waitFor(() => expect(attendants(word)).toHaveLength(1), PATIENTLY);

/** It may have ended by itself, or with one that was killed before. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/**
 * Kills attendants, over and over, until the file is gone: who takes orders, which come through a file that has a name, and is no fork
 * of one who does. A run's supervisor is such a fork, and opens pipes of any number: what kills that loses the run.
 */
const KILLER = `touch killing
while [[ -e killing ]]; do
  for pid in $(pgrep -f '__capstan_answe[r]'); do
    read -r _ _ _ parent _ </proc/$pid/stat || continue
    [[ $(tr -d '\\0' </proc/$parent/cmdline) == *__capstan_answe[r]* ]] && continue
    [[ $(readlink /proc/$pid/fd/4) == /* && -e /proc/$pid/fd/4 ]] && kill -9 $pid && echo killed >> kills
  done
  read -t 0.01 <> <(:)
done`;

describe('attendants', { timeout: 60_000 }, () => {
  it('perform one call after another in one process', async () => {
    const { sandboxId, sh } = await make('one-process');
    const parent = 'read -r _ _ _ parent _ </proc/$PPID/stat; echo $parent';
    const first = await sh(parent);
    await sandboxes.writeFile({ sandboxId, path, content: Buffer.from('x') });
    for (let again = 0; again < 20; again++) expect(await sh(parent)).toBe(first);
  });

  it('may be killed from inside at any moment of any call', async () => {
    const { sandboxId, sh } = await make('killed-inside');
    const started = await sandboxes.startRun({
      sandboxId,
      runId: 'killer',
      command: KILLER,
      timeoutMs: 60_000,
    });
    expect(started.outcome.state).toBe('running');
    let told = 0;
    for (let round = 0; round < 15; round++) {
      const content = Buffer.from(`round ${round}`);
      await sandboxes.writeFile({ sandboxId, path, content });
      expect(text((await sandboxes.readFile({ sandboxId, path })).bytes)).toBe(`round ${round}`);
      expect((await sandboxes.stat({ sandboxId, path })).sizeBytes).toBe(content.length);
      const names = (await sandboxes.listFiles({ sandboxId, path: '/workspace' })).entries.map((e) => e.path);
      expect(names).toContain(path);
      const run = { sandboxId, runId: `run-${round}` };
      const command = 'echo once >> runs; echo out';
      const chunk = await sandboxes.startRun({ ...run, command, timeoutMs: 10_000, waitMs: 10_000 });
      expect([chunk.outcome, text(chunk.bytes)]).toEqual([{ state: 'exited', exitCode: 0 }, 'out\n']);
      expect(text((await sandboxes.readRun({ ...run, offset: 0 })).bytes)).toBe('out\n');
      const said = await sandboxes.exec({ sandboxId, command: 'echo once >> execs' });
      // Ended by the kill, as a command of its own would be: it may have got that far or not.
      if (said.exitCode === 0) told += 1;
      else expect(said.exitCode).toBe(137);
    }
    await sandboxes.killRun({ sandboxId, runId: 'killer' });
    expect(Number(await sh('wc -l < kills'))).toBeGreaterThan(0);
    expect(await sh('wc -l < runs')).toBe('15');
    const execs = Number(await sh('wc -l < execs'));
    expect(execs).toBeGreaterThanOrEqual(told);
    expect(execs).toBeLessThanOrEqual(15);
  });

  it('may be killed from outside while a command runs, which then is killed too', async () => {
    const { sandboxId, sh } = await make('killed-outside');
    await sh('true');
    const command = 'echo begun; echo once >> count; read -t 20 <> <(:)';
    const cut = sandboxes.exec({ sandboxId, command });
    await vi.waitFor(
      async () =>
        expect(text((await sandboxes.readFile({ sandboxId, path: '/workspace/count' })).bytes)).toBe(
          'once\n',
        ),
      PATIENTLY,
    );
    const word = `MODAL_SANDBOX_ID=${sandboxId}`;
    for (const pid of attendants(word)) kill(pid);
    expect(await cut).toMatchObject({ exitCode: 137, timedOut: false });
    expect(text((await cut).stdout)).toBe('begun\n');
    expect(await sh('cat count')).toBe('once');
  });

  it('serve two gateways at once', async () => {
    const { sandboxId } = await make('two-gateways');
    const both = [sandboxes, open()];
    await Promise.all(
      both.flatMap((gateway, side) =>
        Array.from({ length: 12 }, async (_, index) => {
          const own = `/workspace/${side}-${index}`;
          const content = Buffer.from(`${side} ${index} `.repeat(50));
          await gateway.writeFile({ sandboxId, path: own, content });
          expect(text((await gateway.readFile({ sandboxId, path: own })).bytes)).toBe(content.toString());
          const run = { sandboxId, runId: `shared-${index}`, command: 'echo started >> n; echo done' };
          const chunk = await gateway.startRun({ ...run, timeoutMs: 10_000, waitMs: 10_000 });
          expect(text(chunk.bytes)).toBe('done\n');
          const { stdout } = await gateway.exec({ sandboxId, command: `echo ${side} ${index}` });
          expect(text(stdout)).toBe(`${side} ${index}\n`);
        }),
      ),
    );
    const { bytes } = await sandboxes.readFile({ sandboxId, path: '/workspace/n' });
    expect(text(bytes)).toBe('started\n'.repeat(12));
  });

  it('leave files to be read while calls wait', async () => {
    const { sandboxId } = await make('waiting');
    const run = { sandboxId, runId: 'long', command: 'sleep 30', timeoutMs: 40_000 };
    const waits = [1, 2, 3, 4].map(() => sandboxes.startRun({ ...run, waitMs: 30_000 }));
    const until = 'until [[ -e go ]]; do read -t 0.05 <> <(:); done; echo gone';
    const exec = sandboxes.exec({ sandboxId, command: until });
    const content = Buffer.from('there');
    await sandboxes.writeFile({ sandboxId, path, content });
    const reads = Array.from({ length: 20 }, () => sandboxes.readFile({ sandboxId, path }));
    for (const { bytes } of await Promise.all(reads)) expect(text(bytes)).toBe('there');
    await sandboxes.killRun(run);
    for (const wait of waits) expect((await wait).outcome.state).toBe('killed');
    await sandboxes.writeFile({ sandboxId, path: '/workspace/go', content });
    expect(text((await exec).stdout)).toBe('gone\n');
  });

  it('tell nothing of what a command left behind as if it were of a later one', async () => {
    const { sandboxId } = await make('left-behind');
    const left = 'for i in 1 2 3 4 5 6; do read -t 0.05 <> <(:); echo late; echo late >&2; done';
    for (let round = 0; round < 5; round++) {
      const command = `(${left}) & setsid bash -c '${left}' & echo now`;
      await sandboxes.exec({ sandboxId, command });
      await sandboxes.writeFile({ sandboxId, path, content: Buffer.from('x') });
      for (let again = 0; again < 5; again++) {
        const { stdout, stderr } = await sandboxes.exec({ sandboxId, command: 'echo one; echo two >&2' });
        expect([text(stdout), text(stderr)]).toEqual(['one\n', 'two\n']);
        expect(text((await sandboxes.readFile({ sandboxId, path })).bytes)).toBe('x');
      }
    }
  });

  it('carry every byte and as many as one call may', async () => {
    const { sandboxId, sh } = await make('bytes');
    for (const size of [0, 1, 4_095, 4_096, 4_097, 40_000, MAX_CHUNK_BYTES]) {
      const content = Uint8Array.from({ length: size }, (_, index) => (index * 7 + (index >> 8)) % 256);
      await sandboxes.writeFile({ sandboxId, path, content });
      const { bytes, sizeBytes } = await sandboxes.readFile({ sandboxId, path, maxBytes: MAX_CHUNK_BYTES });
      expect(Buffer.from(bytes).equals(content)).toBe(true);
      expect(sizeBytes).toBe(size);
    }
    const command = 'head -c 30000000 /dev/zero; echo end >&2; exit 5';
    const said = await sandboxes.exec({ sandboxId, command, maxBytes: 1_000 });
    expect(said).toMatchObject({ exitCode: 5, truncated: true });
    expect([said.stdout.length, text(said.stderr)]).toEqual([1_000, 'end\n']);
    expect(await sh('echo next')).toBe('next');
  });

  it('end when nobody uses their sandbox, and leave nothing', async () => {
    const { sandboxId, sh } = await make('idle');
    const idleMs = 2 * IDLE_MS;
    await open(idleMs).exec({ sandboxId, command: 'true' });
    const word = `MODAL_SANDBOX_ID=${sandboxId}`;
    await alone(word);
    // Before it would have ended by itself.
    await vi.waitFor(() => expect(attendants(word)).toEqual([]), { timeout: 1.9 * idleMs });
    expect(await sh('echo again')).toBe('again');
  });

  it('end by themselves when their gateway is gone', async () => {
    const { sandboxId } = await make('abandoned');
    const gone = open();
    await gone.exec({ sandboxId, command: 'true' });
    const word = `MODAL_SANDBOX_ID=${sandboxId}`;
    await alone(word);
    gone.close();
    await vi.waitFor(() => expect(attendants(word)).toEqual([]), PATIENTLY);
  });
});
