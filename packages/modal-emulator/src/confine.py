# Does what confine.pl does, where there is no perl.
import ctypes, os, signal, struct, sys

prctl, keyctl, instructions = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
program = sys.argv[4:]
call = ctypes.CDLL(None, use_errno=True).syscall
call.restype = ctypes.c_long
call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p]
if call(keyctl, 1, 0, None) < 0 and ctypes.get_errno() not in (38, 1):
    reason = os.strerror(ctypes.get_errno())
    sys.exit(f"The kernel gave no session keyring: {reason} (it may be over kernel.keys.maxkeys)")
memory = ctypes.create_string_buffer(instructions, len(instructions))
argument = struct.pack("Hxxxxxx P", len(instructions) // 8, ctypes.addressof(memory))
if call(prctl, 22, 2, argument) != 0:
    sys.exit(f"The system call filter was refused: {os.strerror(ctypes.get_errno())}")
# Python ignores these, and a program would inherit that.
for name in (signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(name, signal.SIG_DFL)
os.execvp(program[0], program)
