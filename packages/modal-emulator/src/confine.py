# Does what confine.pl does, where there is no perl.
import ctypes, os, signal, struct, sys

prctl, keyctl, entry, instructions = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], bytes.fromhex(sys.argv[4])
program = sys.argv[5:]
call = ctypes.CDLL(None, use_errno=True).syscall
call.restype = ctypes.c_long
call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_long]
if call(keyctl, 1, None, None, 0, 0) < 0 and ctypes.get_errno() not in (38, 1):
    reason = os.strerror(ctypes.get_errno())
    sys.exit(f"The kernel gave no session keyring: {reason} (it may be over kernel.keys.maxkeys)")
memory = ctypes.create_string_buffer(instructions, len(instructions))
argument = ctypes.create_string_buffer(struct.pack("Hxxxxxx P", len(instructions) // 8, ctypes.addressof(memory)))
if entry != "stay":
    pivot_root, umount2 = map(int, entry.split(","))
    here = ctypes.create_string_buffer(b".")
    if call(pivot_root, ctypes.addressof(here), here, 0, 0, 0) != 0 or call(umount2, ctypes.addressof(here), 2, 0, 0, 0) != 0:
        sys.exit(f"The root directory did not change: {ctypes.get_errno()}")
    os.chdir("/")
    capability = 0
    while call(prctl, 24, capability, None, 0, 0) == 0:
        capability += 1
    dropped = [call(prctl, *arguments, None, 0, 0) for arguments in ((47, 4), (28, 3), (38, 1))]
    if capability <= 30 or dropped != [0, 0, 0]:
        sys.exit(f"The capabilities were not dropped: {ctypes.get_errno()}")
if call(prctl, 22, 2, argument, 0, 0) != 0:
    sys.exit(f"The system call filter was refused: {os.strerror(ctypes.get_errno())}")
# Python ignores these, and a program would inherit that.
for name in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(name, signal.SIG_DFL)
os.execvp(program[0], program)
