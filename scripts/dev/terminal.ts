// Terminal: what the developer sees. A step says when it begins and how long it took, so that silence never means work.
export type Tell = (line: string) => void;

/** A terminal that went away must not end the platform with an unhandled error before it could be stopped. */
export function openTerminal(): Tell {
  process.stdout.on('error', () => undefined);
  return (line) => void process.stdout.write(`${line}\n`);
}

/** Runs one step of the start and tells its beginning and its end. */
export async function step<T>(tell: Tell, name: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  tell(`  … ${name}`);
  const result = await work();
  tell(`  ✓ ${name} (${seconds(startedAt)})`);
  return result;
}

export function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
