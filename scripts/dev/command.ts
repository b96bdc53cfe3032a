// Command: a program run to its end whose output matters only when it fails.
import { type ChildProcess, spawn } from 'node:child_process';
import { Fault } from './fault.ts';
import { signalGroup } from './process-table.ts';

export type CommandPlan = {
  argv: [string, ...string[]];
  cwd: string;
  env?: Record<string, string>;
  /** What it does, as the failure names it: "Building the Console". */
  purpose: string;
};

const running = new Set<ChildProcess>();

/** Resolves with everything it printed; a failure is a Fault that carries the last of it. */
export async function run(plan: CommandPlan): Promise<string> {
  const [file, ...args] = plan.argv;
  const child = spawn(file, args, {
    cwd: plan.cwd,
    env: { ...process.env, ...plan.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => output.push(text));
  }
  const ending = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(signal ?? `exit ${code}`));
  }).finally(() => running.delete(child));
  if (ending === 'exit 0') return output.join('');
  const last = output.join('').trimEnd().split('\n').slice(-30).join('\n');
  throw new Fault(`${plan.purpose} failed (${ending}).`, `It said:\n${last}`);
}

/** Ends every command that is still at work, with its children. */
export function endCommands(): void {
  for (const child of running) if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
}
