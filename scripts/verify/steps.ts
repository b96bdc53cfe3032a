// Steps: commands that run together, each told in one line as it ends; what the failed ones said comes last.
import { spawn } from 'node:child_process';
import { seconds, type Tell } from '../dev/terminal.ts';

export type Step = { name: string; work: () => Promise<string> };

/** Runs all steps, at most `width` at a time; resolves with the names of those that failed. */
export async function runSteps(
  steps: Step[],
  { width, tell }: { width: number; tell: Tell },
): Promise<string[]> {
  const failures: { name: string; said: string }[] = [];
  const waiting = [...steps];
  const worker = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const startedAt = performance.now();
      const failure = await step.work().then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      tell(`${failure === undefined ? '✓' : '✗'} ${step.name} (${seconds(startedAt)})`);
      if (failure !== undefined) failures.push({ name: step.name, said: failure });
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  for (const { name, said } of failures) tell(`\n── ${name}\n${said.trimEnd()}`);
  tell(`\n${steps.length - failures.length} passed, ${failures.length} failed`);
  return failures.map(({ name }) => name);
}

/** Resolves with the output of a command that succeeded; throws an Error with the output of one that failed. */
export async function output(argv: [string, ...string[]], cwd: string): Promise<string> {
  const [file, ...args] = argv;
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const text: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (part: string) => text.push(part));
  }
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(text.join(''));
      else reject(new Error(`${text.join('')}(${signal ?? `exit ${code}`})`));
    });
  });
}
