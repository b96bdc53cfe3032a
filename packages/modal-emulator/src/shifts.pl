# As root, in mounts of its own: shows directories with the files of one user as another's. The user; disk user, source and
# target of each directory.
sub show_as_own {
  my ($user, @shifts) = @_;
  my %namespaces;
  my ($none, $root, $here) = ("none", "/", "");
  check "A mount namespace", syscall($call{unshare}, 0x20000);
  check "Private mounts", syscall($call{mount}, $none, $root, 0, 0x44000, 0);
  while (my ($disk, $source, $target) = splice @shifts, 0, 3) {
    my $namespace = $namespaces{$disk} //= namespace($disk, $user);
    # open_tree, mount_setattr with MOUNT_ATTR_IDMAP, move_mount.
    my $tree = check "open_tree $source", syscall(428, -100, $source, 0x80001);
    my $attributes = pack "QQQQ", 0x00100000, 0, 0, fileno $namespace;
    check "mount_setattr $source", syscall(442, $tree, $here, 0x1000, $attributes, 32);
    check "move_mount $target", syscall(429, $tree, $here, -100, $target, 4);
    syscall($call{close}, $tree);
  }
}
# A user namespace in which `disk` is called `user`: a mount takes that for its own mapping.
sub namespace {
  my ($disk, $user) = @_;
  pipe my $ready, my $made or die;
  pipe my $wait, my $done or die;
  my $child = check "fork", fork() // -1;
  if ($child == 0) {
    close $done;
    check "A user namespace", syscall($call{unshare}, 0x10000000);
    syswrite $made, "x";
    sysread $wait, my $end, 1;
    exit 0;
  }
  close $made;
  sysread $ready, my $byte, 1 or die "The user namespace was not made.\n";
  for my $map ("uid_map", "gid_map") {
    open my $file, ">", "/proc/$child/$map" or die "$map: $!\n";
    syswrite $file, "$disk $user 1\n" or die "$map: $!\n";
  }
  open my $namespace, "<", "/proc/$child/ns/user" or die "ns/user: $!\n";
  close $done;
  waitpid $child, 0;
  $namespace;
}
