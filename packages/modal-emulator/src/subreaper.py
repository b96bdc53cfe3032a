# Does what subreaper.pl does, where there is no perl.
check("No subreaper", syscall(call["prctl"], 36, 1, 0, 0, 0))
become(*arguments)
