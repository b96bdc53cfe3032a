// `pnpm replay FILE`: plays an exported session again, without a network, and says where it comes out otherwise.
// Exits 0 when every row is the same, 1 at the first that is not, 2 when the file is no export.
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Recording } from '../packages/session/src/replay/recording.ts';
import { type Difference, type Outcome, replay } from '../packages/session/src/replay/replay.ts';
import { migrate } from '../packages/session/src/sql.ts';
import { MIGRATIONS, openSql } from '../packages/session/src/testing/memory-sql.ts';

const PATIENCE_MS = 10_000;
/** Characters around the first place at which two rows differ. */
const AROUND = 160;

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('Usage: pnpm replay FILE, an export as GET /v1/sessions/{id}/export gives it');
  process.exit(2);
}
const recording = read(file);
const sql = openSql(new DatabaseSync(':memory:'), () => false);
migrate(sql, MIGRATIONS);
const pause = () => new Promise<void>(setImmediate);
const outcome = await replay(recording, {
  sql,
  pause,
  now: () => performance.now(),
  patienceMs: PATIENCE_MS,
});
console.log(told(outcome));
process.exit(outcome.difference === null ? 0 : 1);

function read(path: string): Recording {
  try {
    return Recording.read(readFileSync(path, 'utf8'));
  } catch (error) {
    console.error(`${path}: ${error instanceof Error ? error.message : error}`);
    process.exit(2);
  }
}

function told({ same, deaths, difference }: Outcome): string {
  const died = deaths === 0 ? '' : `, with ${deaths} ${deaths === 1 ? 'death' : 'deaths'} of its process`;
  if (difference === null) return `replayed ${same} events${died}: same`;
  return `replayed ${same} events${died}, then row ${difference.seq} differs: ${difference.why}\n${rows(difference)}`;
}

/** Both rows from shortly before the place at which they part. */
function rows({ recorded, replayed }: Difference): string {
  const one = recorded ?? '(no row)';
  const other = replayed ?? '(no row)';
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const around = (text: string) => {
    const from = Math.max(0, at - AROUND);
    return `${from > 0 ? '…' : ''}${text.slice(from, at + AROUND)}${text.length > at + AROUND ? '…' : ''}`;
  };
  return `  recorded: ${around(one)}\n  replayed: ${around(other)}`;
}
