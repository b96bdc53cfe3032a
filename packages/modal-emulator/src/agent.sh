# PID 1 of a sandbox. Reads orders from descriptor 0: "x ID" runs ID.sh of its argument, a directory, on the named pipes
# beside it, "k GROUP" kills a process group. It ends with that descriptor, so nothing in the sandbox outlives the emulator.
# Where there is no isolation it is no PID 1, and adopts orphans: group 1 would then be everything of this user.
# A run's status pipe tells "s GROUP" once its pipes are open, then "e CODE"; without "e" the run's keeper was killed.
set -m
runs=$1
exec 2>/dev/null
run() {
  local run=$runs/$1 group=$BASHPID code
  exec 3>"$run.status" </dev/null
  (
    exec <"$run.in" >"$run.out" 2>"$run.err"
    echo "s $group" >&3
    exec 3>&-
    [ $$ -ne 1 ] || ulimit -u 512
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
    k) [ $$ -ne 1 ] && [ "$argument" -le 1 ] || kill -KILL -- "-$argument" ;;
  esac
done
[ $$ -ne 1 ] || exit
while read -r children </proc/$$/task/$$/children; [ -n "$children" ]; do
  kill -KILL $children
  wait
done
