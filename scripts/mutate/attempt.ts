// A process that tries mutants, watched: one that hangs or dies has noticed the mutant it was at, and another goes on.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLAN, type Plan, type Reach, type Said, type Verdict } from './plan.ts';

/** A process that has not turned its event loop for so long hangs. */
const SILENT_MS = 30_000;
/** Of random schedules, for each mutant: as many as are worth their time. */
const RUNS = '60';
const LOOK_MS = 1_000;

export type Told = (id: number, verdict: Verdict, by: string) => void;

/** Tries them all; `tell` is called for each as it is known. */
export async function attempt(plan: Plan, tell: Told): Promise<void> {
  let tries = [...plan.tries];
  while (tries.length > 0) {
    const { said, output } = await once({ ...plan, tries }, tell);
    const last = said.at(-1);
    const done = new Set(said.flatMap((one) => ('id' in one ? [one.id] : [])));
    const hung = last !== undefined && 'begins' in last ? last.begins : plan.always;
    if (hung !== undefined && !done.has(hung)) {
      tell(hung, 'noticed', 'the process hangs or dies');
      done.add(hung);
    }
    if (done.size === 0) throw new Error(`Nothing could be tried:\n${output}`);
    tries = tries.filter((id) => !done.has(id));
  }
}

/** Runs every test once, with no mutant in place. */
export async function measure(plan: Plan): Promise<Reach> {
  const { output } = await once(plan, () => undefined);
  if (!existsSync(plan.reach)) throw new Error(`The tests do not run:\n${output}`);
  return JSON.parse(readFileSync(plan.reach, 'utf8'));
}

async function once(plan: Plan, tell: Told): Promise<{ said: Said[]; output: string }> {
  const path = `${plan.report}.plan`;
  writeFileSync(path, JSON.stringify(plan));
  writeFileSync(plan.report, '');
  const config = join(plan.root, 'scripts/mutate/vitest.config.ts');
  const vitest = join(plan.root, 'node_modules/.bin/vitest');
  const child = spawn(vitest, ['run', '--config', config], {
    cwd: plan.root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PROPERTY_RUNS: RUNS, RUNS, ...process.env, [PLAN]: path },
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    output = `${output}${chunk}`.slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const said: Said[] = [];
  const read = () => {
    const lines = readFileSync(plan.report, 'utf8').split('\n').slice(0, -1);
    for (const line of lines.slice(said.length)) {
      const one: Said = JSON.parse(line);
      said.push(one);
      if ('id' in one) tell(one.id, one.verdict, one.by);
    }
  };
  const stop = () => child.pid !== undefined && process.kill(-child.pid, 'SIGKILL');
  // Before its files are removed, which it may still be writing.
  process.prependOnceListener('exit', stop);
  const watch = setInterval(() => {
    read();
    if (Date.now() - statSync(plan.report).mtimeMs > SILENT_MS) stop();
  }, LOOK_MS);
  await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  process.off('exit', stop);
  read();
  return { said, output };
}
