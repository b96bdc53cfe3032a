# Takes the kernel's key rings and the refused system calls from this process and all that come of it, then becomes the
# given program: prctl's number, keyctl's number, the filter in hex, the program and its arguments.
my ($prctl, $keyctl, $filter, @program) = @ARGV;
# A session keyring of its own, or ENOSYS, EPERM: keys are absent or refused here, and so they are inside.
syscall($keyctl + 0, 1, 0) >= 0 or $! == 38 or $! == 1
  or die "The kernel gave no session keyring: $! (it may be over kernel.keys.maxkeys)\n";
my $instructions = pack("H*", $filter);
my $argument = pack("S x6 P", length($instructions) / 8, $instructions);
syscall($prctl + 0, 22, 2, $argument) == 0 or die "The system call filter was refused: $!\n";
exec { $program[0] } @program or die "$program[0]: $!\n";
