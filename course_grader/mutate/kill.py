"""Which test cell catches a mistake: each mutant runs in a fork of the notebook.

The solution's cells run in order, once. Before a cell runs, each of its mutants is
tried in a fork: in the names and files that are there at that moment, it runs the wrong
cell, then its exercise's tests and all that the change can reach, with what these need,
up to the first test that fails. Processor time and memory are limited.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from course_grader.engine.plan import Step, analysed
from course_lib.errors import CourseError

from .plant import Cell, Mutant

SPARE, TIMES = 10, 5  # a mutant's seconds: spare ones + so often the solution's own
MEMORY = 6 * 2**30  # bytes
ENDED = "it did not end, or took too much memory"
SPACE = {"__name__": "__main__"}
FORK = multiprocessing.get_context("fork")


class Verdict(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    killed_by: str  # the cell that failed; "" if it survived
    reason: str  # the first line of what that cell said


class Notebook:
    """A solution's cells, and which of them use what others bind."""

    def __init__(self, cells: list[Cell]):
        self.cells = cells
        self.steps = [analysed(Step(c.name, c.kind, c.source)) for c in cells]

    def tried(self, at: int) -> list[int]:
        """Return the cells to run when that at `at` is changed, itself the first."""
        mine, found, names = self.cells[at].exercise, set(), set()
        for number, cell in enumerate(self.cells[at:], at):
            own = cell.kind == "test" and cell.exercise == mine
            if number == at or own or self.steps[number].uses & names:
                found.add(number)
                names |= self.steps[number].binds
        return self.with_needs(found, at)

    def with_needs(self, wanted: set[int], start: int) -> list[int]:
        """Return these cells and those from `start` on that bind what they use."""
        todo, found = list(wanted), set(wanted)
        while todo:
            new = {n for n in self.binders(todo.pop()) if n >= start} - found
            todo += new
            found |= new
        return sorted(found)

    def binders(self, at: int) -> set[int]:
        """Return the cells that bind last, before `at`, what that cell uses."""
        last: dict[str, int] = {}
        for number, step in enumerate(self.steps[:at]):
            last |= dict.fromkeys(step.binds & self.steps[at].uses, number)
        return set(last.values())

    @property
    def lasting(self) -> set[int]:
        """The cells that leave something for others; of tests not every one does."""
        every = range(len(self.cells))
        given = {n for n in every if self.cells[n].kind != "test"}
        return given.union(*map(self.binders, every))


def judged(
    cells: list[Cell], mutants: Iterable[Mutant], folder: Path, workers: int = 1
) -> Iterator[Verdict]:
    """Yield the verdict on each mutant as it falls, several at a time.

    folder: empty; the solution's cells write their files there.
    Raises CourseError if the solution fails one of its own tests.
    """
    import torch

    torch.set_num_threads(1)  # a fork has no other threads
    notebook, seconds = Notebook(cells), _baseline(cells, folder)
    waiting = {cell.name: [] for cell in cells}
    for mutant in mutants:
        waiting[mutant.cell].append(mutant)
    lasting, space = notebook.lasting, dict(SPACE)
    for at, cell in enumerate(cells):
        group = waiting.pop(cell.name)
        tried = notebook.tried(at) if group else []
        work = [cells[number] for number in tried]
        limit = SPARE + int(TIMES * sum(seconds[part.name] for part in work))
        jobs = {mutant: (work, mutant, space, folder, limit) for mutant in group}
        yield from _all(jobs, workers)
        if not any(waiting.values()):
            return
        if at in lasting:
            with inside(folder):
                run(cell.source, cell.name, space)


def _baseline(cells: list[Cell], folder: Path) -> dict[str, float]:
    """Run the whole solution in a fork; return the seconds that each cell took.

    What it imported is imported here once: else each mutant's fork would do it again.
    """
    ours, process = _fork(_timed, cells, folder)
    try:
        answer = ours.recv()
    except EOFError:
        answer = "it ended its process"
    process.join()
    if isinstance(answer, str):
        raise CourseError(
            f"the solution fails its own tests: {answer}. Repair it first; then they "
            "can be tested."
        )
    seconds, modules = answer
    for name in modules:
        with contextlib.suppress(Exception):  # a module without a file, e.g. torch.ops
            importlib.import_module(name)
    return seconds


def _timed(line: Connection, cells: list[Cell], folder: Path) -> None:
    space, seconds = dict(SPACE), {}
    with _copied(folder):
        for cell in cells:
            start = time.process_time()
            if error := run(cell.source, cell.name, space):
                line.send(f"{cell.name} says {error}")
                return
            seconds[cell.name] = time.process_time() - start
    line.send((seconds, list(sys.modules)))


def _all(jobs: dict[Mutant, tuple], workers: int) -> Iterator[Verdict]:
    """Try each mutant in a fork of its own, `workers` at a time."""
    waiting = iter(jobs.items())
    running: dict[Connection, tuple] = {}
    try:
        while True:
            while len(running) < workers and (job := next(waiting, None)):
                line, process = _fork(_tried, *job[1])
                running[line] = job[0], process
            if not running:
                return
            for line in wait(list(running)):
                mutant, process = running.pop(line)
                yield Verdict(mutant, *_answer(line, process, mutant))
    finally:
        for _, process in running.values():
            process.kill()
            process.join()


def _fork(work: Callable, *arguments) -> tuple[Connection, multiprocessing.Process]:
    ours, theirs = FORK.Pipe(duplex=False)
    process = FORK.Process(target=work, args=(theirs, *arguments))
    process.start()
    theirs.close()
    return ours, process


def _answer(line: Connection, process, mutant: Mutant) -> tuple[str, str]:
    try:
        answer = line.recv()
    except EOFError:  # its limits have ended it
        answer = mutant.cell, ENDED
    line.close()
    process.join()
    return answer


def _tried(
    line: Connection, work: list[Cell], mutant: Mutant, space, folder: Path, limit: int
) -> None:
    """Send (cell that failed or "", what it said): this runs in the fork."""
    import torch

    for kind, most in (("CPU", limit), ("DATA", MEMORY), ("CORE", 0)):
        number = getattr(resource, f"RLIMIT_{kind}")
        resource.setrlimit(number, (most, resource.getrlimit(number)[1]))
    torch.manual_seed(0)
    with _copied(folder):
        line.send(_first_failure(work, mutant, space))


def _first_failure(work: list[Cell], mutant: Mutant, space: dict) -> tuple[str, str]:
    for cell in work:
        wrong = cell.name == mutant.cell
        error = run(mutant.source if wrong else cell.source, cell.name, space)
        if error and (cell.kind == "test" or wrong):
            return cell.name, error.splitlines()[0][:200]
    return "", ""


@contextlib.contextmanager
def _copied(folder: Path) -> Iterator[None]:
    """Work in a copy of a folder."""
    with tempfile.TemporaryDirectory(prefix="course-mutant-") as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        with inside(Path(copy)):
            yield


def run(source: str, name: str, space: dict) -> str:
    """Run one cell; return what it raised or wrote to stderr, or ""."""
    import matplotlib

    matplotlib.use("agg")
    written = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(written):
        try:
            exec(compile(source, name, "exec", dont_inherit=True), space)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return written.getvalue()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
