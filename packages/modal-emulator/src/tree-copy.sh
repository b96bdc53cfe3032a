# The first process of namespaces of its own, in the directory of one copy: copies `from` to `to` in a root directory that
# has nothing but the two and the host's programs. Whatever the sandbox does to `from` meanwhile, a link leads nowhere else.
# Takes a new owner, or nothing; the last line of its output is what the copy takes on disk, in bytes.
set -e
export LC_ALL=C
mount --all --fstab ../../base/box.fstab --no-canonicalize
cd ../../base/box
pivot_root . .
umount -l .
cd /
status=0
cp -a from/. to/ || status=$?
# Sockets and pipes are nothing without the programs that had them open.
find to '(' -type s -o -type p ')' -delete
if [ -n "$1" ]; then
  chown -hR "$1:$1" to
  # A new owner takes these bits away.
  cd from
  find . ! -type l -perm /6000 -exec bash -c 'for file; do chmod --reference="$file" "../to/$file"; done' bash {} +
  cd /
fi
du -s --block-size=1 to
exit "$status"
