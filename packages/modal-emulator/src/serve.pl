# After sockets.pl.
take_channel();
serve();
