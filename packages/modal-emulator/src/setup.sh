# Runs as uid 0 of a sandbox's fresh namespaces, in the sandbox's directory: mounts its root and leaves it to the program in
# its arguments to go there, as nothing of that root may run before it is confined. All paths go through the working
# directory, because the mapped user may not be able to walk the directories above it. The first argument counts the words
# of the program that comes before: it brings up the network and has descriptor 4, which nothing after it gets.
set -e
umask 022
"${@:2:$1}"
shift $(($1 + 1))
exec 4>&-
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
# When memory runs out, the kernel takes a sandbox before anything of the host.
echo 1000 >/proc/self/oom_score_adj
mount --all --fstab fstab --no-canonicalize
cd root
echo 0 >proc/sys/user/max_user_namespaces
mount --no-canonicalize -o remount,bind,ro,nosuid,nodev,noexec /proc/self/cwd/proc/sys
hostname sandbox || :
ulimit -c 0
ulimit -f 2097152
ulimit -u 640
ulimit -d "$DATA_KIB"
unset DATA_KIB
# They name directories of the host.
unset OLDPWD PWD
exec "$@"
