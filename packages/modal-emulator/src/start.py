# Does what start.pl does, where there is no perl; there, root shows nothing as a sandbox's own.
import resource, select

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, PRIVATE = 1, 2, 4, 8, 32, 4096, 0x44000
PATH = 0o10000000 | call["O_DIRECTORY"] | os.O_CLOEXEC


def close_inherited():
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 4:
            syscall(call["close"], int(name))


def receive(length):
    text = b""
    while len(text) < length:
        more = os.read(0, length - len(text))
        if more == b"":
            sys.exit("The emulator did not say what to start.")
        text += more
    return text


def counted():
    count = int(words.pop(0))
    taken = words[:count]
    del words[:count]
    return taken


def become_user(user):
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    check("Its own files in /proc", syscall(call["prctl"], 4, 1, 0, 0, 0))


def die_with_parent():
    check("The parent's death", syscall(call["prctl"], 1, 9, 0, 0, 0))


def own_namespaces():
    uid, gid = os.geteuid(), os.getegid()
    check("The namespaces", syscall(call["unshare"], 0x7E020000))
    put("/proc/self/setgroups", "deny")
    put("/proc/self/uid_map", f"0 {uid} 1")
    put("/proc/self/gid_map", f"0 {gid} 1")


def put(path, text):
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


def become_child():
    alive, held = os.pipe()
    child = os.fork()
    if child:
        os.close(alive)
        _, status = os.waitpid(child, 0)
        os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    os.close(held)
    die_with_parent()
    if select.select([alive], [], [], 0)[0]:
        sys.exit("The parent has ended.")


def mounted(source, target, kind, flags, data):
    what = f"Mounting {os.fsdecode(source)} on {os.fsdecode(target)}"
    check(what, syscall(call["mount"], source, target, kind or 0, int(flags), data or 0))


def descend(path):
    for name in path.split(b"/") if path else []:
        why = None
        try:
            os.mkdir(b"./" + name)
        except OSError as cause:
            why = cause
        try:
            step = os.open(b"./" + name, PATH | call["O_NOFOLLOW"])
        except OSError:
            shown = os.fsdecode(name)
            if os.path.lexists(b"./" + name):
                sys.exit(f"A volume's path may not lead through links, and {shown} is one.")
            sys.exit(f"A volume's path: {shown}: {why}")
        os.chdir(step)
        os.close(step)


def mount_volume(volume, access, start, to):
    os.chdir(b"volumes/" + volume)
    descend(start)
    source = os.open(".", PATH)
    os.chdir(directory)
    os.chdir("root")
    descend(to)
    name = b"./" + to.split(b"/")[-1]
    os.chdir("..")
    mounted(b"/proc/self/fd/%d" % source, name, b"", BIND, b"")
    mounted(b"none", name, b"", REMOUNT | BIND | NOSUID | NODEV | (RDONLY if access == b"ro" else 0), b"")
    os.close(source)
    os.chdir(directory)


def groups(words, size):
    return [words[index : index + size] for index in range(0, len(words), size)]


emulator = int(arguments[0])
os.umask(0o022)
close_inherited()
words = receive(int(receive(10))).split(b"\0")
place, user, filter = words.pop(0), words.pop(0), words.pop(0)
shifts, ports, mounts, volumes, limits = (counted() for _ in range(5))
os.chdir(place)
if shifts:
    show_as_own(user, shifts)
if user:
    become_user(int(user))
die_with_parent()
if os.getppid() != emulator:
    sys.exit("The emulator has ended.")
own_namespaces()
take_channel()
bring_up(ports)
close_channel()
os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
become_child()
put("/proc/self/oom_score_adj", "1000")
mounted(b"none", b"/", b"", PRIVATE, b"")
for each in groups(mounts, 5):
    mounted(*each)
directory = os.open(".", PATH)
for each in groups(volumes, 4):
    mount_volume(*each)
os.chdir("root")
put("proc/sys/user/max_user_namespaces", "0")
mounted(b"none", b"proc/sys", b"", REMOUNT | BIND | RDONLY | NOSUID | NODEV | NOEXEC, b"")
check("The name of the host", syscall(call["sethostname"], b"sandbox", 7))
for kind, most in groups(limits, 2):
    resource.setrlimit(int(kind), (int(most), int(most)))
own_keyring()
enter()
refuse_calls(filter.decode())
become(*map(bytes.decode, words))
