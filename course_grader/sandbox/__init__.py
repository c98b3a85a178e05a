"""A box for a submission: a forked process that can reach only what it is given.

Four levels, best first:

- "namespaces": file system, processes, users and network of its own; Landlock and a
  filter of system calls on top;
- "landlock": where the kernel forbids namespaces, as in most containers;
- "container": a whole worker in docker or podman (`container.command`), for systems
  that are not Linux;
- "none": limits and a folder of its own, on the instructor's word only.

Limits of memory, CPU time and files hold for each process of a box, so that many may
together use more (where a cgroup is delegated, `cgroup` limits the memory of all of
them); the number of processes, the scratch folder and, where Linux divides
the CPU between sessions, the share of it are the box's. Where it does not (a container
with CPU limits, say), a box of many processes takes more than its neighbours: its
worker sees who waited, and who was killed from outside (`Usage`).

At the level "landlock" the disk is limited only file by file, whether a path exists can
be found out by asking for it, there is no /dev/shm (so no DataLoader with workers), no
socket, and no leaving the process group; a file's mode, owner and time do not
change, though the call says so. If the worker itself is killed there, processes that a
submission started live on until their own limits end them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from course_lib.errors import CourseError

from . import cgroup, container, inside, limits, namespaces, users
from .box import Box, Usage
from .folder import Folder
from .paths import layout
from .users import closed

__all__ = ["LEVELS", "Box", "Policy", "Usage", "best", "closed", "start", "trouble"]

LEVELS = ("namespaces", "landlock", "container", "none")
FAILED = "The sandbox ({}) could not be made: {}."


@dataclass(frozen=True)
class Policy:
    """What a box may see and use.

    Where the worker is root, `read` must be readable by everyone: the box is not root.
    """

    read: tuple[str, ...]  # files and folders, read-only, at their own paths
    memory: int = 2 << 30  # bytes beyond what the process has when it enters
    scratch: int = 256 << 20  # bytes of all that is written, work folder and /tmp
    cpu: float = 600  # seconds
    processes: int = 64  # and threads, beyond those when it enters
    files: int = 256  # open descriptors
    file_size: int = 128 << 20  # bytes
    nice: int = 0  # how far its processes stand back behind others


def start(
    policy: Policy,
    run: Callable[[], None],
    keep: Iterable[int] = (),
    level: str | None = None,
) -> Box:
    """Fork a process, lock it in and let it call `run`; return it as a Box.

    The caller must be of one thread. The child starts in an empty work folder, with a
    scrubbed environment and, of the caller's descriptors, those in `keep`; it ends with
    status 0, or 1 if `run` raised. CourseError says why no box could be made; `run` was
    then not called.
    """
    level = level or protecting()
    check_level(level)
    plan = make_plan(policy, level)
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        pid = namespaces.fork() if level == "namespaces" else os.fork()
    except OSError as error:
        ours.close()
        theirs.close()
        if plan.folder:
            plan.folder.remove()
        raise CourseError(FAILED.format(level, error)) from error
    if pid == 0:
        ours.close()
        inside.run_and_exit(plan, {*keep}, theirs, run)
    theirs.close()
    own = cgroup.group_of(pid, policy.memory + policy.scratch)
    box = Box(pid, level != "namespaces", plan.folder, policy.cpu, own)
    with ours:
        answer = send_off(ours, pid, level)
    if answer != "ok":
        box.kill()
        raise CourseError(FAILED.format(level, answer))
    return box


def protecting() -> str:
    """Return the best level; CourseError where that is none at all."""
    level = best()
    if level == "none":
        reasons = "; ".join(map(trouble, LEVELS[:-1]))
        raise CourseError(f"No sandbox works on this machine ({reasons}).")
    return level


def check_level(level: str) -> None:
    """CourseError: a process of this system cannot be made a box of that level."""
    if level not in LEVELS:
        raise CourseError(f"{level} is no level of the sandbox: {', '.join(LEVELS)}.")
    if level == "container":
        raise CourseError("A submission is no container: run a whole worker in one.")
    if not hasattr(os, "fork"):
        raise CourseError("This system cannot fork: run a whole worker in a container.")


def make_plan(policy: Policy, level: str) -> inside.Plan:
    """Work out in the parent, for many boxes once, what the child needs."""
    if level == "namespaces":
        paths = layout(policy.read)
        return inside.Plan(level, policy, paths, None, threads(level))
    paths = layout(policy.read) if level == "landlock" else None
    return inside.Plan(level, policy, paths, Folder(), threads(level))


def threads(level: str) -> int:
    """Return how many threads the box's user will have when the box starts.

    Root's boxes have users of their own; Linux >= 5.14 counts by user namespace.
    """
    if level != "none" and users.strangers():
        return 1
    release = os.uname().release.split("-")[0].split(".")[:2]
    if level == "namespaces" and tuple(map(int, release)) >= (5, 14):
        return 1
    return limits.threads_of_user() + 1


def send_off(control: socket.socket, pid: int, level: str) -> str:
    """Let the child go on; return "ok" or why it could not lock itself in."""
    try:
        if level == "namespaces":
            namespaces.map_users(pid)
        control.sendall(b"go")
        answer = b"".join(iter(lambda: control.recv(4096), b""))
    except OSError as error:
        return str(error)
    return answer.decode(errors="replace") or "its process ended before it was ready"


@cache
def trouble(level: str) -> str:
    """Try a level for real, once; return why it does not work, or "" if it does."""
    if level == "container":
        return "" if container.runtime() else "neither docker nor podman is on PATH"
    if threading.active_count() > 1:
        return trouble_elsewhere(level)
    try:
        with start(Policy(read=()), lambda: None, level=level) as box:
            status = box.wait()
    except (CourseError, OSError) as error:
        return str(error)
    return "" if status == 0 else f"a box that does nothing ended with status {status}"


def trouble_elsewhere(level: str) -> str:
    """Try it in a process of one thread: a fork of many may wait for ever."""
    code = f"from {__package__} import trouble; print(trouble({level!r}), end='')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else done.stderr.strip()[-200:]


@cache
def best() -> str:
    """Return the best level that works here; "none" if none does."""
    return next(level for level in LEVELS if level == "none" or not trouble(level))
