# How a process comes behind its system call filter, for itself and all that come of it. All that it takes is in memory by
# then: whatever lies in the root it enters, the dynamic linker of its programs too, runs only once confined.
# A session keyring of its own, or ENOSYS, EPERM: keys are absent or refused here, and so they are inside.
sub own_keyring {
  syscall($call{keyctl}, 1, 0) >= 0 or $! == 38 or $! == 1
    or die "The kernel gave no session keyring: $! (it may be over kernel.keys.maxkeys)\n";
}
# Makes the working directory "/" and drops every capability.
sub enter {
  my $here = ".";
  syscall($call{pivot_root}, $here, $here) == 0 && syscall($call{umount2}, $here, 2) == 0 && chdir "/"
    or die "The root directory did not change: " . ($! + 0) . "\n";
  # The bounding set, the ambient set, the loss of root's privileges for good, and no way to gain any.
  my $capability = 0;
  $capability++ while syscall($call{prctl}, 24, $capability, 0, 0, 0) == 0;
  $capability > 30
    && syscall($call{prctl}, 47, 4, 0, 0, 0) == 0
    && syscall($call{prctl}, 28, 3, 0, 0, 0) == 0
    && syscall($call{prctl}, 38, 1, 0, 0, 0) == 0
    or die "The capabilities were not dropped: " . ($! + 0) . "\n";
}
# The filter in hex; needs no_new_privs.
sub refuse_calls {
  my $instructions = pack("H*", $_[0]);
  my $argument = pack("S x6 P", length($instructions) / 8, $instructions);
  syscall($call{prctl}, 22, 2, $argument) == 0 or die "The system call filter was refused: $!\n";
}
