import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { groupIsAlive } from './process-table.ts';
import { Program, type ProgramPlan, type Supervision } from './program.ts';
import { scratchDir, until, writeProgram } from './testing.ts';

const STAY = 'setInterval(() => undefined, 1_000);';
/** A child that outlives its parent unless its group is ended. */
const WITH_CHILD = `import { spawn } from 'node:child_process'; const child = spawn('sleep', ['1000'], { stdio: 'ignore' });`;

type Told = { told: string[]; supervision: Supervision };

function watched(backoffMs = 20): Told {
  const told: string[] = [];
  return {
    told,
    supervision: {
      tell: (line) => told.push(line),
      changed: () => undefined,
      backoffMs: () => backoffMs,
      steadyAfterMs: 60_000,
    },
  };
}

function supervise(plan: Partial<ProgramPlan> & { file: string }, { supervision }: Told): Program {
  const dir = join(plan.file, '..');
  const program = new Program(
    {
      name: 'sample',
      env: () => ({}),
      readyEvent: 'ready',
      readyWithinMs: 10_000,
      logFile: join(dir, 'sample.log'),
      ...plan,
    },
    supervision,
  );
  onTestFinished(() => program.stop());
  return program;
}

describe('Program', () => {
  it('is ready when its ready line comes, and keeps everything it prints in its log', async () => {
    const file = writeProgram(
      scratchDir(),
      'talker',
      `console.log('before'); console.error('aside'); announce({ port: 7 }); ${STAY}`,
    );
    const program = supervise({ file }, watched());
    expect(await program.start()).toMatchObject({ event: 'ready', port: 7 });
    const log = () => readFileSync(join(file, '../sample.log'), 'utf8');
    expect(log()).toContain('before');
    await until('what it said aside is there', () => log().includes('aside'));
  });

  it('goes on when there is no room for its log', async () => {
    const file = writeProgram(
      scratchDir(),
      'unheard',
      `process.stderr.write('before'); announce({ port: 7 }); ${STAY}`,
    );
    symlinkSync('/dev/full', join(file, '../sample.log'));
    expect(await supervise({ file }, watched()).start()).toMatchObject({ port: 7 });
  });

  it('fails its start when it ends before it is ready, naming the log', async () => {
    const file = writeProgram(scratchDir(), 'broken', `throw new Error('no');`);
    await expect(supervise({ file }, watched()).start()).rejects.toMatchObject({
      message: 'sample ended while starting (exit 1).',
      way: expect.stringContaining('sample.log'),
    });
  });

  it('fails its start when it does not get ready in time, and is ended', async () => {
    const file = writeProgram(scratchDir(), 'silent', STAY);
    const program = supervise({ file, readyWithinMs: 300 }, watched());
    await expect(program.start()).rejects.toThrow('did not get ready within 0.3 s');
    await until('the mark is gone', () => program.mark === undefined);
  });

  it('comes back after being killed, with what it announced first, and says so', async () => {
    const file = writeProgram(scratchDir(), 'mortal', `announce({ at: process.env.AT }); ${STAY}`);
    const world = watched();
    const program = supervise(
      { file, env: (announced) => ({ AT: announced ? `again after ${announced.pid}` : 'first' }) },
      world,
    );
    const first = await program.start();
    program.signal('SIGKILL');
    await until('it is told', () => world.told.includes('sample is back.'));
    expect(world.told[0]).toMatch(/^sample ended \(SIGKILL\); starting it again in 0\.02 s\. Log: /);
    expect(readFileSync(join(file, '../sample.log'), 'utf8')).toContain(`again after ${first.pid}`);
    expect(program.mark?.pid).not.toBe(first.pid);
  });

  it('waits longer before each restart while it keeps dying', async () => {
    const attempts: number[] = [];
    const dir = scratchDir();
    const file = writeProgram(dir, 'dying', `announce(); setTimeout(() => process.exit(3), 20);`);
    const world = watched();
    world.supervision.backoffMs = (attempt) => {
      attempts.push(attempt);
      return 1;
    };
    await supervise({ file }, world).start();
    await until('three deaths', () => attempts.length >= 3);
    expect(attempts.slice(0, 3)).toEqual([1, 2, 3]);
  });

  it('leaves nothing of its group behind when it is stopped or dies', async () => {
    const file = writeProgram(
      scratchDir(),
      'parent',
      `${WITH_CHILD} announce({ child: child.pid }); ${STAY}`,
    );
    const program = supervise({ file }, watched(60_000));
    const { pid, child } = await program.start();
    program.signal('SIGKILL');
    await until('the group is gone', () => !groupIsAlive(Number(pid)));
    expect(() => process.kill(Number(child), 0)).toThrow('ESRCH');
  });

  it('stops a program that refuses the polite signal', async () => {
    const file = writeProgram(
      scratchDir(),
      'stubborn',
      `process.on('SIGTERM', () => undefined); announce(); ${STAY}`,
    );
    const program = supervise({ file }, watched());
    const { pid } = await program.start();
    await program.stop();
    expect(groupIsAlive(Number(pid))).toBe(false);
  });

  it('is not brought back after a stop', async () => {
    const file = writeProgram(scratchDir(), 'brief', `announce(); ${STAY}`);
    const world = watched(1);
    const program = supervise({ file }, world);
    await program.start();
    await program.stop();
    expect(program.mark).toBeUndefined();
    expect(world.told).toEqual([]);
  });
});

describe('the leash', () => {
  const supervisor = (dir: string, program: string) =>
    writeProgram(
      dir,
      'supervisor',
      `import { Program } from '${import.meta.dirname}/program.ts';
       const program = new Program(
         { name: 'held', file: '${program}', env: () => ({}), readyEvent: 'ready', readyWithinMs: 10_000, logFile: '${dir}/held.log' },
         { tell: console.log, changed: () => undefined, backoffMs: () => 60_000, steadyAfterMs: 1 },
       );
       announce({ held: (await program.start()).pid });`,
    );

  for (const [manner, source] of [
    ['a program that listens to no signal', STAY],
    ['a program that refuses SIGTERM', `process.on('SIGTERM', () => undefined); ${STAY}`],
    ['a program that ends politely', `process.on('SIGTERM', () => process.exit(0)); ${STAY}`],
  ]) {
    it(`ends ${manner}, and its children, when its supervisor is killed`, async () => {
      const dir = scratchDir();
      const held = writeProgram(dir, 'held', `${WITH_CHILD} announce({ child: child.pid }); ${source}`);
      const parent = spawn(process.execPath, [supervisor(dir, held)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const leader = await heldBy(parent);
      expect(groupIsAlive(leader)).toBe(true);
      parent.kill('SIGKILL');
      await until('the group is gone', () => !groupIsAlive(leader));
      expect(existsSync(`/proc/${leader}/exe`)).toBe(false);
    });
  }
});

async function heldBy(supervisor: ChildProcess): Promise<number> {
  let text = '';
  supervisor.stdout?.on('data', (part) => {
    text += part;
  });
  const line = await until('the supervisor announces', () =>
    text.split('\n').find((part) => part.includes('"held"')),
  );
  return JSON.parse(line).held;
}
