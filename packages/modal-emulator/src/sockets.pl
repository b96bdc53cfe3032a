# Makes sockets in the network namespace it runs in and hands them over the channel that Node gives its children, in
# Node's own words. Listens and connects on 127.0.0.1 alone, and waits for nobody.
my $channel;
sub take_channel { open $channel, "+<&=", delete $ENV{NODE_CHANNEL_FD} or die "There is no channel: $!\n" }
sub close_channel { close $channel }
sub stream { socket my $socket, 2, 1 | 04000, 0 or die "No socket: $!\n"; $socket }
sub at { pack "S n C4 x8", 2, $_[0], 127, 0, 0, 1 }
# struct msghdr with one iovec and SCM_RIGHTS of one descriptor, as 64-bit machines lay them out.
sub hand {
  my ($type, $id, $socket) = @_;
  my $text = qq({"cmd":"NODE_HANDLE","type":"$type","msg":{"id":$id}}\n);
  my $vector = pack "P Q", $text, length $text;
  my $rights = pack "Q l l l x4", 20, 1, 1, fileno $socket;
  my $message = pack "Q L x4 P Q P Q l x4", 0, 0, $vector, 1, $rights, length $rights, 0;
  syscall($call{sendmsg}, fileno $channel, $message, 0) >= 0 or die "The socket was not handed over: $!\n";
}
sub refuse {
  my $text = qq({"id":$_[0],"error":$_[1]}\n);
  syswrite $channel, $text;
}
sub listening {
  my $socket = stream;
  # Connections of an earlier listener may still be ending.
  setsockopt $socket, 1, 2, 1;
  bind($socket, at $_[0]) && listen($socket, 511) ? $socket : undef;
}
# Brings up the loopback and listens on the ports.
sub bring_up {
  # struct ifreq with IFF_UP, for SIOCSIFFLAGS.
  my $request = pack "a16 s x22", "lo", 1;
  ioctl(stream, 0x8914, $request) or die "The loopback network did not come up: $!\n";
  for my $port (@_) {
    my $socket = listening $port or die "Port $port does not listen: $!\n";
    hand "net.Server", $port, $socket;
  }
}
# Follows the orders that come over the channel, until it is closed.
sub serve {
  while (my $order = <$channel>) {
    my ($id, $verb, $port) = $order =~ /^\{"id":(\d+),"verb":"(dial|listen)","port":(\d+)\}$/ or next;
    if ($verb eq "listen") {
      my $socket = listening $port;
      $socket ? hand("net.Server", $id, $socket) : refuse($id, $! + 0);
      next;
    }
    my $socket = stream;
    # On the loopback the answer is here as soon as connect returns, though it says EINPROGRESS; a full queue stays so.
    my $error = connect($socket, at $port) || $! == 115 ? unpack("i", getsockopt $socket, 1, 4) : $! + 0;
    $error ? refuse($id, $error) : hand("net.Socket", $id, $socket);
  }
}
