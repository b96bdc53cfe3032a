# Sets the stage for a run's command; evaluated with THIS RUN SHELL_FILE CWD COUNT NAME=VALUE... KIND PART...
# KIND argv: the parts replace this process. KIND script: the parts, joined, are left in __capstan_script for the caller to
# evaluate. With SHELL_FILE, the directory and exported variables that the last script ended with come from that file, and
# what this script ends with replaces the file at once.
shift
__capstan_run=$1 __capstan_shell=$2 __capstan_cwd=$3 __capstan_kind=${@:$(($4 + 5)):1}
if [[ $__capstan_shell && -e $__capstan_shell ]]; then . "$__capstan_shell"; else cd /workspace 2>/dev/null || cd /; fi
if [[ $__capstan_cwd ]]; then cd -- "$__capstan_cwd" || exit 1; fi
__capstan_env=("${@:5:$4}")
for __capstan_name in "${__capstan_env[@]}"; do export -- "$__capstan_name"; done
shift "$(($4 + 5))"
if [[ $__capstan_kind == argv ]]; then exec -- "$@"; fi
printf -v __capstan_script %s "$@"
set --
if [[ $__capstan_shell ]]; then
  __capstan_save() {
    local code=$? old new
    { set +eux; } 2>/dev/null
    trap - EXIT
    unset -f builtin command export printf read
    for __capstan_name in "${__capstan_env[@]%%=*}"; do export -n "$__capstan_name"; done
    if {
      export -p &&
        printf 'cd -- %q 2>/dev/null || { echo "%s is gone; back in /workspace" >&2; cd /workspace; }\nOLDPWD=%q\n' "$PWD" "${PWD//[^A-Za-z0-9.\/_-]/?}" "$OLDPWD"
    } >"$__capstan_run.env"; then
      IFS= read -r -d '' old <"$__capstan_shell"
      IFS= read -r -d '' new <"$__capstan_run.env"
      [[ $old == "$new" ]] || PATH=/usr/local/bin:/usr/bin:/bin mv -f -- "$__capstan_run.env" "$__capstan_shell"
    fi
    exit "$code"
  } 2>/dev/null
  trap __capstan_save EXIT
fi
