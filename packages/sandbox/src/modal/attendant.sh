# Performs tasks inside a sandbox one after another, each in a subshell: a task then costs its own work and no start of a shell.
# Descriptor 0 brings orders: a mark of 32 digits, `x` for a task that is never done twice or `-`, the length of what follows in
# 7 digits, and that: a function of programs.ts and its arguments, in ASCII. Behind a task's output comes a line
# `MARK EXIT_CODE LAST`, which nothing in the output can hold because nobody knew the mark.
#  1. A task of kind x says that it begins, in a line in front of its output.
#  2. Nothing of a task can write into the answers to later ones: what its command leaves behind with a hold on these streams
#     makes it the last.
#  3. It ends with its orders, and when none has come for as many seconds as its argument says: a gateway that was killed leaves
#     nothing.
# Its own names begin with __capstan: the sandbox may export any other, and assigning would change that for commands.
__capstan_answer() {
  printf '\n%s %s %s\n' "$__capstan_mark" "$__capstan_code" "$__capstan_last"
}

# Whether a process that was not there before has our output open. What cannot be looked at may have.
__capstan_held() {
  local __capstan_process __capstan_file __capstan_memory
  for __capstan_process in /proc/[1-9]*; do
    [[ $__capstan_before == *" $__capstan_process "* ]] && continue
    if [[ -d $__capstan_process && ! -r $__capstan_process/fd ]]; then
      # One without memory is ending and writes no more.
      read -r __capstan_memory <"$__capstan_process/statm" || continue
      [[ $__capstan_memory == 0\ * ]] || return 0
    fi
    for __capstan_file in "$__capstan_process"/fd/*; do
      [[ $__capstan_file -ef /proc/$$/fd/1 || $__capstan_file -ef /proc/$$/fd/3 ]] && return 0
    done
  done
  return 1
}

# What bash has to say of a task that was killed is for nobody.
exec 3>&2 2>/dev/null 4<&0 </dev/null
# With a limit of time, bash makes two system calls for each character it takes.
while IFS= read -r -t "$1" -N 40 __capstan_head <&4 &&
  IFS= read -r -N "$((10#${__capstan_head:33}))" __capstan_order <&4; do
  __capstan_mark=${__capstan_head:0:32} __capstan_last=more
  if [[ ${__capstan_head:32:1} == x ]]; then
    __capstan_processes=(/proc/[1-9]*)
    __capstan_before=" ${__capstan_processes[*]} "
    printf '%s\n' "$__capstan_mark"
  fi
  (
    exec 2>&3 3>&- 4<&-
    eval "$__capstan_order"
  )
  __capstan_code=$?
  if [[ ${__capstan_head:32:1} == x ]]; then
    __capstan_held && __capstan_last=last
    __capstan_answer >&3
  fi
  __capstan_answer
  [[ $__capstan_last == more ]] || break
done
exit "${__capstan_code:-0}"
