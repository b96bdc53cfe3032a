# Starts, joins, reads and stops runs inside a sandbox; needs bash 5 and GNU coreutils. Called as
#   run.sh OP RUN_ID WAIT_SECONDS UNTIL OFFSET MAX_BYTES [start: KEY LIMIT_SECONDS SHELL ARGUMENT...]
# with the ARGUMENTs of command.sh, or `@` when they are in RUN.args, each ended by NUL,
# and answers one line `capstan STATE EXIT_CODE CUT`, then output from OFFSET.
#  1. RUN.live is the claim: whoever makes it, which one alone can, starts the command, and everybody else joins. It names a fifo
#     that is no other run's.
#  2. Only the supervisor holds that fifo open for writing. Readers that see its end know that it is gone, however it
#     went: they wait in the kernel and never poll.
#  3. RUN.exit is one write of one line, and counts once the line is whole. The supervisor writes it before it goes: a supervisor
#     that is gone without it is a lost run. Room for the line is taken before the command starts, so that a full disk
#     loses no outcome; without that room the claim is given back and nothing is started.
# Names begin with _ because assigning to a name that the sandbox exports would change it for the command.
_base=/var/tmp/.capstan
_op=$1 _run=$_base/runs/$2 _seconds=$3 _goal=$4 _offset=$5 _max=$6
shift 6

main() {
  case $_op in
    start) start "$@" ;;
    read) join ;;
    kill) stop ;;
  esac
  answer
}

start() {
  _key=$1
  if claim || { [[ ! -e $_run.live ]] && mkdir -p -m 700 "$_base" "$_base/runs" "$_base/shells" && claim; }; then
    exec 8<>"$_fifo"
    : >"$_run.out"
    if ! { [[ -s $_run.live ]] && printf '%64s' '' >"$_run.exit" && printf '%s\n' "$_key" >"$_run.key"; }; then
      rm -f -- "$_run.exit" "$_run.key" "$_run.out" "$_run.live"
      say full
    fi
    # Job control gives the supervisor a process group of its own: it outlives whoever called.
    set -m
    supervise "${@:2}" &
    set +m
    exec 7<"$_fifo" 8>&-
    _started=1
    await
  else
    roomless && say full
    join
    read -r _known <"$_run.key"
    [[ $_known == "$_key" ]] || say conflict
  fi
}

claim() { [[ ! -e $_run.live ]] && fifo && create "$_run.live" "$_fifo"; }

# A fifo for one run. A start of mkfifo makes some more for runs to come, each of which belongs to whoever makes its `.taken`.
fifo() {
  local _spare _number
  if read -r _spare <"$_base/fifos"; then
    for _number in {1..15}; do
      _fifo=$_spare.$_number
      [[ -p $_fifo && ! -e $_fifo.taken ]] && create "$_fifo.taken" && return
    done
  fi
  _fifo=$_run.fifo
  LC_ALL=C mkfifo "$_fifo" "$_fifo".{1..15} # our own programs load no locale: they start sooner
  [[ -p $_fifo ]] && printf '%s\n' "$_fifo" >"$_base/fifos"
}

# Makes a file with a line, and fails where there is one. Without room for the line the file is empty.
create() {
  local _made
  set -C
  { printf '%s\n' "$2" || :; } >"$1"
  _made=$?
  set +C
  return "$_made"
}

# Finds the fifo of a claimed run, which itself is one in runs that older programs started.
named() {
  _fifo=$_run.live
  [[ -p $_fifo ]] || { read -r _fifo <"$_run.live" && [[ -p $_fifo ]]; }
}

# Where a claim should succeed and does not, there is no room for it.
roomless() { [[ ! -e $_run.live && -d $_base/runs && -w $_base/runs ]]; }

# The command's output goes through a pump that keeps the first 64 MiB and swallows the rest. Its parent is a keeper, which leads
# its group and may be killed by it: what the command does to its parent does not lose the run.
supervise() {
  local _limit=$1 _shell=$2 _args _pid _child _line _code _late _state=exited _size=-
  shift 2
  if [[ $1 == @ ]]; then
    mapfile -d '' -t _args <"$_run.args"
    set -- "${_args[@]}"
  fi
  # Redirections of a compound command keep hidden copies of what they replace; `exec` does not.
  exec </dev/null >/dev/null 2>&1
  coproc _pump {
    exec 8>&-
    ulimit -f 65536
    trap '' XFSZ
    export LC_ALL=C
    cat >>"$_run.out" || {
      : >"$_run.cut"
      exec cat >/dev/null
    }
  }
  exec 9>&"${_pump[1]}" {_pump[1]}>&- # subshells do not get a coprocess's own descriptors
  # Its output is a pipe that ends when it does.
  set -m
  coproc _keeper {
    exec 8>&-
    trap : HUP INT QUIT TERM
    (
      echo "$BASHPID"
      ulimit -Su 4096
      exec </dev/null >&9 2>&9 9>&-
      # What a shell exports itself is in the environment of its children only: these tell its own process from others.
      for _entry in "${@:3:$2}"; do [[ $_entry == CAPSTAN_* ]] && export -- "$_entry"; done
      # Silently: whoever is told of a run that exited so and said nothing asks whether there is a shell.
      type -aP bash cat >/dev/null || exit 127
      exec bash -c 'eval -- "$1"; eval -- "$__capstan_script"' bash "$_stage" "$_run" "${_shell:+$_base/shells/$_shell}" "$@"
    )
    exit
  }
  _pid=$!
  set +m
  exec 6<&"${_keeper[0]}" 9>&-
  read -r _child <&6
  read -r _line <"/proc/$_pid/stat"
  born "$_line"
  printf '%s %s %s %s\n' "$_pid" "$REPLY" "$BASHPID" "$_child" >"$_run.pid"
  if [[ -e $_run.kill ]] || late; then end 6; fi
  wait "$_pid"
  _code=$?
  if [[ -e $_run.kill ]]; then
    _state=killed
  elif [[ $_late ]]; then
    _state=timed_out
    ((_code == 137)) || _code=124
  fi
  # What a stopped command leaves in its group goes with it; a finished one may leave a server running.
  if [[ $_state != exited ]] || ((_code == 137)); then kill -KILL -- "-$_pid"; fi
  # The pump ends once every writer is gone. A background process that keeps writing is not waited for.
  read -r -t 0.5 -u "${_pump[0]}"
  (($? > 128)) && _size=$(stat -c %s "$_run.out")
  printf '%s %s %s\n' "$_state" "$_code" "$_size" 1<>"$_run.exit"
}

# Whether the limit comes before the command's end.
late() {
  read -r -t "$_limit" -u 6
  (($? > 128)) && _late=1
}

# Asks the command and its group to end, and kills them when what the descriptor waits for has not come 5 s later.
end() {
  kill -TERM -- "$_child" "-$_pid"
  kill -CONT -- "$_child" "-$_pid"
  read -r -t 5 -u "$1"
  (($? > 128)) && kill -KILL -- "$_child" "-$_pid"
}

# When a process was born: field 22 of its stat line, counted behind its name, which may hold anything.
born() {
  set -- ${1##*) }
  REPLY=${20}
}

join() {
  [[ -e $_run.live ]] || say missing
  local _tries
  for ((_tries = 0; _tries < 100; _tries++)); do
    ended && return
    local _claimed=
    [[ -s $_run.key ]] && _claimed=1
    if named; then
      attend
      _started=$_claimed
      await && return
    fi
    # Its claimer has not come to opening it yet.
    sleep 0.02
  done
  lost
}

# Opening a fifo to read blocks until somebody writes.
attend() { exec 6<>"$_fifo" 7<"$_fifo" 6>&-; }

# Waits on descriptor 7. Fails when the run is neither running, nor ended, nor known to have been started.
await() {
  ended && return
  if [[ $_goal == output && $_seconds != 0 ]]; then growth; ended && return; fi
  if [[ $_seconds == 0 ]]; then
    read -t 0 -u 7 || return 0
  else
    read -r -t "$_seconds" -u 7
    (($? > 128)) && return 0
  fi
  ended && return
  [[ $_started ]] || return 1
  lost
}

# Waits for output beyond the offset, or the end. `wait` becomes 0: the time is spent. The first output of a command mostly comes
# at once, and is then found without a process.
growth() {
  local _looks
  for ((_looks = _offset == 0 ? 40 : 0; _looks > 0; _looks--)); do
    if [[ -s $_run.out ]]; then _seconds=0; else read -r -t 0.001 -u 7; fi
    (($? > 128)) || return
  done
  exec 5< <(
    set -m
    tail -c "+$((_offset + 1))" -f -s 0.02 -- "$_run.out" | head -c 1 | tr '\0' . &
    read -r -t "$_seconds" -u 7
    kill %% # the command itself is a job here too
  )
  read -r -N 1 -u 5
  _seconds=0
}

# Until its line is whole the file holds blanks, which read as nothing and fail for want of an end.
ended() { [[ -s $_run.exit ]] && read -r _state _code _size <"$_run.exit"; }

# Nothing watches what is left of a lost run, so it is stopped. A pid that another process got since is left alone.
lost() {
  if leader; then kill -KILL -- "-$_pid"; fi
  _state=lost _code=- _size=-
}

# The process that leads the command's group, if it lives.
leader() {
  local _line _birth
  read -r _pid _birth _ _child <"$_run.pid" && read -r _line <"/proc/$_pid/stat" && born "$_line" && [[ $REPLY == "$_birth" ]]
}

stop() {
  [[ -e $_run.live ]] || say missing
  if ! ended; then
    : >"$_run.kill"
    # Whoever called may be gone before it has ended.
    set -m
    named && leader && {
      exec </dev/null >/dev/null
      attend
      end 7
    } &
    set +m
  fi
  join
}

say() {
  printf 'capstan %s - -\n' "$1"
  exit
}

answer() {
  local _kept=whole _text
  [[ -e $_run.cut ]] && _kept=cut
  [[ ${_size:--} == - ]] || _max=$((_size - _offset < _max ? _size - _offset : _max))
  # Output this short costs no process: `read` fails at the end of the file, unless a NUL or the 4096th byte comes first.
  if ((_offset == 0 && _max >= 4096)) && ! LC_ALL=C IFS= read -r -d '' -n 4096 _text <"$_run.out"; then
    LC_ALL=C printf 'capstan %s %s %s\n%s' "${_state:-running}" "${_code:--}" "$_kept" "$_text"
    return
  fi
  printf 'capstan %s %s %s\n' "${_state:-running}" "${_code:--}" "$_kept"
  ((_max > 0)) && LC_ALL=C exec dd if="$_run.out" bs=131072 skip="$_offset" count="$_max" iflag=skip_bytes,count_bytes status=none
}

exec 2>/dev/null
main "$@"
