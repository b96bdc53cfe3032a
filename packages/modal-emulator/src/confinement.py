# Does what confinement.pl does, where there is no perl.
import struct


def own_keyring():
    if syscall(call["keyctl"], 1, NULL) < 0 and ctypes.get_errno() not in (38, 1):
        reason = os.strerror(ctypes.get_errno())
        sys.exit(f"The kernel gave no session keyring: {reason} (it may be over kernel.keys.maxkeys)")


def enter():
    if syscall(call["pivot_root"], b".", b".") != 0 or syscall(call["umount2"], b".", 2) != 0:
        sys.exit(f"The root directory did not change: {ctypes.get_errno()}")
    os.chdir("/")
    capability = 0
    while syscall(call["prctl"], 24, capability, 0, 0, 0) == 0:
        capability += 1
    dropped = [syscall(call["prctl"], *words, 0, 0, 0) for words in ((47, 4), (28, 3), (38, 1))]
    if capability <= 30 or dropped != [0, 0, 0]:
        sys.exit(f"The capabilities were not dropped: {ctypes.get_errno()}")


def refuse_calls(filter):
    instructions = bytes.fromhex(filter)
    memory = ctypes.create_string_buffer(instructions, len(instructions))
    argument = struct.pack("Hxxxxxx P", len(instructions) // 8, ctypes.addressof(memory))
    if syscall(call["prctl"], 22, 2, argument) != 0:
        sys.exit(f"The system call filter was refused: {os.strerror(ctypes.get_errno())}")
