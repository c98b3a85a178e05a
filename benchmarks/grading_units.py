"""What one submission costs, part by part: the numbers that a projection needs.

    python benchmarks/grading_units.py [ASSIGNMENT ...] [--submissions 20] [--rounds 3]

A right answer to each assignment goes through the grader again and again: at two levels
of the sandbox, in turn, into the gradebook. CPU is of all
processes. Memory is of one submission that waits: resident, in equal shares of what is
shared (PSS), and of its own. Some five minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import classes
import nbformat
import psutil
from grading import OURS, make
from rich.console import Console
from rich.table import Table

from course_grader import sandbox
from course_grader.assignment import bundle
from course_grader.assignment.bundle import Bundle, Submission, Verdict
from course_grader.engine.launcher import Engine
from course_grader.intake import submission
from course_grader.store.gradebook import Writer

console = Console()
WAIT = "\nimport time\ntime.sleep({})"
BOXES = """
import gc, os, sys, time, torch
from course_grader import sandbox
gc.collect(), gc.freeze()
level, count = sys.argv[1], 40
def one():
    if level == "fork":
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    else:
        sandbox.start(sandbox.Policy(read=()), lambda: None, level=level).wait()
one()
before, wall = os.times(), time.perf_counter()
for _ in range(count):
    one()
after, wall = os.times(), time.perf_counter() - wall
print(wall / count, (sum(after[:4]) - sum(before[:4])) / count)
"""


def cpu_of(processes: list[psutil.Process]) -> list[float]:
    """Return CPU seconds of each, with those of its children that have ended."""
    return [sum(process.cpu_times()[:4]) for process in processes]


def processes_of(engine: Engine) -> list[psutil.Process]:
    """Return the warm process and the one that students' are forked from."""
    main = psutil.Process(engine.process.pid)
    return [main, *main.children()]


def boxes(rounds: int) -> None:
    """Print what a box costs over a bare fork of a process with PyTorch."""
    names = ["fork", *(n for n in sandbox.LEVELS if n != "container")]
    names = [n for n in names if n == "fork" or not sandbox.trouble(n)]
    found: dict[str, list] = {name: [] for name in names}
    for _ in range(rounds):
        for level in names:
            command = [sys.executable, "-c", BOXES, level]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[level].append([float(word) for word in done.stdout.split()])
    table = table_of("one box, and two are a submission", "", "wall ms", "CPU ms")
    for level, times in found.items():
        table.add_row(level, *(f"{1e3 * value:.1f}" for value in medians(times)))
    console.print(table)


def medians(rows: list) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def table_of(title: str, *heads: str) -> Table:
    table = Table(title=title)
    for head in heads:
        table.add_column(head, justify="right" if head else "left")
    return table


def levels(assigned: Bundle, one: Submission, count: int, rounds: int) -> None:
    """Print what the sandbox adds to a submission, engines in turn."""
    heads = "wall ms", "CPU ms", "judge ms", "student ms"
    table = table_of("a submission in the engine", "", *heads)
    names = [level for level in ("none", sandbox.best()) if level]
    found: dict[str, list] = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        engines = {n: stack.enter_context(Engine(assigned, n)) for n in names}
        for engine in engines.values():
            engine.grade(one)  # what the model solution imported is imported now
        for _ in range(rounds):
            for name, engine in engines.items():
                found[name].append(cost(engine, one, count))
    for name, rows in found.items():
        table.add_row(name, *(f"{1e3 * value:.0f}" for value in medians(rows)))
    console.print(table)


def cost(engine: Engine, one: Submission, count: int) -> tuple:
    """Return seconds a submission: wall, CPU, and CPU of judge and student."""
    processes, ours = processes_of(engine), time.process_time()
    before, wall = cpu_of(processes), time.perf_counter()
    for _ in range(count):
        verdict = engine.grade(one)
        assert not verdict.reason, verdict.reason
    wall, after = time.perf_counter() - wall, cpu_of(processes)
    sides = [(b - a) / count for a, b in zip(before, after, strict=True)]
    own = (time.process_time() - ours) / count
    return wall / count, sum(sides) + own, *sides


def cells(assigned: Bundle, one: Submission, count: int) -> None:
    """Print what the cells alone take in a warm process, answers and tests together."""
    import torch

    torch.set_num_threads(1)
    (lesson,) = assigned.lessons.values()
    tests = {name: cell.source for name, cell in lesson.cells.items()}
    sources = []
    for cell in one.notebooks[lesson.name].cells:
        facts = cell.metadata.get("nbgrader", {})
        test = facts.get("grade") and not facts.get("solution")
        source = tests[facts["grade_id"]] if test else cell.source
        if cell.cell_type == "code":
            sources.append(compile(source, "cell", "exec", dont_inherit=True))
    run(sources)  # what they import is imported now
    before = os.times()
    for _ in range(count):
        forked(lambda: run(sources))
    used = sum(os.times()[2:4]) - sum(before[2:4])
    console.print(f"its cells alone, forked warm: {1e3 * used / count:.0f} ms of CPU")


def run(sources: list) -> None:
    space = {"__name__": "__main__"}
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        for source in sources:
            exec(source, space)


def forked(function: Callable) -> None:
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    os.waitpid(pid, 0)


def clocked(work: Callable, count: int) -> tuple[float, float]:
    """Return seconds for each of `count`: wall, and CPU of this process alone."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return wall / count, cpu / count


def memory(assigned: Bundle, one: Submission) -> None:
    """Print the memory of the warm process, its copy, a waiting judge and student."""
    table = table_of("memory in MB", "", "resident", "PSS", "of its own")
    with Engine(assigned) as engine:
        warm = processes_of(engine)
        thread = threading.Thread(target=engine.grade, args=[waiting(one, 6)])
        thread.start()
        while not all(len(process.children()) for process in warm[1:]):
            time.sleep(0.05)
        time.sleep(4)
        boxes = [set(process.children()) - set(warm) for process in warm]
        found = [*warm, *(min(box, key=lambda p: p.pid) for box in boxes)]
        names = "warm process", "its copy", "a judge", "a student"
        for name, process in zip(names, found, strict=True):
            table.add_row(name, *(f"{value:.0f}" for value in sizes(process)))
        thread.join()
    console.print(table)


def sizes(process: psutil.Process) -> tuple[float, float, float]:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()[1:]
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    private = kb["Private_Clean"] + kb["Private_Dirty"]
    return kb["Rss"] / 1024, kb["Pss"] / 1024, private / 1024


def waiting(one: Submission, seconds: float) -> Submission:
    """Return the submission with an answer at the end that takes its time."""
    notebooks = {n: nbformat.from_dict(found) for n, found in one.notebooks.items()}
    for notebook in notebooks.values():
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        last = [c for c in code if c.metadata.get("nbgrader", {}).get("solution")][-1]
        last.source += WAIT.format(seconds)
    return replace(one, notebooks=notebooks)


def store(course: Path, assignment: str, assigned: Bundle, verdict: Verdict) -> None:
    """Print what intake and gradebook take of the one process that does both."""
    count = 100
    place = course / "submitted" / verdict.student / assignment
    read = clocked(
        lambda: [submission.read(place, assigned, "x") for _ in range(count)], count
    )
    base = size_of(course)
    with Writer(course, assignment, assigned) as writer:
        names = [f"writer{number:05}" for number in range(count)]
        wrote = clocked(
            lambda: [writer.write(replace(verdict, student=name)) for name in names],
            count,
        )
    database, folders = (b - a for a, b in zip(base, size_of(course), strict=True))
    one = submission.read(place, assigned, "x")
    table = table_of("the one reader and writer, each", "", "wall ms", "CPU ms")
    for name, row in (("intake", read), ("gradebook and folder", wrote)):
        table.add_row(name, *(f"{1e3 * value:.1f}" for value in row))
    console.print(table)
    sent = {
        "the assignment to a worker, once": len(pickle.dumps((assigned, None))),
        "a submission to a worker": len(pickle.dumps(one)),
        "its verdict back": len(pickle.dumps(replace(verdict, files={}))),
        "in the gradebook": database // count,
        "in autograded/": folders // count,
    }
    for name, size in sent.items():
        console.print(f"  {name}: {size / 1024:.1f} KB", highlight=False)


def size_of(course: Path) -> tuple[int, int]:
    """Return the bytes of the gradebook and of the graded folders."""
    found = (course / "autograded").rglob("*")
    folders = sum(path.stat().st_size for path in found if path.is_file())
    return (course / "gradebook.db").stat().st_size, folders


def startup(assigned: Bundle) -> None:
    """Print what it takes until the first submission can be graded."""
    wall = time.perf_counter()
    with Engine(assigned) as engine:
        wall = time.perf_counter() - wall
        cpu = sum(cpu_of(processes_of(engine)))
    console.print(f"a warm process is ready in {wall:.1f} s, {cpu:.1f} CPU s")


def main(assignments: list[str], submissions: int, rounds: int) -> None:
    console.print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs")
    boxes(rounds)
    for assignment in assignments:
        console.rule(assignment)
        with tempfile.TemporaryDirectory() as folder:
            course = make(assignment, Path(folder) / "course", 1)
            assigned = bundle.load(assignment, course)
            (place,) = (course / "submitted").iterdir()
            one = submission.read(place / assignment, assigned, place.name)
            startup(assigned)
            levels(assigned, one, submissions, rounds)
            memory(assigned, one)
            with Engine(assigned) as engine:
                verdict = engine.grade(one)
            store(course, assignment, assigned, verdict)
            cells(assigned, one, submissions)
    console.print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=Path(__file__).stem)
    parser.add_argument("assignments", nargs="*", default=[classes.SMALL, OURS])
    parser.add_argument("--submissions", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    main(**vars(parser.parse_args()))
