"""What this machine's kernel allows, each part tried for real, and what to do."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from course_lib.errors import CourseError, Finding

from . import (
    Policy,
    best,
    cgroup,
    container,
    kernel,
    landlock,
    namespaces,
    seccomp,
    start,
)

UNPROTECTED = (
    "--no-sandbox: submissions run as you, so their code can read, change and delete "
    "whatever you can (the gradebook, solutions, other submissions, your own files), "
    "use the network, and outlive their grading."
)
LEVEL = {
    "namespaces": ("ok", "each submission in namespaces of its own, best of all", ""),
    "landlock": (
        "note",
        "Landlock, without namespaces: files and network are closed",
        "see the lines below for what would give namespaces",
    ),
    "container": (
        "note",
        "none in this kernel, but a container program is here",
        "name an image with the course's packages: c.CourseGrade.image",
    ),
    "none": (
        "wrong",
        "none: submissions are refused",
        "grade on Linux, or install docker or podman; else --no-sandbox",
    ),
}
# file, the text in it that forbids user namespaces, what to do
SWITCHES = (
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "sudo sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "sudo sysctl user.max_user_namespaces=10000",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0 "
        "(Ubuntu 24.04's default is 1), or an AppArmor profile that lets this Python "
        "use userns",
    ),
)
PARTS = ("user namespace", "mounts", "network", "processes", "/proc of its own")


def findings() -> list[Finding]:
    """Say which level of sandbox works here, and how each of its parts was tried."""
    level = Finding("sandbox", *LEVEL[best()])
    if sys.platform != "linux":
        return [level, containers()]
    parts = [Finding(f"sandbox: {name}", *rest) for name, *rest in tried_parts()]
    rest = rules_for_files(), filter_of_calls(), processes(), memory(), containers()
    return [level, *parts, *rest]


def tried_parts() -> list[tuple[str, str, str, str]]:
    """Try each namespace in a process that then ends: name, state, found, advice."""
    reasons = json.loads(in_child(lambda: json.dumps(try_namespaces())))
    parts = []
    for name in PARTS:
        if name not in reasons:
            parts.append((name, "note", "not tried: no user namespace", ""))
        elif reasons[name]:
            parts.append((name, "note", reasons[name], advice(name)))
        else:
            parts.append((name, "ok", "works", ""))
    return parts


def try_namespaces() -> dict[str, str]:
    """Enter one namespace after another; return why each failed, "" if it did not."""
    steps = {
        "user namespace": lambda: kernel.call("unshare", namespaces.NEW_USER),
        "mounts": try_mount,
        "network": lambda: kernel.call("unshare", namespaces.NEW_NET),
        "processes": lambda: kernel.call("unshare", namespaces.NEW_PID),
        "/proc of its own": try_proc,
    }
    reasons = {}
    for name, step in steps.items():
        reasons[name] = reason_of(step)
        if reasons["user namespace"]:
            break
    return reasons


def try_mount() -> None:
    kernel.call("unshare", namespaces.NEW_MOUNTS)
    os.close(namespaces.tree("/usr", namespaces.READ_ONLY))


def try_proc() -> None:
    """The next process forked is the first of the new process namespace."""
    reason = in_child(lambda: reason_of(lambda: namespaces.filesystem(b"proc", 0)))
    if reason:
        raise OSError(reason)


def reason_of(step: Callable[[], object]) -> str:
    try:
        step()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def in_child(work: Callable[[], str]) -> str:
    """Return what `work` returns in a forked process, whose state it may spoil."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(theirs, work().encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def advice(part: str) -> str:
    """Say what would allow a part that the kernel refused."""
    for path, forbidding, what in SWITCHES:
        if Path(path).is_file() and Path(path).read_text().strip() == forbidding:
            return what
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "this is a container: grade outside, or start it with more rights"
    if part == "/proc of its own":
        return "none needed: submissions then have no /proc"
    return "ask for a kernel that lets users make namespaces"


def rules_for_files() -> Finding:
    what, version = "sandbox: Landlock", landlock.abi()
    if version >= landlock.OLDEST:
        return Finding(what, "ok", f"version {version}")
    found = f"version {version}, too old to do alone" if version else "none, or off"
    how = "Linux 6.2 or newer, started with landlock among its lsm="
    return Finding(what, "note", found, how)


def filter_of_calls() -> Finding:
    def restrict() -> None:
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        seccomp.restrict()

    reason = in_child(lambda: reason_of(restrict))
    if reason:
        how = "a kernel with CONFIG_SECCOMP_FILTER, on x86_64 or aarch64"
        return Finding("sandbox: seccomp", "wrong", reason, how)
    return Finding("sandbox: seccomp", "ok", "works")


def processes() -> Finding:
    """Fork in a box until refused: the limit is not for every user."""
    what, allowed = "sandbox: limit of processes", 4
    level = best() if best() in ("namespaces", "landlock") else "none"
    try:
        policy = Policy(read=(), processes=allowed)
        with start(policy, lambda: fork_beyond(allowed), level=level) as box:
            held = box.wait() == 0
    except CourseError as error:
        return Finding(what, "wrong", str(error))
    if held:
        return Finding(what, "ok", f"holds ({level})")
    return Finding(what, "note", "does not hold", "grade as another user than root")


def memory() -> Finding:
    """Say whether the limit of memory holds for all processes of a box together."""
    what, why = "sandbox: memory of a whole box", cgroup.trouble()
    if not why:
        return Finding(what, "ok", "limited by a cgroup")
    how = "systemd-run --user --scope --property=Delegate=yes course grade …"
    return Finding(what, "note", f"limited for each process alone: {why}", how)


def fork_beyond(allowed: int) -> None:
    """Return if a fork is refused; ValueError if one more than allowed is not."""
    for _ in range(allowed + 1):
        try:
            pid = os.fork()
        except BlockingIOError:
            return
        if pid == 0:
            os.read(os.pipe()[0], 1)  # until the box is killed
    raise ValueError(f"{allowed + 1} processes beyond the first could be made")


def containers() -> Finding:
    found = [name for name in container.RUNTIMES if shutil.which(name)]
    if not found:
        return Finding("sandbox: containers", "note", "neither docker nor podman")
    return Finding("sandbox: containers", "ok", f"{' and '.join(found)} on PATH")
