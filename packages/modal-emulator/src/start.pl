# Starts a sandbox; its argument is the process id of the emulator. What the sandbox is to be comes in words over descriptor
# 0, after their length, and nothing is done before: the emulator puts this process into its control groups first. It stays as the sandbox's parent outside, and the kernel kills it with the emulator, and
# the sandbox with it. The program in the last words becomes process 1 of the sandbox, with descriptors 0 to 3; nothing of
# the sandbox's root runs before it is confined. Paths go through the working directory, the sandbox's, because the mapped
# user may not be able to walk the directories above it.
my ($RDONLY, $NOSUID, $NODEV, $NOEXEC, $REMOUNT, $BIND, $PRIVATE) = (1, 2, 4, 8, 32, 4096, 0x44000);
my $PATH = 010000000 | $call{O_DIRECTORY};
my $emulator = shift @ARGV;
my @words;
umask 022;
close_inherited();
@words = split /\0/, receive(receive(10)), -1;
my ($place, $user, $filter) = splice @words, 0, 3;
my ($shifts, $ports, $mounts, $volumes, $limits) = map { [counted()] } 1 .. 5;
chdir $place or die "The sandbox's directory: $!\n";
show_as_own($user, @$shifts) if @$shifts;
become_user($user) if $user ne "";
die_with_parent();
getppid() == $emulator or die "The emulator has ended.\n";
own_namespaces();
take_channel();
bring_up(@$ports);
# Nothing that comes now gets the channel.
close_channel();
delete $ENV{NODE_CHANNEL_SERIALIZATION_MODE};
become_child();
# When memory runs out, the kernel takes a sandbox before anything of the host.
put("/proc/self/oom_score_adj", 1000);
mounted("none", "/", "", $PRIVATE, "");
mounted(splice @$mounts, 0, 5) while @$mounts;
sysopen my $directory, ".", $PATH or die "The sandbox's directory: $!\n";
mount_volume($directory, splice @$volumes, 0, 4) while @$volumes;
chdir "root" or die "The root directory: $!\n";
# For the writer's own user namespace; after it, nothing may change what the kernel does.
put("proc/sys/user/max_user_namespaces", 0);
mounted("none", "proc/sys", "", $REMOUNT | $BIND | $RDONLY | $NOSUID | $NODEV | $NOEXEC, "");
my $name = "sandbox";
check "The name of the host", syscall($call{sethostname}, $name, length $name);
while (my ($resource, $most) = splice @$limits, 0, 2) {
  my $limit = pack "QQ", $most, $most;
  check "Limit $resource of $most", syscall($call{prlimit64}, 0, $resource + 0, $limit, 0);
}
own_keyring();
enter();
refuse_calls($filter);
become(@words);

sub close_inherited {
  opendir my $open, "/proc/self/fd" or die "/proc/self/fd: $!\n";
  my @inherited = grep { /^\d+$/ && $_ > 4 } readdir $open;
  closedir $open;
  syscall($call{close}, $_ + 0) for @inherited;
}

sub receive {
  my ($length, $text) = (@_, "");
  while (length $text < $length) {
    sysread STDIN, $text, $length - length $text, length $text or die "The emulator did not say what to start.\n";
  }
  $text;
}

sub counted { splice @words, 0, shift @words }

sub become_user {
  my $user = $_[0] + 0;
  check "No groups", syscall($call{setgroups}, 0, 0);
  check "Group $user", syscall($call{setresgid}, $user, $user, $user);
  check "User $user", syscall($call{setresuid}, $user, $user, $user);
  # Of a process that has changed its user, the kernel gives /proc/self to root.
  check "Its own files in /proc", syscall($call{prctl}, 4, 1, 0, 0, 0);
}

# After the last change of user: that forgets it.
sub die_with_parent { check "The parent's death", syscall($call{prctl}, 1, 9, 0, 0, 0) }

# All kinds but time, root in them being this user.
sub own_namespaces {
  my ($uid, $gid) = ($> + 0, (split / /, $))[0] + 0);
  check "The namespaces", syscall($call{unshare}, 0x7e020000);
  put("/proc/self/setgroups", "deny");
  put("/proc/self/uid_map", "0 $uid 1");
  put("/proc/self/gid_map", "0 $gid 1");
}

sub put {
  my ($path, $text) = @_;
  open my $file, ">", $path or die "$path: $!\n";
  defined syswrite $file, $text or die "$path: $!\n";
}

# Returns in the first process of the new namespaces; their maker waits for its end.
sub become_child {
  pipe my $alive, my $held or die "A pipe: $!\n";
  my $child = check "fork", fork() // -1;
  if ($child) {
    close $alive;
    forget_files();
    waitpid $child, 0;
    exit($? & 127 ? 128 + ($? & 127) : $? >> 8);
  }
  close $held;
  die_with_parent();
  # It has no number here to ask for; its end of the pipe closes with it.
  my $ended = "";
  vec($ended, fileno $alive, 1) = 1;
  select($ended, undef, undef, 0) == 0 or die "The parent has ended.\n";
}

# MADV_DONTNEED for what is as files have it: most of the memory of a process that does nothing but wait.
sub forget_files {
  open my $maps, "<", "/proc/self/smaps" or return;
  my ($from, $to, @unchanged);
  while (<$maps>) {
    ($from, $to) = /^(\w+)-(\w+) r-.p \w+ \S+ [1-9]/ ? (hex $1, hex $2) : () if /^\w+-/;
    push @unchanged, [$from, $to - $from] if $from and /^Anonymous: +0 kB/;
  }
  syscall($call{madvise}, @$_, 4) for @unchanged;
}

sub mounted {
  my ($source, $target, $type, $flags, $data) = @_;
  $_ eq "" and $_ = 0 for $type, $data;
  check "Mounting $source on $target", syscall($call{mount}, $source, $target, $type, $flags + 0, $data);
}

# Goes down a path from here and makes what is missing. What lies there is a sandbox's, which may put a link in the way at
# this very moment: no step is gone through one.
sub descend {
  for my $name (split m{/}, $_[0]) {
    mkdir "./$name";
    my $why = $!;
    sysopen my $step, "./$name", $PATH | $call{O_NOFOLLOW}
      or die lstat "./$name" ? "A volume's path may not lead through links, and $name is one.\n" : "A volume's path: $name: $why\n";
    chdir $step or die "A volume's path: $name: $!\n";
  }
}

# Its name in volumes/, ro or rw, its path inside the volume and in the sandbox. Both ends are held open before they are
# joined, so that nobody can put others in their place.
sub mount_volume {
  my ($directory, $volume, $access, $from, $to) = @_;
  chdir "volumes/$volume" or die "Volume $volume: $!\n";
  descend($from);
  sysopen my $source, ".", $PATH or die "Volume $volume: $!\n";
  chdir $directory && chdir "root" or die "The root directory: $!\n";
  descend($to);
  my ($name) = $to =~ m{([^/]+)$};
  chdir ".." or die "A volume's path: $!\n";
  mounted("/proc/self/fd/" . fileno $source, "./$name", "", $BIND, "");
  mounted("none", "./$name", "", $REMOUNT | $BIND | $NOSUID | $NODEV | ($access eq "ro" ? $RDONLY : 0), "");
  chdir $directory or die "The sandbox's directory: $!\n";
}
