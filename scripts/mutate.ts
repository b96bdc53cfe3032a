// `npx -y pnpm@12.21.0 mutate [FILE…] [--sample 0.2] [--at-once 2] [--seed N] [--from REPORT]`: changes the session machine in
// one small way at a time, in copies of the repository, and lists the changes that no test notices. Not part of CI.
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { API } from 'typescript/unstable/sync';
import { Random } from '../tests/support/random.ts';
import { type Mutant, mutantsOf } from './mutate/mutants.ts';

const ROOT = join(import.meta.dirname, '..');
const SESSION = 'packages/session';
const MACHINE = [
  'accept',
  'interrupt',
  'lifecycle',
  'turn-commands',
  'taking',
  'requests',
  'reply',
  'endings',
  'frame',
  'budget',
  'outcome',
  'compaction-commands',
  'delegation',
  'evolve',
  'evolve-thread',
  'evolve-outcome',
  'thread',
  'fold',
  'machine',
  'input-hash',
  'permit',
];
/** What runs longest is asked last; what has nothing to do with the machine is not asked. */
const LAST = /property/;
const APART = /(socket-reader|hub|sql-log|stream-drops|event-cursor|previews|index-keeper|repetition)\.test/;
/** A mutant that takes longer hangs: it is noticed. */
const LIMIT_MS = 240_000;
const PROGRESS = 50;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '1' },
    'at-once': { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    /** A report of an earlier run: only its survivors are tried again. */
    from: { type: 'string' },
    report: { type: 'string', default: join(tmpdir(), 'mutants.json') },
  },
});

const mutants = flags.from === undefined ? chosen() : survivorsOf(flags.from);
const survivors: Mutant[] = [];
let tried = 0;
console.log(`${mutants.length} mutants`);
const queue = [...mutants];
const copies = Array.from({ length: Number(flags['at-once']) }, () => copy());
process.once('SIGINT', () => end(1));
await Promise.all(copies.map(work));
end(0);

async function work(root: string): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const noticed = await isNoticed(root, mutant);
    tried += 1;
    if (tried % PROGRESS === 0) console.log(`${tried} of ${mutants.length}`);
    if (noticed) continue;
    survivors.push(mutant);
    console.log(`survives ${placeOf(mutant)}`);
    save();
  }
}

function placeOf({ file, line, was, becomes }: Mutant): string {
  const short = (text: string) => text.replace(/\s+/g, ' ').slice(0, 100);
  return `${file}:${line}  ${short(was)}  =>  ${short(becomes) || '(nothing)'}`;
}

async function isNoticed(root: string, { file, start, end: until, becomes }: Mutant): Promise<boolean> {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, start) + becomes + text.slice(until));
  try {
    return (await tests(root)) !== 0;
  } finally {
    writeFileSync(path, text);
  }
}

/** How the tests end: 0 when all pass. */
async function tests(root: string): Promise<number> {
  const files = readdirSync(join(root, SESSION, 'src')).filter((name) => name.endsWith('.test.ts'));
  const near = files.filter((name) => !APART.test(name));
  const quick = near.filter((name) => !LAST.test(name));
  const slow = near.filter((name) => LAST.test(name));
  return (await run(root, quick)) || run(root, slow);
}

function run(root: string, files: readonly string[]): Promise<number> {
  const paths = files.map((name) => `${SESSION}/src/${name}`);
  const alike = ['--pool', 'threads', '--no-isolate', '--maxWorkers', '1', '--reporter', 'dot'];
  const options = ['run', ...paths, '--bail', '1', '--testTimeout', '5000', ...alike];
  const child = spawn(join(ROOT, 'node_modules/.bin/vitest'), options, {
    cwd: root,
    stdio: 'ignore',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, PROPERTY_RUNS: '150' },
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

function chosen(): Mutant[] {
  const names = positionals.length > 0 ? positionals : MACHINE;
  const api = new API({ cwd: ROOT });
  try {
    const config = join(ROOT, SESSION, 'tsconfig.json');
    const [project] = api.updateSnapshot({ openProject: config }).getProjects();
    const random = new Random(Number(flags.seed));
    return names.flatMap((name) => {
      const file = `${SESSION}/src/${name}.ts`;
      const source = project?.program.getSourceFile(join(ROOT, file));
      if (source === undefined) throw new Error(`no such file: ${file}`);
      return mutantsOf(file, source).filter(() => random.next() < Number(flags.sample));
    });
  } finally {
    api.close();
  }
}

/** As they are now: a survivor is known again by its text and what stands before it. */
function survivorsOf(path: string): Mutant[] {
  const report: { survivors: Mutant[] } = JSON.parse(readFileSync(path, 'utf8'));
  return report.survivors.flatMap((mutant) => {
    const { before, was } = mutant;
    const text = readFileSync(join(ROOT, mutant.file), 'utf8');
    const at = text.indexOf(before + was);
    if (at < 0) console.log(`changed  ${placeOf(mutant)}`);
    const start = at + before.length;
    const line = text.slice(0, start).split('\n').length;
    return at < 0 ? [] : [{ ...mutant, line, start, end: start + was.length }];
  });
}

function save(): void {
  writeFileSync(flags.report, JSON.stringify({ tried, mutants: mutants.length, survivors }, null, 2));
}

/** The repository as it is, in a directory of its own; dependencies are shared. */
function copy(): string {
  const root = mkdtempSync(join(tmpdir(), 'mutants-'));
  const tracked = execFileSync(
    'git',
    ['ls-files', '-co', '--exclude-standard', 'packages', 'migrations', '*.json', '*.config.ts'],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  );
  for (const file of tracked.split('\n'))
    if (file !== '' && existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(root, file));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'packages'))) {
    const modules = join(ROOT, 'packages', name, 'node_modules');
    if (existsSync(modules))
      cpSync(modules, join(root, 'packages', name, 'node_modules'), {
        recursive: true,
        verbatimSymlinks: true,
      });
  }
  return root;
}

function end(code: number): never {
  save();
  for (const root of copies) rmSync(root, { recursive: true, force: true });
  console.log(
    `${tried} of ${mutants.length} tried: ${tried - survivors.length} noticed, ${survivors.length} survive`,
  );
  process.exit(code);
}
