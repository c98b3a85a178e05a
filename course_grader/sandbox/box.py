"""A running box, as the worker that started it sees it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError

from .cgroup import Group
from .folder import Folder

EXITING = 0x4


class Usage(NamedTuple):
    """What a box has used, once it has ended."""

    cpu: float  # seconds, of all its processes that were waited for
    memory: int  # bytes resident at most in one process, shared with the worker or not
    waited: float = 0.0  # seconds that its first process wanted a CPU and had none
    taken: bool = False  # did another than its worker end that process (no memory)?


class Box:
    """A submission's processes, seen from outside.

    pid: its first process; the box lives as long as that. fileno() can be selected on:
    it is readable when that process has ended. As a context manager it kills the box.
    """

    def __init__(
        self,
        pid: int,
        group: bool,
        folder: Folder | None,
        cpu: float,
        own: Group | None = None,
    ):
        """cpu: seconds that a process of it may take; the kernel kills beyond.

        own: its cgroup, which limits the memory of all its processes together.
        """
        self.pid, self._cpu, self._own = pid, cpu, own
        self._killed = False  # by us
        self._group = group  # no pid namespace: what it started is its process group
        self._folder = folder  # on disk, to be removed
        self._status: int | None = None
        self._usage: Usage | None = None
        self._watch = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *error) -> None:
        self.kill()

    def fileno(self) -> int:
        if self._watch is None:
            raise ValueError("the box has ended, or this system has no such descriptor")
        return self._watch

    def kill(self) -> None:
        """End every process in the box and remove what it left on disk."""
        if self._status is None:
            self._killed = not self._leaving()
            self._signal()
            self.wait()

    def wait(self, timeout: float | None = None) -> int | None:
        """Return the exit status, -n if signal n ended it; None after `timeout` s.

        When the first process has ended, so has the rest, and its folder is gone.
        """
        if self._status is None and self._ended(timeout):
            self._collect()
        return self._status

    def usage(self) -> Usage:
        """Return what the box has used; CourseError while it runs."""
        if self._usage is None:
            raise CourseError(f"The box of process {self.pid} still runs: wait for it.")
        return self._usage

    def _signal(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        if self._group:  # its first process, unwaited for, keeps the number taken
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _leaving(self) -> bool:
        """Has the first process ended, or begun to? How it ends is settled by then.

        One that was killed hangs up on its peers before it has ended.
        Source: Linux, proc_pid_stat(5), field 9; include/linux/sched.h, PF_EXITING
        """
        if self._ended(0):
            return True
        try:
            facts = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2]
            return bool(int(facts.split()[6]) & EXITING)
        except (OSError, ValueError, IndexError):
            return False

    def _ended(self, timeout: float | None) -> bool:
        """Wait for the first process's end and leave it unwaited for."""
        end = None if timeout is None else time.monotonic() + timeout
        if self._watch is not None:
            poll = select.poll()
            poll.register(self._watch, select.POLLIN)
            return bool(poll.poll(None if timeout is None else max(0, timeout) * 1000))
        how = os.WEXITED | os.WNOWAIT | (0 if end is None else os.WNOHANG)
        while os.waitid(os.P_PID, self.pid, how) is None:
            if time.monotonic() >= end:
                return False
            time.sleep(0.01)
        return True

    def _waited(self) -> float:
        """Return how long the first process stood in the queue for a CPU; 0: unknown.

        Source: Linux, Documentation/scheduler/sched-stats.rst, /proc/<pid>/schedstat
        """
        try:
            facts = Path(f"/proc/{self.pid}/schedstat").read_text().split()
            return int(facts[1]) / 1e9
        except (OSError, ValueError, IndexError):
            return 0.0

    def _collect(self) -> None:
        self._signal()
        waited = self._waited()
        _, status, used = os.wait4(self.pid, 0)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes that ru_maxrss counts
        cpu = used.ru_utime + used.ru_stime
        self._status = os.waitstatus_to_exitcode(status)
        shot = self._status == -signal.SIGKILL and not self._killed
        overdrew = self._own is not None and self._own.overdrew()
        taken = shot and cpu < self._cpu and not overdrew
        self._usage = Usage(cpu, used.ru_maxrss * unit, waited, taken)
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None
        if self._own is not None:
            self._own.end()
        if self._folder is not None:
            self._folder.remove()
