# PID 1 of a sandbox. Reads orders from descriptor 0: "x ID" runs /__modal/run/ID.sh on the named pipes beside it,
# "k GROUP" kills a process group. It ends with that descriptor, so nothing in the sandbox outlives the emulator.
# A run's status pipe tells "s GROUP" once its pipes are open, then "e CODE"; without "e" the run's keeper was killed.
set -m
exec 2>/dev/null
run() {
  local run=/__modal/run/$1 group=$BASHPID code
  exec 3>"$run.status" </dev/null
  (
    exec <"$run.in" >"$run.out" 2>"$run.err"
    echo "s $group" >&3
    exec 3>&-
    ulimit -u 512
    . "$run.sh"
  )
  code=$?
  echo "e $code" >&3
}
echo ready >&3
exec 3>&-
while read -r verb argument; do
  case $verb in
    x) run "$argument" & ;;
    k) kill -KILL -- "-$argument" ;;
  esac
done
