// `pnpm migrations NAME` writes a migration for what changed in the tables; `--check` proves that the committed ones,
// applied in order to an empty database, yield exactly the tables, columns, keys and indexes the code declares.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const ROOT = join(import.meta.dirname, '..');
const COMMITTED = join(ROOT, 'migrations/d1');
const SCHEMA = './packages/db/src/tables/*.ts';

const [argument] = process.argv.slice(2);
if (argument === '--check') check();
else if (argument !== undefined && /^[a-z][a-z0-9_]*$/.test(argument)) generate(COMMITTED, argument);
else {
  console.error(
    'Usage: pnpm migrations NAME (what changes, as in `memory_stores`), or pnpm migrations --check',
  );
  process.exitCode = 1;
}

function check(): void {
  const fresh = mkdtempSync(join(tmpdir(), 'migrations-'));
  try {
    generate(fresh, 'all');
    const declared = describe(fresh);
    const migrated = describe(COMMITTED);
    const differences = [...new Set([...declared.keys(), ...migrated.keys()])].filter(
      (name) => declared.get(name) !== migrated.get(name),
    );
    for (const name of differences) {
      console.error(`${name}\n  declared: ${declared.get(name)}\n  migrated: ${migrated.get(name)}`);
    }
    if (differences.length > 0) {
      console.error(
        'The tables and migrations/d1 differ: run `pnpm migrations NAME` and commit what it writes.',
      );
      process.exitCode = 1;
      return;
    }
    console.log(`migrations/d1: ${migrated.size} tables and indexes agree with packages/db/src/tables`);
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

function generate(out: string, name: string): void {
  const kit = join(ROOT, 'node_modules/drizzle-kit/bin.cjs');
  // drizzle-kit reads `out` relative to where it runs, even when it is absolute.
  const args = [
    kit,
    'generate',
    '--dialect=sqlite',
    `--schema=${SCHEMA}`,
    `--out=${relative(ROOT, out)}`,
    `--name=${name}`,
  ];
  execFileSync(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Every table and index that the migrations in `directory` make, by name, in a form that can be compared. */
function describe(directory: string): Map<string, string> {
  const database = new DatabaseSync(':memory:');
  const files = readdirSync(directory).filter((name) => name.endsWith('.sql'));
  for (const name of files.toSorted()) database.exec(readFileSync(join(directory, name), 'utf8'));
  const rows = (sql: string, ...values: string[]) => database.prepare(sql).all(...values);
  const described = new Map<string, string>();
  for (const { name, type, sql } of rows(
    "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
  )) {
    const facts =
      type === 'table'
        ? [
            rows('SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo(?)', String(name)),
            rows('SELECT "table", "from", "to", on_delete FROM pragma_foreign_key_list(?)', String(name)),
          ]
        : [String(sql).replaceAll(/\s+/g, ' ')];
    described.set(`${type} ${name}`, JSON.stringify(facts));
  }
  database.close();
  return described;
}
