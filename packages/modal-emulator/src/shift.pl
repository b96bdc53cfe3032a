# After shifts.pl: the user, the directories, "--" and the program it becomes.
my $user = shift @ARGV;
my @shifts;
push @shifts, shift @ARGV while $ARGV[0] ne "--";
show_as_own($user, @shifts);
become(@ARGV[1 .. $#ARGV]);
