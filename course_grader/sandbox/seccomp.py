"""System calls that a box may not make: a filter that the kernel runs on each call.

The filter is a deny list: what it does not name, a submission may call. Each refused
call answers with an error number; a call by another machine's convention (32-bit, x32)
ends the process. A call that is newer than this list does not exist.

A new session (setsid) is denied because Linux divides the CPU between sessions: each
would be one more share, taken from the neighbours.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from typing import NamedTuple

from . import kernel

DENIED = """
acct add_key adjtimex bpf chroot clock_adjtime clock_settime delete_module fanotify_init
finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter io_uring_register
io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl memfd_create
memfd_secret modify_ldt mount mount_setattr move_mount mq_open msgget name_to_handle_at
open_by_handle_at open_tree open_tree_attr perf_event_open personality pidfd_getfd
pivot_root process_madvise process_mrelease process_vm_readv process_vm_writev ptrace
quotactl quotactl_fd reboot request_key semget setdomainname sethostname setns setsid
settimeofday shmget swapoff swapon syslog umount2 unshare userfaultfd uselib vhangup
"""
# Landlock leaves these open, though they change files and processes of the same user:
# owner, mode and time of a file: answered with success, and nothing done
PRETENDED = """
chmod chown fchmod fchmodat fchmodat2 fchown fchownat file_setattr fremovexattr
fsetxattr futimesat lchown lremovexattr lsetxattr removexattr removexattrat setxattr
setxattrat utime utimensat utimes
"""
# leaving the process group, by which a box without a pid namespace is ended; sockets;
# other processes' priority and memory; queues and memory shared by number; watching
DENIED_BY_LANDLOCK = """
connect inotify_add_watch ioprio_set migrate_pages move_pages mq_unlink msgctl msgrcv
msgsnd sched_setattr sched_setparam sched_setscheduler semctl semop semtimedop setpgid
setpriority shmat shmctl socket
"""
# signals, where Landlock (ABI < 6) does not keep them inside
SIGNALS = "pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo tkill"

NEW_NAMESPACES = 0x7E020080  # CLONE_NEW*: cgroup, ipc, mount, net, pid, time, user, uts
PARENT = 0x8000  # CLONE_PARENT: a process that is the worker's child
KIND, F_SETOWN, F_SETOWN_EX = 0xF, 8, 15  # mask of a socket's kind; fcntl's commands

LOAD, EQUAL, ANY_BIT, AT_LEAST, AND, RETURN = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
KILL, REFUSE, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000  # bit of the call's number
LATEST = 469  # the last number that `DENIED` was made for: Linux 6.18, file_setattr
SET_MODE_FILTER = 1


class Line(NamedTuple):
    """One instruction of the kernel's packet filter (struct sock_filter)."""

    code: int
    value: int
    then: int = 0  # lines to skip if the comparison holds
    other: int = 0  # if it does not


def refuse(number: int = errno.EPERM) -> Line:
    return Line(RETURN, REFUSE | number)


def argument(index: int) -> Line:
    """Load the low half of a call's argument; both machines are little-endian."""
    return Line(LOAD, 16 + 8 * index)


def unless(index: int, *values: int) -> list[Line]:
    """Refuse unless the low half of an argument is one of the values."""
    tests = [
        Line(EQUAL, value & 0xFFFFFFFF, then=len(values) - place)
        for place, value in enumerate(values)
    ]
    return [argument(index), *tests, refuse(), Line(RETURN, ALLOW)]


def rules(landlock: bool, own_signals: int | None) -> dict[str, list[Line]]:
    """Return what becomes of each call that is not simply allowed.

    landlock: also refuse what only namespaces would contain.
    own_signals: the one process that may be signalled, if not None.
    """
    table = {name: [refuse()] for name in DENIED.split()}
    table["clone3"] = [refuse(errno.ENOSYS)]  # the C library then calls clone
    table["clone"] = [
        argument(0),
        Line(ANY_BIT, NEW_NAMESPACES | PARENT, other=1),
        refuse(),
        Line(RETURN, ALLOW),
    ]
    table["prctl"] = [  # to outlive the worker
        argument(0),
        Line(EQUAL, kernel.PR_SET_PDEATHSIG, other=1),
        refuse(),
        Line(RETURN, ALLOW),
    ]
    table["socket"] = table["socketpair"] = unless(0, socket.AF_UNIX)
    if landlock:
        table |= {name: [refuse()] for name in DENIED_BY_LANDLOCK.split()}
        table |= {name: [refuse(0)] for name in PRETENDED.split()}
        table["prlimit64"] = table["sched_setaffinity"] = unless(0, 0)
        streams = [
            argument(1),
            Line(AND, KIND),
            Line(EQUAL, socket.SOCK_DGRAM, other=1),
        ]
        table["socketpair"] = [*streams, refuse(), *unless(0, socket.AF_UNIX)]
    if own_signals is not None:
        table |= {name: [refuse()] for name in SIGNALS.split()}
        table["kill"] = table["tgkill"] = unless(0, 0, own_signals)
        owners = [Line(EQUAL, F_SETOWN, then=1), Line(EQUAL, F_SETOWN_EX, other=1)]
        table["fcntl"] = [argument(1), *owners, refuse(), Line(RETURN, ALLOW)]
    return table


def program(
    machine: str, landlock: bool = False, own_signals: int | None = None
) -> list[Line]:
    """Assemble the filter for a machine ("x86_64" or "aarch64")."""
    numbers = kernel.NUMBERS[machine]
    lines = [
        Line(LOAD, 4),  # the architecture
        Line(EQUAL, ARCHITECTURES[machine], then=1),
        Line(RETURN, KILL),
        Line(LOAD, 0),  # the call's number
        Line(AT_LEAST, X32, other=1),
        Line(RETURN, KILL),
        Line(AT_LEAST, LATEST + 1, other=1),
        refuse(errno.ENOSYS),
    ]
    for name, body in rules(landlock, own_signals).items():
        if name in numbers:
            lines += [Line(EQUAL, numbers[name], other=len(body)), *body]
    return [*lines, Line(RETURN, ALLOW)]


def restrict(landlock: bool = False, own_signals: int | None = None) -> None:
    """Put this process, and all it will start, under the filter; needs no_new_privs."""
    lines = program(kernel.MACHINE, landlock, own_signals)
    code = b"".join(struct.pack("HBBI", c, t, o, v) for c, v, t, o in lines)
    buffer = ctypes.create_string_buffer(code, len(code))
    whole = struct.pack("HxxxxxxP", len(lines), ctypes.addressof(buffer))
    kernel.call("seccomp", SET_MODE_FILTER, 0, whole)
