# Takes the kernel's key rings and the refused system calls from this process and all that come of it, then becomes the
# given program: prctl's number, keyctl's number, how to enter, the filter in hex, the program and its arguments.
# To enter is to make the working directory "/" and to drop every capability; "stay" does neither. All that it takes is in
# memory by then: whatever lies in the new root, the dynamic linker of its programs too, runs only once confined.
my ($prctl, $keyctl, $entry, $filter, @program) = @ARGV;
# A session keyring of its own, or ENOSYS, EPERM: keys are absent or refused here, and so they are inside.
syscall($keyctl + 0, 1, 0) >= 0 or $! == 38 or $! == 1
  or die "The kernel gave no session keyring: $! (it may be over kernel.keys.maxkeys)\n";
my $instructions = pack("H*", $filter);
my $argument = pack("S x6 P", length($instructions) / 8, $instructions);
if ($entry ne "stay") {
  my ($pivot_root, $umount2) = split /,/, $entry;
  my $here = ".";
  syscall($pivot_root + 0, $here, $here) == 0 && syscall($umount2 + 0, $here, 2) == 0 && chdir "/"
    or die "The root directory did not change: " . ($! + 0) . "\n";
  # The bounding set, the ambient set, the loss of root's privileges for good, and no way to gain any.
  my $capability = 0;
  $capability++ while syscall($prctl + 0, 24, $capability, 0, 0, 0) == 0;
  $capability > 30
    && syscall($prctl + 0, 47, 4, 0, 0, 0) == 0
    && syscall($prctl + 0, 28, 3, 0, 0, 0) == 0
    && syscall($prctl + 0, 38, 1, 0, 0, 0) == 0
    or die "The capabilities were not dropped: " . ($! + 0) . "\n";
}
syscall($prctl + 0, 22, 2, $argument) == 0 or die "The system call filter was refused: $!\n";
exec { $program[0] } @program or die "$program[0]: $!\n";
