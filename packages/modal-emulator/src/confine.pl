# After confinement.pl: the filter and the program that it becomes behind it.
own_keyring();
refuse_calls(shift @ARGV);
become(@ARGV);
