# What the programs here begin with: the numbers of system calls are their first argument.
use strict;
our %call = map { split /=/ } split /,/, shift @ARGV;
$_ += 0 for values %call;
sub check { $_[1] >= 0 or die "$_[0]: $!\n"; $_[1] }
sub become { exec { $_[0] } @_ or die "$_[0]: $!\n" }
