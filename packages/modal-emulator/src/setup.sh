# Runs as uid 0 of a sandbox's fresh namespaces, in the sandbox's directory: mounts its root, leaves the host's behind for
# good, and becomes the program in its arguments, with no capability left. All paths go through the working directory,
# because the mapped user may not be able to walk the directories above it. The first argument counts the words of the
# program that comes before: it brings up the network and has descriptor 4, which nothing after it gets.
set -e
umask 022
"${@:2:$1}"
shift $(($1 + 1))
exec 4>&-
unset NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE
# When memory runs out, the kernel takes a sandbox before anything of the host.
echo 1000 >/proc/self/oom_score_adj
mount --all --fstab ../../base/fstab --no-canonicalize
cd root
echo 0 >proc/sys/user/max_user_namespaces
mount --no-canonicalize -o remount,bind,ro,nosuid,nodev,noexec /proc/self/cwd/proc/sys
pivot_root . .
umount -l .
cd /
# It names a directory of the host.
unset OLDPWD
# Read-only is a property of one mount: what the host has mounted below its programs comes along as the host has it.
mapfile -t mounts </proc/self/mountinfo
for mount in "${mounts[@]}"; do
  read -r _ _ _ _ point options _ <<<"$mount"
  case $point in
    / | /dev | /dev/* | /proc | /proc/* | /__modal | /__modal/*) continue ;;
  esac
  case ,$options, in
    *,noexec,*) options=ro,nosuid,nodev,noexec ;;
    *,ro,nosuid,nodev,*) continue ;;
    *) options=ro,nosuid,nodev ;;
  esac
  mount --no-canonicalize -o "remount,bind,$options" "$(printf %b "$point")"
done
hostname sandbox || :
ulimit -c 0
ulimit -f 2097152
ulimit -u 640
exec setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all --securebits=+noroot,+noroot_locked --no-new-privs \
  "$@"
