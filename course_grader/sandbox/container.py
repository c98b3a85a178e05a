"""Where the kernel offers no sandbox: a whole worker in docker or podman."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence

from course_lib.errors import CourseError

IMAGE = "python:3.12"
RUNTIMES = ("podman", "docker")  # podman first: it needs no root
OWN = 8  # processes and threads that a box has when it starts, and the worker itself


def runtime() -> str | None:
    """Return the path of the first container program on PATH."""
    return next(filter(None, map(shutil.which, RUNTIMES)), None)


def command(
    policy,
    worker: Sequence[str],
    image: str = IMAGE,
    program: str | None = None,
    jobs: int = 1,
    name: str | None = None,
) -> list[str]:
    """Return the command line that runs `worker`, an argument list, in a container.

    The container has no network, no capability and no disk but a tmpfs; it reads what
    the policy names, at the same paths. The worker speaks over its standard input and
    output. Its limits leave room for so many jobs at a time: each has two boxes, whose
    processes count as one user's.
    image: must hold Python and the course's packages (c.CourseGrade.image).
    name: of the container, by which `remove` finds it.
    """
    program = program or runtime()
    if program is None:
        raise CourseError(
            "Neither docker nor podman is on PATH: install one, or grade on Linux."
        )
    boxes = 2 * jobs  # the student's and the tests'
    scratch = f"rw,nosuid,nodev,size={policy.scratch * boxes}"
    return [
        *(program, "run", "--rm", "--interactive", "--init"),
        *(("--name", name) if name else ()),
        *("--network", "none", "--read-only", "--ipc", "private"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--user", "65534:65534", "--hostname", "sandbox"),
        *("--pids-limit", str((policy.processes + OWN) * boxes + OWN)),
        *("--memory", str(policy.memory * (boxes + 1))),
        *("--memory-swap", str(policy.memory * (boxes + 1))),
        *("--ulimit", "core=0", "--ulimit", f"nofile={policy.files}"),
        *("--ulimit", f"fsize={policy.file_size}"),
        *("--tmpfs", f"/tmp:{scratch}", "--env", "HOME=/tmp", "--workdir", "/tmp"),
        *mounts(policy.read),
        image,
        *worker,
    ]


def remove(name: str) -> None:
    """End a container, if it is there, and leave nothing of it."""
    subprocess.run([runtime(), "rm", "--force", name], capture_output=True)


def mounts(read: Iterable[str]) -> list[str]:
    """Return the options that mount each path read-only at its own place."""
    options = []
    for path in sorted({os.path.abspath(path) for path in read}):
        if "," in path or '"' in path:
            raise CourseError(f"{path} cannot be mounted in a container: rename it.")
        options += ["--mount", f"type=bind,source={path},target={path},readonly"]
    return options
