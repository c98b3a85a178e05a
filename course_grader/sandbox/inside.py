"""The child's side: lock oneself in, step by step, before a student's code runs.

The steps are ordered by what each still needs: /proc of the old file system first,
capabilities until the new one stands, and last the filter that forbids all of this.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from dataclasses import dataclass

from . import kernel, landlock, limits, namespaces, seccomp, users
from .folder import Folder
from .paths import WORK, Layout

NAMESPACES_WRITE = (WORK, "/tmp", "/dev/shm")
PROCESS = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo")  # others' stay closed


@dataclass(frozen=True)
class Plan:
    """What the parent has worked out for its child."""

    level: str
    policy: object
    layout: Layout
    folder: Folder | None  # on disk, where the box has no file system of its own
    threads: int  # that count against the limit of processes when it starts


def lock_in(plan: Plan, keep: Collection[int]) -> None:
    """Turn this process into a box; OSError says what the kernel refused."""
    os.setsid()
    limits.stand_back(plan.policy.nice)
    limits.forget_signals()
    used = limits.measure()
    limits.be_first_to_go()
    limits.close_descriptors(keep)
    work, temporary = folders(plan)
    limits.scrub_environment(work, temporary)
    os.umask(0o077)
    if plan.level == "namespaces":
        namespaces.enter(plan.layout, plan.policy.scratch)
    os.chdir(work)
    limits.limit(plan.policy, used, plan.threads)
    if plan.level != "none":
        give_up_rights(plan)
    elif sys.platform == "linux":
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        limits.die_with_parent()


def folders(plan: Plan) -> tuple[str, str]:
    """Return the work folder and the one for temporary files, which is HOME too."""
    if plan.folder is None:
        return WORK, "/tmp"
    return str(plan.folder.path / "work"), str(plan.folder.path / "tmp")


def give_up_rights(plan: Plan) -> None:
    """Lose what root has, what a set-uid program gives, and most of the kernel."""
    alone = plan.level == "landlock"
    if alone:
        users.become_stranger(plan.folder.path)
    else:
        kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    limits.die_with_parent()
    version = landlock.abi()
    if alone:
        if version < landlock.OLDEST:
            raise OSError(f"version {version} of Landlock is older than 3 (Linux 6.2)")
        read = (*plan.layout.paths, *filter(os.path.exists, PROCESS))
        landlock.restrict(read, [str(plan.folder.path)], version)
    elif version:
        landlock.restrict(["/"], NAMESPACES_WRITE, version)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    own = os.getpid() if alone and version < landlock.SCOPED else None
    seccomp.restrict(landlock=alone, own_signals=own)


def run_and_exit(plan: Plan, keep: set[int], control, run) -> None:
    """Lock in, tell the parent, run and end the process; never return.

    control: a socket to the parent; its "go" comes first, "ok" or a reason goes back.
    """
    code = 1
    try:
        if control.recv(2) == b"go" and report(plan, keep, control):
            run()
            code = 0
    except BaseException:
        code = 1
    finally:
        os._exit(code)


def report(plan: Plan, keep: set[int], control) -> bool:
    """Lock in and send the parent how it went."""
    try:
        lock_in(plan, {*keep, control.fileno()})
    except BaseException as error:
        control.sendall(f"{type(error).__name__}: {error}".encode())
        return False
    control.sendall(b"ok")  # fails when the parent is dead
    control.close()
    return True
