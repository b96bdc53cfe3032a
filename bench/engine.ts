// Measures the session engine on this machine, over HTTP, with the development model:
// `npx -y pnpm@12.21.0 bench engine [SECTION…] [--samples N] [--sessions N]`. Without a section it measures all.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { aimsMissed } from './aims.ts';
import { measureBurst } from './engine/burst.ts';
import { measureInterrupt } from './engine/interrupt.ts';
import { measureMemory } from './engine/memory.ts';
import { measureReplay } from './engine/replay.ts';
import { measureTurns } from './engine/turns.ts';
import { measureWake } from './engine/wake.ts';
import { EngineBench } from './engine-bench.ts';

const SECTIONS = new Map([
  ['turns', measureTurns],
  ['replay', measureReplay],
  ['burst', measureBurst],
  ['interrupt', measureInterrupt],
  ['wake', measureWake],
  ['memory', measureMemory],
]);

const { values: flags, positionals } = parseArgs({
  options: { samples: { type: 'string', default: '50' }, sessions: { type: 'string', default: '5000' } },
  allowPositionals: true,
});
const asked = positionals.filter((name) => name !== 'engine');
const unknown = asked.filter((name) => !SECTIONS.has(name));
if (unknown.length > 0) {
  console.error(`No section ${unknown.join(', ')}; there are ${[...SECTIONS.keys()].join(', ')}.`);
  process.exit(2);
}

const load = () => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
console.log(
  `${new Date().toISOString()} · ${cpus().length} × ${cpus()[0]?.model} · Node ${process.version} · load ${load()}\n`,
);
const dir = mkdtempSync(join(tmpdir(), 'capstan-engine-bench-'));
const bench = await EngineBench.open(join(dir, 'state'), {
  samples: Number(flags.samples),
  sessions: Number(flags.sessions),
});
try {
  for (const [name, measure] of SECTIONS) {
    if (asked.length === 0 || asked.includes(name)) await measure(bench);
  }
} finally {
  await bench.close();
  rmSync(dir, { recursive: true, force: true });
}
console.log(`\nload ${load()}; aims missed: ${aimsMissed()}`);
