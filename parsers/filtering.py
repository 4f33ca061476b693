"""The seccomp filter of a confined child: which system calls a program may make that only computes.

Allowed is what is listed, all else is refused with EPERM: an interface that a kernel of the future brings is refused
too. The filter is classic BPF over `struct seccomp_data` (uapi/linux/seccomp.h: number at 0, architecture at 4,
arguments from 16 in steps of 8, little-endian on both machines here).
"""

import errno
import struct

# AUDIT_ARCH_* of uapi/linux/audit.h.
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD, _JUMP_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _ERRNO | errno.EPERM

# Memory, waiting, time, threads that exist, files that are open or may be looked at, the end. x86_64, aarch64; None
# where the machine has no such call. There is none that sends a signal to somebody else, makes a file or a socket.
_PLAIN: dict[str, tuple[int | None, int | None]] = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "lseek": (8, 62),
    "close": (3, 57),
    "dup": (32, 23),
    "stat": (4, None),
    "fstat": (5, 80),
    "lstat": (6, None),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "mincore": (27, 232),
    "brk": (12, 214),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "membarrier": (324, 283),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "nanosleep": (35, 101),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "times": (100, 153),
    "uname": (63, 160),
    "sysinfo": (99, 179),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "getrandom": (318, 278),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "exit": (60, 93),
    "exit_group": (231, 94),
}

# O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_TMPFILE: a file is opened to be read or not at all.
_WRITING = 0o3 | 0o100 | 0o1000 | 0o20000000
_PROT_WRITE, _PROT_EXEC = 2, 4
_CLONE_THREAD = 0x10000
_TCGETS = 0x5401  # Python asks of every file it opens whether it is a terminal
_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_DUPFD_CLOEXEC = 0, 1, 2, 3, 1030

Instruction = tuple[int, int, int, int]


def program_for(machine: str) -> bytes | None:
    """The filter for a machine as `platform.machine` names it, 8 octets an instruction; None for any other machine."""
    architecture = _ARCHITECTURES.get(machine)
    if architecture is None:
        return None
    column = 0 if machine == "x86_64" else 1
    program: list[Instruction] = [
        (_LOAD, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    for numbers in _PLAIN.values():
        program += _when(numbers[column], [(_RETURN, 0, 0, _ALLOW)])
    program += _when((2, None)[column], _unless_bits(1, _WRITING))
    program += _when((257, 56)[column], _unless_bits(2, _WRITING))
    for numbers in ((9, 222), (10, 226)):  # mmap, mprotect: memory is written or run, never both
        program += _when(numbers[column], _unless_both(2, _PROT_WRITE, _PROT_EXEC))
    program += _when((56, 220)[column], _if_bits(0, _CLONE_THREAD))
    program += _when((16, 29)[column], _if_one_of(1, (_TCGETS,)))
    fcntl = (_F_DUPFD, _F_GETFD, _F_SETFD, _F_GETFL, _F_DUPFD_CLOEXEC)
    program += _when((72, 25)[column], _if_one_of(1, fcntl))
    # prlimit64 about another process would be an attack; about oneself (0) it is getrlimit, and setting only lowers.
    program += _when((302, 261)[column], _if_one_of(0, (0,)))
    # The C library makes a thread by clone where clone3, whose flags a filter cannot see, is not there.
    program += _when(435, [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)])
    program.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _when(number: int | None, then: list[Instruction]) -> list[Instruction]:
    """`then`, which ends in a return, for the call of this number; the number stays loaded for the next test."""
    return [(_JUMP_EQUAL, 0, len(then), number), *then] if number is not None else []


def _argument(index: int) -> Instruction:
    # The lower half: all that is looked at here are ints.
    return (_LOAD, 0, 0, 16 + 8 * index)


def _unless_bits(index: int, bits: int) -> list[Instruction]:
    return [_argument(index), (_JUMP_ANY_BIT, 1, 0, bits), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]


def _if_bits(index: int, bits: int) -> list[Instruction]:
    return [_argument(index), (_JUMP_ANY_BIT, 0, 1, bits), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]


def _unless_both(index: int, first: int, second: int) -> list[Instruction]:
    return [
        _argument(index),
        (_JUMP_ANY_BIT, 0, 1, first),
        (_JUMP_ANY_BIT, 1, 0, second),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _if_one_of(index: int, values: tuple[int, ...]) -> list[Instruction]:
    tests: list[Instruction] = [_argument(index)]
    for value in values:
        tests += [(_JUMP_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    return [*tests, (_RETURN, 0, 0, _REFUSE)]
