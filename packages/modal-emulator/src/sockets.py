# Does what sockets.pl does, where there is no perl.
import fcntl, re, socket, struct

channel = None


def take_channel():
    global channel
    channel = socket.socket(fileno=int(os.environ.pop("NODE_CHANNEL_FD")))


def close_channel():
    channel.close()


def hand(kind, number, made):
    text = '{"cmd":"NODE_HANDLE","type":"%s","msg":{"id":%d}}\n' % (kind, number)
    rights = struct.pack("i", made.fileno())
    channel.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def stream():
    made = socket.socket()
    made.setblocking(False)
    return made


def listening(port):
    made = stream()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(511)
    return made


def follow(number, verb, port):
    try:
        if verb == "listen":
            hand("net.Server", number, listening(port))
            return
        made = stream()
        error = made.connect_ex(("127.0.0.1", port))
        if error in (0, 115):
            error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "")
        hand("net.Socket", number, made)
    except OSError as cause:
        channel.sendall(b'{"id":%d,"error":%d}\n' % (number, cause.errno))


def bring_up(ports):
    with stream() as made:
        fcntl.ioctl(made, 0x8914, struct.pack("16sh22x", b"lo", 1))
    for port in map(int, ports):
        hand("net.Server", port, listening(port))


def serve():
    for order in channel.makefile("r"):
        match = re.match(r'\{"id":(\d+),"verb":"(dial|listen)","port":(\d+)\}$', order)
        if match:
            follow(int(match[1]), match[2], int(match[3]))
