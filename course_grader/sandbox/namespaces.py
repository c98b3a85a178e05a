"""A file system, process table, network and users of a box's own, without root.

The child is cloned straight into its namespaces, as their process 1: one copy of the
worker's page tables, and when it ends the kernel ends all that it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import stat

from . import kernel, users
from .landlock import DEVICES
from .paths import WORK, Layout

USER = 1000  # the only user and group that a box knows
NEW_MOUNTS, NEW_UTS, NEW_IPC = 0x00020000, 0x04000000, 0x08000000  # CLONE_NEW*
NEW_USER, NEW_PID, NEW_NET = 0x10000000, 0x20000000, 0x40000000
NAMESPACES = NEW_USER | NEW_PID | NEW_NET | NEW_IPC | NEW_UTS | NEW_MOUNTS
SET_TID, CLEAR_TID = 0x01000000, 0x00200000  # CLONE_CHILD_*

AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000
OPEN_TREE_CLONE = 1
FROM_DESCRIPTOR = 4  # MOVE_MOUNT_F_EMPTY_PATH
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC = 1, 2, 4, 8  # MOUNT_ATTR_*
PRIVATE, RECURSIVE = 1 << 18, 1 << 14  # MS_*
DETACH = 2  # MNT_DETACH
CONFIG_STRING, CONFIG_CREATE = 1, 6

INODE = 4096  # a scratch folder may hold one file for so many bytes of its size


def fork() -> int:
    """Fork into new namespaces; only a process of a single thread may.

    As os.fork, with its own handlers, but the C library's (pthread_atfork) are not run:
    they guard against other threads. The library's note of the thread's number is set
    anew by the kernel.
    """
    address = ctypes.c_void_p()
    with contextlib.suppress(OSError):  # a kernel without it: the note stays old
        kernel.prctl(kernel.PR_GET_TID_ADDRESS, ctypes.addressof(address))
    flags = NAMESPACES | signal.SIGCHLD
    if address.value:
        flags |= SET_TID | CLEAR_TID
    tid = address.value or 0
    # x86_64 takes (…, child's tid, tls), aarch64 (…, tls, child's tid)
    last = (tid, 0) if kernel.MACHINE == "x86_64" else (0, tid)
    collecting = gc.isenabled()
    gc.disable()  # nothing else may run between the handlers
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = -1
    try:
        pid = kernel.call("clone", flags, 0, 0, *last)
    finally:
        (python.PyOS_AfterFork_Parent if pid else python.PyOS_AfterFork_Child)()
        if collecting:
            gc.enable()
    return pid


def map_users(pid: int) -> None:
    """Let the child be a user: a stranger if it can, else ours by another number."""
    user = group = users.stranger(pid)
    if user is None:
        write(f"/proc/{pid}/setgroups", "deny")
        user, group = os.geteuid(), os.getegid()
    write(f"/proc/{pid}/uid_map", f"{USER} {user} 1")
    write(f"/proc/{pid}/gid_map", f"{USER} {group} 1")


def write(path: str, text: str) -> None:
    """Write in one piece, as the kernel wants its own files written."""
    with open(path, "w") as file:
        file.write(text)


def enter(layout: Layout, scratch: int) -> None:
    """Make the box's file system and move into it, leaving nothing of the old one.

    scratch: bytes that the writable folders hold together.
    """
    kernel.call("mount", None, b"/", None, PRIVATE | RECURSIVE, None)
    trees = {path: tree(path, READ_ONLY | NO_DEVICES) for path in layout.paths}
    devices = filter(os.path.exists, DEVICES)
    trees |= {path: tree(path, READ_ONLY | NO_EXEC) for path in devices}
    with contextlib.suppress(PermissionError):  # container: not even one's own
        flags = READ_ONLY | NO_DEVICES | NO_EXEC
        trees["/proc"] = filesystem(b"proc", flags)
    become_user()
    change_root()
    add_scratch(scratch)
    for path, what in trees.items():
        make_place(path, is_folder(what))
        attach(what, path)
    add_links(layout.links)
    write("/etc/passwd", f"student:x:{USER}:{USER}::/tmp:/bin/sh\n")
    write("/etc/group", f"student:x:{USER}:\n")
    change(AT_FDCWD, b"/", 0, READ_ONLY)
    kernel.call("sethostname", b"sandbox", 7)


def become_user() -> None:
    """Files of the box belong to its user; until now root's folders could be passed."""
    if os.geteuid() != USER or os.getegid() != USER:
        with contextlib.suppress(PermissionError):  # not root: groups cannot be left
            os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)


def change_root() -> None:
    """Replace the file system by an empty one; what was there cannot be named again."""
    options = {"size": b"4m", "nr_inodes": b"4k", "mode": b"755"}
    attach(filesystem(b"tmpfs", NO_DEVICES, **options), "/tmp")
    os.chdir("/tmp")
    kernel.call("pivot_root", b".", b".")
    kernel.call("umount2", b".", DETACH)  # the old root, which lies upon the new
    os.chdir("/")


def add_scratch(size: int) -> None:
    """Mount one limited file system's folders as all that can be written to."""
    inodes = str(max(size // INODE, 64)).encode()
    options = {"size": str(size).encode(), "nr_inodes": inodes, "mode": b"700"}
    make_place("/tmp")
    attach(filesystem(b"tmpfs", NO_DEVICES, **options), "/tmp")
    trees = {}
    for name, path in (("tmp", "/tmp"), ("shm", "/dev/shm"), ("work", WORK)):
        os.mkdir(f"/tmp/{name}", 0o700)
        trees[path] = tree(f"/tmp/{name}", NO_DEVICES)
    kernel.call("umount2", b"/tmp", 0)
    for path, what in trees.items():
        make_place(path)
        attach(what, path)


def add_links(links: tuple[tuple[str, str], ...]) -> None:
    """Make the links; those that lie in what is read are there already."""
    for path, target in (*links, ("/dev/fd", "/proc/self/fd")):
        if not os.path.lexists(path):
            make_place(os.path.dirname(path))
            os.symlink(target, path)


def tree(path: str, flags: int) -> int:
    """Return a descriptor of the mounts at a path and below, with flags added."""
    how = OPEN_TREE_CLONE | os.O_CLOEXEC | AT_RECURSIVE
    what = kernel.call("open_tree", AT_FDCWD, os.fsencode(path), how)
    change(what, b"", AT_EMPTY_PATH | AT_RECURSIVE, flags | NO_SUID)
    return what


def change(folder: int, path: bytes, how: int, flags: int) -> None:
    """Add flags to a mount, or to all in a tree."""
    attributes = kernel.words(flags, 0, 0, 0)
    kernel.call("mount_setattr", folder, path, how, attributes, 32)


def filesystem(kind: bytes, flags: int, **options: bytes) -> int:
    """Return a descriptor of a new file system that is mounted nowhere yet."""
    context = kernel.call("fsopen", kind, 1)
    try:
        for key, value in options.items():
            kernel.call("fsconfig", context, CONFIG_STRING, key.encode(), value, 0)
        kernel.call("fsconfig", context, CONFIG_CREATE, None, None, 0)
        return kernel.call("fsmount", context, 1, flags | NO_SUID)
    finally:
        os.close(context)


def attach(what: int, path: str) -> None:
    """Mount what a descriptor holds, and close it."""
    place = os.fsencode(path)
    kernel.call("move_mount", what, b"", AT_FDCWD, place, FROM_DESCRIPTOR)
    os.close(what)


def is_folder(what: int) -> bool:
    return stat.S_ISDIR(os.fstat(what).st_mode)


def make_place(path: str, folder: bool = True) -> None:
    """Make the folder or the empty file that something is mounted on."""
    os.makedirs(path if folder else os.path.dirname(path), exist_ok=True)
    if not folder:
        write(path, "")
