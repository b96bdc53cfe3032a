// What the gateway has done inside a sandbox: bash programs that take arguments and answer on stdout. Each runs as a process of
// its own, or in a subshell of an attendant that knows it as a function; names that could be the sandbox's own begin with _.
import { RUN, STATE } from './scripts.ts';

// Programs that load no locale start sooner.
const FAIL = 'fail() { printf "capstan !%s\\n" "$1"; exit; }; exec 2>/dev/null; export LC_ALL=C';

// Text that is short costs no process: `read` fails at the end of the file, unless a NUL or the 4096th byte comes first.
// dd alone knows no size: a piece that comes short is the end, and only a full one asks for it.
const READ = `${FAIL}
[[ -e $1 ]] || fail file_not_found
[[ -d $1 ]] && fail is_directory
[[ -f $1 ]] || fail invalid
[[ -r $1 ]] || fail forbidden
if [[ $2 == 0 ]] && (($3 >= 4096)) && ! IFS= read -r -d '' -n 4096 _text <"$1"; then
  printf 'capstan read\\n%s' "$_text"
  exit
fi
echo capstan read
exec dd if="$1" bs=131072 skip="$2" count="$3" iflag=skip_bytes,count_bytes,fullblock status=none`;

const SIZE = `${FAIL}
exec stat -L -c 'capstan %s' -- "$1"`;

// Content that fits is an argument of printf, which is no process; the rest comes as input. A link keeps pointing where it
// does, and a file keeps its permissions: mv starts beside chmod, and waits to be told. A line behind the input says that it came whole.
const WRITE = `${FAIL}
type -aP mkdir mv chmod >/dev/null || exit
_file=$1
[[ -L $_file ]] && _file=$(readlink -f -- "$_file")
[[ -d $_file ]] && fail is_directory
[[ -e $_file && ! -f $_file ]] && fail invalid
[[ -d \${_file%/*}/ ]] || mkdir -p -- "\${_file%/*}/" || { [[ -e \${_file%/*} && ! -d \${_file%/*} ]] && fail not_directory; fail forbidden; }
_new=\${_file%/*}/.capstan-$BASHPID
trap 'rm -f -- "$_new"' EXIT
if [[ $2 == - ]]; then printf %b "$3"; else head -c "$2" && { read -r _end || :; }; fi >"$_new" || {
  [[ -e $_new || -w \${_file%/*}/ ]] && fail quota_exceeded
  fail forbidden
}
[[ $2 == - || $_end == whole ]] || fail internal
if [[ -e $_file ]]; then
  coproc _mv { exec mv -i -- "$_new" "$_file"; }
  _pid=$!
  chmod --reference="$_file" -- "$_new"
  [[ -O $_file ]] || chown --reference="$_file" -- "$_new"
  echo y >&"\${_mv[1]}"
  wait "$_pid"
else
  mv -f -- "$_new" "$_file"
fi && [[ ! -e $_new ]] || fail forbidden
trap - EXIT
echo capstan written`;

/** What `list` gives at most, and one more. */
export const MAX_ENTRIES = 10_000;
const FORMAT = "'%y %s %T@ %m %f\\0'";

const LIST = `${FAIL}
type -aP find head >/dev/null || exit
[[ -e $1 ]] || fail file_not_found
[[ -d $1 ]] || fail not_directory
[[ -r $1 && -x $1 ]] || fail forbidden
echo capstan listed
find "$1/" -mindepth 1 -maxdepth 1 -printf ${FORMAT} | head -z -n ${MAX_ENTRIES + 1}`;

const STAT = `${FAIL}
type -aP find >/dev/null || exit
[[ -e $1 || -L $1 ]] || fail file_not_found
echo capstan found
exec find "$1" -maxdepth 0 -printf ${FORMAT}`;

// CWD LIMIT_SECONDS COUNT NAME=VALUE... KIND PART..., or `@` and the file they are in. Answers nothing of its own.
// The limit is kept as by timeout(1), in the command's own process group and with its exit codes, by a fork that costs less than
// that program's start: it waits until whoever waits for the command is gone, and holds none of the command's streams.
const EXEC = `
if [[ $1 == @ ]]; then
  mapfile -d '' -t _args <"$2" && rm -f -- "$2"
  set -- "\${_args[@]}"
fi
cd -- "$1" || exit 1
_limit=$2 _count=$3 _kind=\${@:$(($3 + 4)):1}
for _entry in "\${@:4:$3}"; do export -- "$_entry"; done
shift "$((_count + 4))"
[[ $_kind == script ]] && set -- bash -c 'printf -v script %s "$@"; set --; eval -- "$script"' bash "$@"
set -m
{ exec -- "$@"; } &
set +m
_pid=$! _begun=\${EPOCHREALTIME/[.,]/}
exec >/dev/null 2>&1
exec {_over}> >(
  read -r -t "$_limit"
  (($? > 128)) || exit
  kill -TERM -- "-$_pid"
  kill -CONT -- "-$_pid"
  read -r -t 5
  (($? > 128)) && kill -KILL -- "-$_pid"
)
wait "$_pid"
_code=$?
((_code != 137 && \${EPOCHREALTIME/[.,]/} - _begun >= 10#\${_limit/./}000)) && _code=124
exit "$_code"`;

const RESET = `rm -f -- "${STATE}/shells/$1" && echo reset`;

export const PROGRAMS = {
  read: READ,
  size: SIZE,
  write: WRITE,
  list: LIST,
  stat: STAT,
  exec: EXEC,
  reset: RESET,
  run: RUN,
} as const;

export type Program = keyof typeof PROGRAMS;

export interface Task {
  program: Program;
  args: readonly string[];
  /** One after another. */
  stdin?: readonly Uint8Array[];
  /** Kept of stdout and of stderr, each; the rest is read and dropped. */
  maxBytes: number;
  /** With stderr and the exit code, and never done twice. Without it, both are nothing and doing it again is harmless. */
  complete?: boolean;
  signal?: AbortSignal;
}

/** What became of a task, or of a command. */
export interface Invoked {
  stdout: Uint8Array;
  stderr: Uint8Array;
  exitCode: number;
  truncated: boolean;
}

/** The command that performs a task as a process of its own. */
export function toArgv({ program, args, stdin }: Task): string[] {
  // Closing an unused input is a call to Modal; opening /dev/null is none.
  const text = stdin === undefined ? `exec </dev/null\n${PROGRAMS[program]}` : PROGRAMS[program];
  return ['bash', '-c', text, 'bash', ...args];
}
