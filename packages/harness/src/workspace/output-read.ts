// Reads what was found in the outputs directory of a sandbox: what is small many at a time, by one call for all of them. A
// path that leads through a link leads nowhere.
//  1. What is read is what was found: of that size, and unchanged since.
//  2. What cannot be read with others is read alone.
import { SandboxError } from '@capstan/sandbox/error';
import { type ExecResult, MAX_CHUNK_BYTES, OUTPUTS, type Sandboxes } from '@capstan/sandbox/port';
import { persist } from '../persistence.ts';
import type { FoundOutput } from './output-scan.ts';

/** What has more, or more NULs than bash holds with ease, is read alone. */
const SMALL_BYTES = 64 * 1024;
const MOST_NULS = 1_024;
/** Of one call. */
const MOST_FILES = 100;
const MOST_BYTES = 1024 * 1024;
/** Their names are arguments. */
const MOST_NAME_BYTES = 24_000;
const READ_MS = 60_000;

// The last component is opened without following it, in a directory that lies where its name says: no link led there.
const READ = `cd -P -- "$1" 2>/dev/null || exit 3
name=./\${2##*/} within=$PWD
if [[ $2 == */* ]]; then
  cd -P -- "./\${2%/*}" 2>/dev/null || exit 3
  [[ $PWD == "$within/\${2%/*}" ]] || exit 3
fi
[[ $(find "$name" -maxdepth 0 -type f -printf '%s %T@' 2>/dev/null) == "$5" ]] || exit 3
exec dd if="$name" bs=131072 skip="$3" count="$4" iflag=nofollow,skip_bytes,count_bytes,fullblock status=none`;

// A process for each file would take longer than all else: bash itself reads them, in parts that NULs end, so that the last one
// may get a NUL too many. Says `SIZE ./PATH`, a NUL and SIZE bytes for each, and behind an empty name what they are by then.
const READ_TOGETHER = `export LC_ALL=C
cd -P -- "$1" 2>/dev/null || exit 3
outputs=$1; shift
mapfile -d '' -t small < <(find "$@" -maxdepth 0 -type f -size -${SMALL_BYTES + 1}c -print0 2>/dev/null)
for file in "\${small[@]}"; do
  name=./\${file##*/} within=\${file%/*} parts=() size=0
  within=$outputs\${within#.}
  [[ $PWD == "$within" ]] || { cd -P -- "$within" 2>/dev/null && [[ $PWD == "$within" ]]; } || continue
  { [[ ! -L $name && $name -ef /dev/fd/0 ]] && mapfile -d '' -t -n ${MOST_NULS} parts; } 2>/dev/null <"$name" || continue
  for part in "\${parts[@]}"; do ((size += \${#part} + 1)); done
  printf '%s %s\\0' "$size" "$file"
  ((size > 0)) && printf '%s\\0' "\${parts[@]}"
done
printf '\\0'
cd -- "$outputs" && exec find "$@" -maxdepth 0 -type f -printf '%s %T@ %p\\0' 2>/dev/null`;

/** Each of them in one batch: those of a batch may be read together. */
export function inBatches(outputs: readonly FoundOutput[]): FoundOutput[][] {
  const batches: FoundOutput[][] = [];
  let [batch, room, nameRoom]: [FoundOutput[], number, number] = [[], 0, 0];
  for (const output of outputs) {
    const { path, sizeBytes } = output;
    if (sizeBytes > SMALL_BYTES) {
      batches.push([output]);
      continue;
    }
    const nameBytes = new TextEncoder().encode(path).length;
    if (batch.length === MOST_FILES || sizeBytes > room || nameBytes > nameRoom) {
      [batch, room, nameRoom] = [[], MOST_BYTES, MOST_NAME_BYTES];
      batches.push(batch);
    }
    batch.push(output);
    room -= sizeBytes;
    nameRoom -= nameBytes;
  }
  return batches;
}

/** The contents of those that could be read together. */
export async function readTogether(
  sandboxes: Sandboxes,
  sandboxId: string,
  batch: readonly FoundOutput[],
): Promise<Map<FoundOutput, Uint8Array>> {
  if (batch.length < 2) return new Map();
  const names = batch.map(({ path }) => `./${path}`);
  const { stdout } = await ask(sandboxes, sandboxId, [
    'bash',
    '-c',
    READ_TOGETHER,
    'bash',
    OUTPUTS,
    ...names,
  ]);
  return parseTogether(stdout, batch);
}

/** Of an answer that is not whole, nothing. */
export function parseTogether(
  answer: Uint8Array,
  batch: readonly FoundOutput[],
): Map<FoundOutput, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  const text = (from: number, to: number) => new TextDecoder().decode(answer.subarray(from, to));
  let [at, end] = [0, answer.indexOf(0)];
  for (; end > at; end = answer.indexOf(0, at)) {
    const [, size, name] = /^(\d+) (.+)$/s.exec(text(at, end)) ?? [];
    if (size === undefined || name === undefined) return new Map();
    at = end + 1 + Number(size);
    contents.set(name, answer.subarray(end + 1, at));
  }
  const now = new Set(
    end < 0
      ? []
      : text(end + 1, answer.length)
          .split('\0')
          .slice(0, -1),
  );
  return new Map(
    batch.flatMap((output): [FoundOutput, Uint8Array][] => {
      const { path, signature, sizeBytes } = output;
      const content = contents.get(`./${path}`);
      if (content === undefined || !now.has(`${signature} ./${path}`)) return [];
      // The last part may not have ended with its NUL.
      const surplus = content.length - sizeBytes;
      return surplus === 0 || surplus === 1 ? [[output, content.subarray(0, sizeBytes)]] : [];
    }),
  );
}

/** Rejects (`file_not_found`) when it is not what was found any more. */
export async function* readOutput(
  sandboxes: Sandboxes,
  sandboxId: string,
  { path, signature, sizeBytes }: FoundOutput,
): AsyncGenerator<Uint8Array> {
  let offset = 0;
  do {
    const piece = [String(offset), String(MAX_CHUNK_BYTES)];
    const command = ['bash', '-c', READ, 'bash', OUTPUTS, path, ...piece, signature];
    const { exitCode, stdout } = await ask(sandboxes, sandboxId, command);
    const expected = Math.min(MAX_CHUNK_BYTES, sizeBytes - offset);
    if (exitCode !== 0 || stdout.length !== expected)
      throw new SandboxError('file_not_found', `${path}: is another file by now`);
    if (stdout.length > 0) yield stdout;
    offset += stdout.length;
  } while (offset < sizeBytes);
}

function ask(sandboxes: Sandboxes, sandboxId: string, command: readonly string[]): Promise<ExecResult> {
  const request = { sandboxId, command, cwd: '/', timeoutMs: READ_MS, maxBytes: MAX_CHUNK_BYTES };
  return persist(() => sandboxes.exec(request));
}
