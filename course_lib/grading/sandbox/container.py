"""Where the kernel offers no sandbox: a whole worker in docker or podman."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence

from ...errors import CourseError

IMAGE = "python:3.12"
RUNTIMES = ("podman", "docker")  # podman first: it needs no root


def runtime() -> str | None:
    """Return the path of the first container program on PATH."""
    return next(filter(None, map(shutil.which, RUNTIMES)), None)


def command(
    policy,
    worker: Sequence[str],
    image: str = IMAGE,
    program: str | None = None,
    workers: int = 1,
) -> list[str]:
    """Return the command line that runs `worker`, an argument list, in a container.

    The container has no network, no capability and no disk but a tmpfs; it reads what
    the policy names, at the same paths. The worker speaks over its standard input and
    output. Its limits are those of `workers` boxes at a time, which share it.
    image: must hold Python and the course's packages (c.CourseGrade.image).
    """
    program = program or runtime()
    if program is None:
        raise CourseError(
            "Neither docker nor podman is on PATH: install one, or grade on Linux."
        )
    scratch = f"rw,nosuid,nodev,size={policy.scratch * workers}"
    return [
        *(program, "run", "--rm", "--interactive", "--init"),
        *("--network", "none", "--read-only", "--ipc", "private"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--user", "65534:65534", "--hostname", "sandbox"),
        *("--pids-limit", str((policy.processes + 1) * workers + 1)),
        *("--memory", str(policy.memory * (workers + 1))),
        *("--memory-swap", str(policy.memory * (workers + 1))),
        *("--ulimit", "core=0", "--ulimit", f"nofile={policy.files}"),
        *("--ulimit", f"fsize={policy.file_size}"),
        *("--tmpfs", f"/tmp:{scratch}", "--env", "HOME=/tmp", "--workdir", "/tmp"),
        *mounts(policy.read),
        image,
        *worker,
    ]


def mounts(read: Iterable[str]) -> list[str]:
    """Return the options that mount each path read-only at its own place."""
    options = []
    for path in sorted({os.path.abspath(path) for path in read}):
        if "," in path or '"' in path:
            raise CourseError(f"{path} cannot be mounted in a container: rename it.")
        options += ["--mount", f"type=bind,source={path},target={path},readonly"]
    return options
