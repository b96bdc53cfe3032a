# Becomes the program in its arguments, which then inherits whatever of its descendants has lost its parent.
my ($prctl, @program) = @ARGV;
syscall($prctl + 0, 36, 1, 0, 0, 0) == 0 or die "No subreaper: $!\n";
exec { $program[0] } @program or die "$program[0]: $!\n";
