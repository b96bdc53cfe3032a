# Runs as uid 0 of a sandbox's fresh namespaces, in the sandbox's directory: mounts its root and leaves it to the program in
# its arguments to go there, as nothing of that root may run before it is confined. All paths go through the working
# directory, because the mapped user may not be able to walk the directories above it. The first argument counts the words
# of the program that comes before: it brings up the network and has descriptor 4, which nothing after it gets. Then come,
# counted too, the sandbox's volumes: of each its name in volumes/, ro or rw, its path inside the volume and in the sandbox.
set -e
umask 022
"${@:2:$1}"
shift $(($1 + 1))
exec 4>&-
volumes=("${@:2:$1}")
shift $(($1 + 1))
# Goes down a path from here and makes what is missing. What lies there is a sandbox's, which may put a link in the way at
# this very moment: every step has to arrive where it says.
descend() {
  local rest=$1 name at
  while [ -n "$rest" ]; do
    name=${rest%%/*}
    case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
    at=$PWD/$name
    [ -d "./$name" ] || [ -L "./$name" ] || mkdir "./$name"
    cd -P "./$name" 2>/dev/null && [ "$PWD" = "$at" ] || { echo "A volume's path may not lead through links, and $name is one." >&2; exit 1; }
  done
}
# Both ends are held open before they are joined, so that nobody can put others in their place.
mount_volume() (
  exec 5<.
  cd -P "volumes/$1"
  descend "$3"
  exec 6<.
  cd -P /proc/self/fd/5/root
  descend "$4"
  name=${PWD##*/}
  cd -P ..
  mount --no-canonicalize -o bind,nosuid,nodev /proc/self/fd/6 "/proc/self/cwd/$name"
  [ "$2" = rw ] || mount --no-canonicalize -o remount,bind,ro,nosuid,nodev "/proc/self/cwd/$name"
)
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
# When memory runs out, the kernel takes a sandbox before anything of the host.
echo 1000 >/proc/self/oom_score_adj
mount --all --fstab fstab --no-canonicalize
for ((i = 0; i < ${#volumes[@]}; i += 4)); do
  mount_volume "${volumes[@]:i:4}"
done
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
