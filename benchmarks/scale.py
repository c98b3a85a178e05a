"""A class of thousands: a Dask cluster against `nbgrader autograde`, a worker killed.

    python benchmarks/scale.py [--submissions 2000] [--workers 4] [--stock 20]
                               [--out docs/grading]

`course grade --scheduler ADDRESS` grades the small class on worker processes of one
thread each; when half is graded, one worker gets SIGKILL. Every student must be graded
once, with the points that the answers deserve, and no process may be left. Then
nbgrader grades a few of the same submissions, one after another as it does, and the
time for one is printed beside ours (its few seconds of start are in it). What was
graded by when, and the memory (PSS, each page counted once) of the command, scheduler,
workers and warm processes, go to OUT_scale.csv and, drawn, to OUT_scale.svg. On two
busy cores 2,000 took ten to twenty minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import classes
import psutil
from grading import TOOLS, grade
from rich.console import Console

from course_grader.store.outcomes import last_run

EVERY = 5.0  # s between two looks
WARM = "course_grader.engine.zygote"
MB = 1 << 20


class Row(NamedTuple):
    """One look; memory in MB."""

    seconds: float  # since the first submission was graded
    graded: int
    command: float
    scheduler: float
    workers: float
    warm: float  # the warm processes and all that they have forked
    gradebook: float  # MB on disk
    command_cpu: float  # s so far
    load: float  # average of the last minute


def pss(processes: list[psutil.Process]) -> float:
    """Return the memory of processes in MB, shared pages in equal parts."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(OSError, psutil.Error):
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += int(text.split("Pss:")[1].split()[0]) / 1024
    return total


class Family:
    """The processes of the cluster, by their part in it."""

    def __init__(self, nannies: list, command: psutil.Process):
        self.nannies, self.command = nannies, command
        self.known: dict[int, psutil.Process] = {}

    @property
    def workers(self) -> list[psutil.Process]:
        return [psutil.Process(nanny.pid) for nanny in self.nannies if nanny.pid]

    def below(self, parents: list[psutil.Process]) -> list[psutil.Process]:
        found = []
        for parent in parents:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += parent.children(recursive=True)
        self.known |= {process.pid: process for process in found}
        return found

    def look(self, began: float, course: Path) -> Row:
        workers = self.workers
        warm = self.below(workers)
        return Row(
            time.perf_counter() - began,
            graded(course),
            pss([self.command]),
            pss([psutil.Process()]),
            pss(workers),
            pss(warm),
            (course / "gradebook.db").stat().st_size / MB,
            sum(self.command.cpu_times()[:2]),
            os.getloadavg()[0],
        )


def graded(course: Path) -> int:
    return len(list(course.glob(f"autograded/*/{classes.SMALL}")))


@contextlib.contextmanager
def cluster(workers: int) -> Iterator:
    """Run a scheduler in this process and workers in others."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as found:
        yield found


def run(course: Path, submissions: int, workers: int, console: Console) -> list[Row]:
    """Grade the class; return what was seen. RuntimeError if the command fails."""
    with cluster(workers) as local:
        words = ["grade", classes.SMALL, "--course", str(course)]
        log = course / "output.txt"
        with open(log, "w") as file:
            command = subprocess.Popen(
                [sys.executable, "-m", "course_lib", *words]
                + ["--scheduler", local.scheduler_address],
                stdout=file,
                stderr=file,
            )
        nannies = list(local.workers.values())
        family = Family(nannies, psutil.Process(command.pid))
        rows = watch(family, command, course, submissions, console)
        if command.returncode:
            raise RuntimeError(log.read_text()[-2000:])
    _, left = psutil.wait_procs(list(family.known.values()), 20)
    assert not left, f"{len(left)} processes outlived the cluster"
    return rows


def watch(
    family: Family, command, course: Path, submissions: int, console: Console
) -> list[Row]:
    """Look at the run until it ends; kill a worker half way."""
    while not graded(course) and command.poll() is None:
        time.sleep(0.1)
    began, rows, killed = time.perf_counter(), [], False
    while command.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            rows.append(family.look(began, course))
        if not killed and graded(course) >= submissions / 2:
            kill(family, console, graded(course))
            killed = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(EVERY)
    assert killed, "no worker was killed: more submissions are needed"
    end = {"seconds": time.perf_counter() - began, "graded": graded(course)}
    return [*rows[:-1], rows[-2]._replace(**end)]  # at the last look all was over


def kill(family: Family, console: Console, done: int) -> None:
    """Kill a worker; its warm process, and what that has forked, must follow it."""
    victim = family.workers[0]
    followers = family.below([victim])
    victim.send_signal(signal.SIGKILL)
    _, left = psutil.wait_procs(followers, 20)
    assert not left, "a killed worker's warm process lives on"
    said = f"killed a worker at {done:,}: {len(followers)} processes below it ended"
    console.print(said, highlight=False)


def check(course: Path, deserved: dict[str, float], console: Console) -> None:
    """Each student is there once, graded in this run, with the points deserved."""
    found = last_run(classes.SMALL, course)
    assert len(found) == len(deserved) == len({row.student for row in found})
    assert {row.status for row in found} == {"graded"}
    assert {row.student: row.score for row in found} == deserved
    cpu = sum(row.cost["cpu"] for row in found) / len(found)
    said = f"{len(found):,} graded once, all with the points that they deserve; "
    console.print(f"{said}{cpu:.2f} CPU s each on both sides", highlight=False)


def draw(rows: list[Row], path: Path) -> None:
    """Draw graded submissions and memory over time."""
    from matplotlib import pyplot as plt  # not at the top: workers import this module

    from course_lib.plot import name_ends

    plt.rcParams["svg.hashsalt"] = path.stem
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    minutes, ends = [row.seconds / 60 for row in rows], []
    left.plot(minutes, [row.graded for row in rows])
    left.set(xlabel="minutes", ylabel="submissions graded")
    for name, label in NAMES.items():
        values = [getattr(row, name) for row in rows]
        (line,) = right.plot(minutes, values)
        ends.append((minutes[-1], values[-1], label, line.get_color()))
    right.set(xlabel="minutes", ylabel="memory (PSS), MB")
    name_ends(right, ends)
    figure.savefig(path, metadata={"Date": None})


NAMES = {
    "warm": "warm processes, both sides",
    "workers": "workers",
    "command": "course grade",
    "scheduler": "scheduler",
    "gradebook": "gradebook, on disk",
}


def show(rows: list[Row], console: Console) -> None:
    """Print time and memory of the first and the last quarter."""
    import numpy as np

    last = rows[-1]
    rate = last.seconds / last.graded
    total = f"{last.graded:,} in {last.seconds:.0f} s: {1e3 * rate:.0f} ms each"
    console.print(f"{total}, gradebook {last.gradebook:.1f} MB", highlight=False)
    used = (last.command_cpu - rows[0].command_cpu) / last.graded
    console.print(f"of that the command {1e3 * used:.0f} ms of CPU", highlight=False)
    line = np.polyfit([r.seconds for r in rows], [r.graded for r in rows], 1)
    off = max(abs(np.polyval(line, r.seconds) - r.graded) for r in rows)
    console.print(f"off a straight line by {off / last.graded:.1%} at most")
    quarter = max(len(rows) // 4, 1)
    for name in ("command", "scheduler", "workers", "warm"):
        values = [getattr(row, name) for row in rows]
        first, end = (np.median(part) for part in (values[:quarter], values[-quarter:]))
        console.print(f"  {NAMES[name]:24} {first:6.0f} MB -> {end:6.0f} MB")


def against(stock: int, rows: list[Row], console: Console) -> None:
    """Let nbgrader grade a few of the same class; print both times for one."""
    os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        made = classes.small(Path(folder) / "course")
        classes.small_class(made, stock)
        theirs = grade("nbgrader autograde", classes.SMALL, made)[0].wall / stock
    ours = rows[-1].seconds / rows[-1].graded
    said = f"{theirs:.2f} s for one, ours {ours:.2f} s: {theirs / ours:.1f}x less"
    console.print(f"nbgrader autograde: {said}", highlight=False)


def main(submissions: int, workers: int, stock: int, out: Path) -> None:
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        course = classes.small(Path(folder) / "course")
        deserved = classes.small_class(course, submissions)
        rows = run(course, submissions, workers, console)
        check(course, deserved, console)
    show(rows, console)
    against(stock, rows, console)
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{out}_scale.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(Row._fields)
        table.writerows([[f"{value:.1f}" for value in row] for row in rows])
    draw(rows, Path(f"{out}_scale.svg"))
    console.print(f"wrote {out}_scale.csv and {out}_scale.svg", highlight=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("--submissions", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--stock", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("docs/grading"))
    main(**vars(parser.parse_args()))
