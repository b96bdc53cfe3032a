// Measures sandboxes on this machine: `npx -y pnpm@12.21.0 bench sandboxes [--samples N]`. Each figure contains the way
// from a client to the Worker, which is shown by itself.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { aimsMissed, show } from './aims.ts';
import { memoryOf } from './process-memory.ts';
import { type Chain, openChain } from './sandboxes/chain.ts';
import { quantile } from './statistics.ts';

const { values: flags } = parseArgs({
  options: { samples: { type: 'string', default: '50' } },
  allowPositionals: true,
});
const samples = Number(flags.samples);
const WORKSPACE_MIB = 200;
const OUTPUT_MIB = 64;

const load = () => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
console.log(
  `${new Date().toISOString()} · ${cpus().length} × ${cpus()[0]?.model} · Node ${process.version} · load ${load()}\n`,
);
const dir = mkdtempSync(join(tmpdir(), 'capstan-sandboxes-bench-'));
const chain = await openChain(dir);
try {
  await measureCreation(chain);
  await measureCalls(chain);
  await measureOutput(chain);
  await measureSnapshots(chain);
} finally {
  await chain.close();
  rmSync(dir, { recursive: true, force: true });
}
console.log(`\nload ${load()}; aims missed: ${aimsMissed()}`);

async function measureCreation({ order, emulator }: Chain): Promise<void> {
  await median(async () => (await order({ do: 'nothing' })).ms, 'the way to the Worker');
  await create(chain, 'warm-up');
  const names = Array.from({ length: samples }, (_, index) => `one-${index}`);
  const ids: string[] = [];
  await median(
    async () => {
      const { ms, answer } = await order({ do: 'create', name: names.pop() ?? '' });
      ids.push(String(answer.sandboxId));
      return ms;
    },
    'create',
    60,
  );
  const before = memoryOf([emulator]);
  const held = before.slice(1).reduce((sum, { pssMiB }) => sum + pssMiB, 0) / (ids.length + 1);
  show({ name: 'memory of an idle sandbox', value: held, unit: 'MiB', aim: { most: 8 } });
  await Promise.all(ids.map((sandboxId) => order({ do: 'terminate', sandboxId })));
  const startedAt = performance.now();
  const many = await Promise.all(Array.from({ length: 20 }, (_, index) => create(chain, `many-${index}`)));
  const took = performance.now() - startedAt;
  show({ name: '20 sandboxes at once', value: took, unit: 'ms', aim: { most: 1_000 } });
  await Promise.all(many.map((sandboxId) => order({ do: 'terminate', sandboxId })));
}

async function measureCalls({ order }: Chain): Promise<void> {
  const sandboxId = await create(chain, 'calls');
  const path = '/workspace/small';
  await median(async () => (await order({ do: 'exec', sandboxId, command: ':' })).ms, 'exec, round trip', 12);
  await median(
    async (index) =>
      (await order({ do: 'first-byte', sandboxId, runId: `first-${index}`, command: 'echo first; sleep 1' }))
        .ms,
    'a run, to the first byte of its output',
    15,
  );
  await median(
    async () => (await order({ do: 'write', sandboxId, path, sizeBytes: 1024 })).ms,
    'write of a small file',
    12,
  );
  await median(async () => (await order({ do: 'read', sandboxId, path })).ms, 'read of a small file', 12);
}

async function measureOutput({ order, gateway }: Chain): Promise<void> {
  const sandboxId = await create(chain, 'output');
  const command = `head -c ${OUTPUT_MIB * 1024 * 1024} /dev/zero`;
  const memory = () => memoryOf([gateway])[0]?.rssMiB ?? Number.NaN;
  const rates: number[] = [];
  let least = 0;
  for (let index = 0; index < 7; index++) {
    const { ms, answer } = await order({ do: 'output', sandboxId, runId: `big-${index}`, command });
    if (answer.bytes !== OUTPUT_MIB * 1024 * 1024) throw new Error(`Only ${answer.bytes} bytes came back`);
    rates.push(OUTPUT_MIB / (ms / 1000));
    if (index === 1) least = memory();
  }
  show({
    name: `${OUTPUT_MIB} MiB of output`,
    value: quantile(rates, 0.5),
    unit: 'MiB/s',
    aim: { least: 60 },
  });
  show({ name: "  the gateway's growth over five more", value: memory() - least, unit: 'MiB' });
}

async function measureSnapshots({ order }: Chain): Promise<void> {
  const sandboxId = await create(chain, 'workspace');
  const fill = `for i in $(seq ${WORKSPACE_MIB}); do head -c 1048576 /dev/urandom >/workspace/$i; done`;
  await order({ do: 'exec', sandboxId, command: fill });
  const times: { snapshot: number; restore: number }[] = [];
  for (let index = 0; index < 7; index++) {
    const snapshot = await order({ do: 'snapshot', sandboxId, snapshotId: `big-${index}` });
    const imageId = String(snapshot.answer.imageId);
    const restored = await order({ do: 'create', name: `restored-${index}`, imageId });
    times.push({ snapshot: snapshot.ms, restore: restored.ms });
    await order({ do: 'terminate', sandboxId: String(restored.answer.sandboxId) });
  }
  const of = (part: 'snapshot' | 'restore') =>
    quantile(
      times.map((time) => time[part]),
      0.5,
    );
  const both = of('snapshot') + of('restore');
  show({ name: `snapshot of a workspace of ${WORKSPACE_MIB} MB`, value: of('snapshot'), unit: 'ms' });
  show({ name: '  its restore', value: of('restore'), unit: 'ms' });
  show({ name: '  both', value: both, unit: 'ms', aim: { most: 1_500 } });
}

async function create({ order }: Chain, name: string): Promise<string> {
  return String((await order({ do: 'create', name })).answer.sandboxId);
}

async function median(
  measure: (index: number) => Promise<number>,
  name: string,
  most?: number,
): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < samples; index++) times.push(await measure(index));
  const aim = most === undefined ? {} : { aim: { most } };
  show({ name, value: quantile(times, 0.5), unit: 'ms', ...aim });
}
