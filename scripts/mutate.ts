// `npx -y pnpm@12.21.0 mutate [FILE…] [--at-once 2] [--again] [--fresh] [--list]`: changes the session machine in one small way
// at a time and lists the changes that no test notices. Goes on where it was stopped. Not part of CI; see docs/mutations.md.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { API } from 'typescript/unstable/sync';
import { attempt, measure, type Told } from './mutate/attempt.ts';
import { type Mutant, mutantsOf } from './mutate/mutants.ts';
import type { Plan } from './mutate/plan.ts';
import { Tried } from './mutate/tried.ts';

const ROOT = join(import.meta.dirname, '..');
const SESSION = 'packages/session';
const MACHINE = [
  'machine',
  'accept',
  'interrupt',
  'lifecycle',
  'turn-commands',
  'reply',
  'endings',
  'requests',
  'budget',
  'outcome',
  'compaction-commands',
  'delegation',
  'evolve',
  'evolve-thread',
  'evolve-outcome',
  'state',
  'entry',
  'thread',
  'taking',
  'backlog',
  'sandbox-news',
  'frame',
  'fold',
  'bill',
  'file-sources',
  'input-hash',
  'permit',
];
const PROGRESS = 100;
/** What has nothing to do with the machine is not asked. */
const APART =
  /(socket-reader|hub|sql-log|stream-drops|event-cursor|previews|index-keeper|repetition|replay)\.test/;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'at-once': { type: 'string', default: '1' },
    /** Those that no test noticed are tried again. */
    again: { type: 'boolean', default: false },
    /** What is known of the files is forgotten. */
    fresh: { type: 'boolean', default: false },
    /** Only these modules of tests are asked, separated by commas: those that come to a verdict soonest. */
    tests: { type: 'string' },
    /** Only tests that take less than this of the processor, in ms, are asked. */
    quick: { type: 'string', default: '1e9' },
    /** Nothing is tried: what is known is listed. */
    list: { type: 'boolean', default: false },
    known: { type: 'string', default: join(tmpdir(), 'capstan-mutants.jsonl') },
  },
});

const mutants = chosen();
const tried = new Tried(flags.known);
if (flags.fresh) tried.forget(mutants);
if (flags.again) tried.forget(mutants.filter((mutant) => tried.of(mutant)?.verdict !== 'noticed'));
if (!flags.list) await tryAll(mutants.filter((mutant) => tried.of(mutant) === undefined));
list();

async function tryAll(left: readonly Mutant[]): Promise<void> {
  if (left.length === 0) return;
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  const plan: Plan = {
    root: ROOT,
    mutants,
    tests: tests(),
    tries: [],
    quickMs: Number(flags.quick),
    report: '',
    reach: join(folder, 'reach'),
  };
  const reach = await measure({ ...plan, report: join(folder, 'measured') });
  const byTests = new Set(reach.tests.flatMap(({ ids }) => ids));
  const ids = left.map((mutant) => mutants.indexOf(mutant));
  const fixed = ids.filter((id) => !byTests.has(id) && reach.loading.includes(id));
  const others = ids.filter((id) => !fixed.includes(id));
  const atOnce = Number(flags['at-once']);
  const size = Math.ceil(others.length / atOnce);
  const shares = Array.from({ length: atOnce }, (_, at) => others.slice(at * size, (at + 1) * size));
  let count = 0;
  const tell: Told = (id, verdict, by) => {
    const mutant = mutants[id];
    if (mutant === undefined) return;
    tried.add(mutant, { verdict, by });
    count += 1;
    if (verdict !== 'noticed') console.log(`${verdict}  ${placeOf(mutant)}`);
    if (count % PROGRESS === 0) console.log(`${count} of ${left.length}`);
  };
  await Promise.all(
    shares.map((tries, at) => attempt({ ...plan, tries, report: join(folder, `report-${at}`) }, tell)),
  );
  const report = join(folder, 'report');
  for (const always of fixed) await attempt({ ...plan, tries: [always], always, report }, tell);
}

function tests(): string[] {
  const named = flags.tests?.split(',');
  const folder = join(ROOT, SESSION, 'src');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => name.endsWith('.test.ts') && !APART.test(name))
    .filter((name) => named === undefined || named.includes(name.replace(/\.test\.ts$/, '')))
    .map((name) => join(folder, name));
}

function chosen(): Mutant[] {
  const names = positionals.length > 0 ? positionals : MACHINE;
  const api = new API({ cwd: ROOT });
  try {
    const config = join(ROOT, SESSION, 'tsconfig.json');
    const [project] = api.updateSnapshot({ openProject: config }).getProjects();
    return names.flatMap((name) => {
      const file = `${SESSION}/src/${name}.ts`;
      const source = project?.program.getSourceFile(join(ROOT, file));
      if (source === undefined) throw new Error(`no such file: ${file}`);
      return mutantsOf(file, source);
    });
  } finally {
    api.close();
  }
}

/** A line per file, then what no test noticed. */
function list(): void {
  const files = [...new Set(mutants.map(({ file }) => file))];
  console.log('file  mutants  noticed  survive  not reached  not tried');
  for (const file of [...files, '']) {
    const own = mutants.filter((mutant) => file === '' || mutant.file === file);
    const count = (verdict: string | undefined) =>
      own.filter((mutant) => tried.of(mutant)?.verdict === verdict).length;
    const figures = [count('noticed'), count('survives'), count('unreached'), count(undefined)];
    console.log(`${file === '' ? 'all' : basename(file)}  ${own.length}  ${figures.join('  ')}`);
  }
  for (const mutant of mutants) {
    const verdict = tried.of(mutant)?.verdict ?? 'noticed';
    if (verdict !== 'noticed') console.log(`${verdict}  ${placeOf(mutant)}`);
  }
}

function placeOf({ file, line, was, becomes }: Mutant): string {
  const short = (text: string) => text.replace(/\s+/g, ' ').slice(0, 100);
  return `${basename(file)}:${line}  ${short(was)}  =>  ${short(becomes) || '(nothing)'}`;
}
