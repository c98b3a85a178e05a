"""What a command costs, all the processes that it starts included.

    python benchmarks/measured.py FILE COMMAND ...

FILE gets seconds as JSON. Processes that outlive their parents come to this one, so
that their CPU time is counted, too; it ends when all of them have.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

PR_SET_CHILD_SUBREAPER = 36
CPUS = 2


class Cost(NamedTuple):
    """Seconds of a command."""

    wall: float
    cpu: float  # user and system, of all processes
    output: str


def measured(command: list[str], cwd: Path) -> Cost:
    """Run a command on two CPUs; RuntimeError with its last words if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cost.json"
        whole = [sys.executable, __file__, str(file), *command]
        done = subprocess.run(
            whole,
            cwd=cwd,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout[-2000:]}")
        return Cost(**json.loads(file.read_text()), output=done.stdout)


def run(file: str, command: list[str]) -> int:
    """Run the command as the one to whom orphans come; write its cost."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])
    begin = time.perf_counter()
    status = subprocess.run(command).returncode
    wall = time.perf_counter() - begin
    try:
        while True:
            os.wait()
    except ChildProcessError:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {"wall": wall, "cpu": used.ru_utime + used.ru_stime}
    Path(file).write_text(json.dumps(cost))
    return status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
