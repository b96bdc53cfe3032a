# Starts, joins, reads and stops runs inside a sandbox; needs bash 5 and GNU coreutils. Called as
#   bash run.sh OP RUN_ID WAIT_SECONDS UNTIL OFFSET MAX_BYTES [start: KEY LIMIT_SECONDS SHELL ARGUMENT...]
# with the ARGUMENTs of command.sh, or `@` when they are in RUN.args, each ended by NUL,
# and answers one line `capstan STATE EXIT_CODE CUT`, then output from OFFSET.
#  1. mkfifo RUN.live is the claim: whoever makes it starts the command, everybody else joins.
#  2. Only the supervisor holds RUN.live open for writing. Readers that see its end know that it is gone, however it
#     went: they wait in the kernel and never poll.
#  3. RUN.exit is one write of one line, and counts once the line is whole. The supervisor writes it before it goes: a supervisor
#     that is gone without it is a lost run.
base=/var/tmp/.capstan
op=$1 run=$base/runs/$2 wait=$3 until=$4 offset=$5 max=$6
shift 6

main() {
  case $op in
    start) start "$@" ;;
    read) join ;;
    kill) stop ;;
  esac
  answer
}

start() {
  key=$1
  if claim || { [[ ! -p $run.live ]] && mkdir -p "$base/runs" "$base/shells" && claim; }; then
    exec 8<>"$run.live"
    : >"$run.out"
    printf '%s\n' "$key" >"$run.key"
    # Job control gives the supervisor a process group of its own: it outlives whoever called.
    set -m
    supervise "${@:2}" &
    set +m
    exec 7<"$run.live" 8>&-
    started=1
    await
  else
    join
    read -r known <"$run.key"
    [[ $known == "$key" ]] || say conflict
  fi
}

claim() { mkfifo "$run.live"; }

# The command's output goes through a pump that keeps the first 64 MiB and swallows the rest.
supervise() {
  local limit=$1 shell=$2 args pid stat code state=exited size=- begun
  shift 2
  if [[ $1 == @ ]]; then
    mapfile -d '' -t args <"$run.args"
    set -- "${args[@]}"
  fi
  # Redirections of a compound command keep hidden copies of what they replace; `exec` does not.
  exec </dev/null >/dev/null 2>&1
  coproc PUMP {
    exec 8>&-
    ulimit -f 65536
    trap '' XFSZ
    cat >>"$run.out" || {
      : >"$run.cut"
      exec cat >/dev/null
    }
  }
  exec 9>&"${PUMP[1]}" {PUMP[1]}>&- # subshells do not get a coprocess's own descriptors
  begun=${EPOCHREALTIME/[.,]/}
  {
    ulimit -Su 4096
    exec >&9 2>&9 8>&- 9>&-
    exec timeout -k 5 "$limit" bash -c '. "$1"; eval -- "$__capstan_script"' bash "${0%/*}/command.sh" "$run" "${shell:+$base/shells/$shell}" "$@"
  } &
  pid=$!
  read -r stat <"/proc/$pid/stat"
  born "$stat"
  printf '%s %s %s\n' "$pid" "$REPLY" "$BASHPID" >"$run.pid"
  exec 9>&-
  [[ -e $run.kill ]] && kill -TERM "$pid"
  wait "$pid"
  code=$?
  if [[ -e $run.kill ]]; then
    state=killed
  elif ((code == 124 || code == 137)) && ((${EPOCHREALTIME/[.,]/} - begun >= 10#${limit/./}000)); then
    state=timed_out
  fi
  # What a stopped command leaves in its group goes with it; a finished one may leave a server running.
  if [[ $state != exited ]] || ((code == 137)); then kill -KILL -- "-$pid"; fi
  # The pump ends once every writer is gone. A background process that keeps writing is not waited for.
  read -r -t 0.5 -u "${PUMP[0]}"
  (($? > 128)) && size=$(stat -c %s "$run.out")
  printf '%s %s %s\n' "$state" "$code" "$size" >"$run.exit"
}

# When a process was born: field 22 of its stat line, counted behind its name, which may hold anything.
born() {
  set -- ${1##*) }
  REPLY=${20}
}

join() {
  [[ -p $run.live ]] || say missing
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    ended && return
    local claimed=
    [[ -s $run.key ]] && claimed=1
    exec 6<>"$run.live" # opening a fifo to read blocks until somebody writes
    exec 7<"$run.live" 6>&-
    started=$claimed
    await && return
    # Its claimer has not come to opening it yet.
    read -r -t 0.02 <>"$run.live"
  done
  lost
}

# Waits on descriptor 7. Fails when the run is neither running, nor ended, nor known to have been started.
await() {
  ended && return
  if [[ $until == output ]]; then growth; ended && return; fi
  if [[ $wait == 0 ]]; then
    read -t 0 -u 7 || return 0
  else
    read -r -t "$wait" -u 7
    (($? > 128)) && return 0
  fi
  ended && return
  [[ $started ]] || return 1
  lost
}

# Waits for output beyond the offset, or the end. `wait` becomes 0: the time is spent.
growth() {
  exec 5< <(
    set -m
    tail -c "+$((offset + 1))" -f -- "$run.out" | head -c 1 | tr '\0' . &
    read -r -t "$wait" -u 7
    kill %1
  )
  read -r -N 1 -u 5
  wait=0
}

ended() { [[ -s $run.exit ]] && read -r state code size <"$run.exit"; }

# Nothing watches what is left of a lost run, so it is stopped. A pid that another process got since is left alone.
lost() {
  if leader; then kill -KILL -- "-$pid"; fi
  state=lost code=- size=-
}

# The process that leads the command's group, if it lives.
leader() {
  local stat then
  read -r pid then _ <"$run.pid" && read -r stat <"/proc/$pid/stat" && born "$stat" && [[ $REPLY == "$then" ]]
}

stop() {
  [[ -p $run.live ]] || say missing
  if ! ended; then
    : >"$run.kill"
    leader && kill -TERM "$pid"
  fi
  join
}

say() {
  printf 'capstan %s - -\n' "$1"
  exit
}

answer() {
  local cut=whole text
  [[ -e $run.cut ]] && cut=cut
  [[ ${size:--} == - ]] || max=$((size - offset < max ? size - offset : max))
  # Output this short costs no process: `read` fails at the end of the file, unless a NUL or the 4096th byte comes first.
  if ((offset == 0 && max >= 4096)) && ! LC_ALL=C IFS= read -r -d '' -n 4096 text <"$run.out"; then
    LC_ALL=C printf 'capstan %s %s %s\n%s' "${state:-running}" "${code:--}" "$cut" "$text"
    return
  fi
  printf 'capstan %s %s %s\n' "${state:-running}" "${code:--}" "$cut"
  ((max > 0)) && exec dd if="$run.out" bs=131072 skip="$offset" count="$max" iflag=skip_bytes,count_bytes status=none
}

exec 2>/dev/null
main "$@"
