"""Workers in other processes: killed, elsewhere, absent. Nothing is lost or twice.

The cluster is Dask's own commands on this machine; the grader is `course grade`. The
class hands in answers whose points are known.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import runpy
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from course_grader.assignment import bundle
from course_grader.intake import submission

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CLASSES = runpy.run_path(str(ROOT / "benchmarks" / "classes.py"))
SMALL, STUDENTS, PATIENCE = CLASSES["SMALL"], 12, 240  # s
WARM = "course_grader.engine.zygote"
KILLER = """
import os, signal
from pathlib import Path

def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

with open(MARK, "a") as mark:
    mark.write("x")
warm = parent(os.getppid())  # of the process that students' are forked from
os.kill(parent(warm), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A course whose class has handed in, and what each student deserves."""
    course = CLASSES["small"](tmp_path_factory.mktemp("made"))
    return course, CLASSES["small_class"](course, STUDENTS)


@pytest.fixture
def course(made, tmp_path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "course"))


@pytest.fixture
def deserved(made) -> dict[str, float]:
    return made[1]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler, started in a folder of its own."""
    folder = tmp_path_factory.mktemp("scheduler")
    with dask("scheduler", "--host", "127.0.0.1", "--port", "0", folder=folder):
        wait_for(lambda: address(folder / "scheduler.json"))
        yield address(folder / "scheduler.json")


def address(file: Path) -> str:
    """Return the scheduler's address, or "" while its file is not yet written whole."""
    try:
        return json.loads(file.read_text())["address"]
    except (OSError, ValueError):
        return ""


@pytest.fixture
def workers(scheduler, tmp_path_factory):
    """Two workers of one thread, in a folder that has nothing of the course."""
    from distributed import Client

    folder = tmp_path_factory.mktemp("elsewhere")
    two = ("--nworkers", "2", "--nthreads", "1", "--host", "127.0.0.1")
    with dask("worker", scheduler, *two, folder=folder) as process:
        with Client(scheduler, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        yield process
    with Client(scheduler, set_as_default=False) as client:
        wait_for(lambda: not client.nthreads())


@contextlib.contextmanager
def dask(what: str, *arguments: str, folder: Path):
    """Run a command of Dask's; end all that it started."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *arguments]
    if what == "scheduler":
        command += ["--scheduler-file", "scheduler.json"]
    with open(folder / "log.txt", "w") as log:
        process = psutil.Popen(
            [*command, "--no-dashboard"], cwd=folder, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        family = [*process.children(recursive=True), process]
        process.terminate()
        _, left = psutil.wait_procs([process], 20)
        for one in left and family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def grade(course: Path, *options: str, **more) -> psutil.Popen:
    """Start `course grade`, whose output is in the course's folder."""
    command = [sys.executable, "-m", "course_lib", "grade", SMALL, "--course", course]
    with open(course / "output.txt", "w") as log:
        return psutil.Popen(
            [*map(str, command), *options],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            **more,
        )


def finish(process: psutil.Popen, course: Path, status: int = 0) -> str:
    """Wait for the grader to end so; return what it said."""
    ended = process.wait(PATIENCE)
    said = (course / "output.txt").read_text()
    assert ended == status, said
    return said


def wait_for(condition, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def done(course: Path) -> dict[str, int]:
    """Return when each graded student's folder was made."""
    found = course.glob(f"autograded/*/{SMALL}")
    return {path.parent.name: path.stat().st_ctime_ns for path in found}


def results(course: Path) -> dict[str, dict]:
    rows = json.loads((course / "reports" / SMALL / "grading.json").read_text())
    assert len({row["student"] for row in rows}) == len(rows)
    return {row["student"]: row for row in rows}


def scores(course: Path) -> dict[str, float]:
    return {student: row["score"] for student, row in results(course).items()}


def warm_processes(*parents: psutil.Process) -> list[psutil.Process]:
    """Return the warm processes below these, and all that they have forked."""
    family = [one for parent in parents for one in parent.children(recursive=True)]
    return [one for one in family if WARM in words(one)]


def words(process: psutil.Process) -> str:
    """Return a command line, "" of a process that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def assert_gone(processes: list[psutil.Process]) -> None:
    _, left = psutil.wait_procs(processes, 10)
    assert not left, "it outlived the one who started it"


# --- one machine ----------------------------------------------------------------------


def test_a_grader_that_is_killed_goes_on_where_it_was(course, deserved):
    first = grade(course, "--workers", "2")
    wait_for(lambda: len(done(course)) >= STUDENTS // 3)
    warm = warm_processes(first)
    first.kill()
    first.wait()
    before = done(course)
    assert len(before) < STUDENTS
    assert warm
    assert_gone(warm)
    said = finish(grade(course, "--workers", "2"), course)
    after = done(course)
    assert scores(course) == deserved
    assert {name: after[name] for name in before} == before, "graded twice"
    assert f"{len(before)} already graded" in said
    assert f"{STUDENTS - len(before)} graded" in said


def test_a_warm_process_that_is_killed_is_replaced(course, deserved):
    process = grade(course, "--workers", "2")
    wait_for(lambda: len(done(course)) >= STUDENTS // 3)
    one = warm_processes(process)
    one[0].kill()
    said = finish(process, course)
    assert_gone(one)
    assert scores(course) == deserved
    assert f"{STUDENTS} graded" in said


def test_whoever_is_killed_from_outside_loses_nothing(course, deserved):
    """As the kernel does that is short of memory: it takes a judge or a student."""
    process = grade(course, "--workers", "2")
    wait_for(lambda: len(done(course)) >= 2)
    family = warm_processes(process)
    while True:
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            boxes = [one for one in family if one.parent() in family]
            boxes = [one for one in boxes if not one.children()]  # the others fork
            boxes[-1].kill()
            break
        family = warm_processes(process)
    finish(process, course)
    assert scores(course) == deserved


def test_one_worker_grades_and_force_grades_again(course, deserved):
    few = [part for name in list(deserved)[:3] for part in ("--student", name)]
    finish(grade(course, "--workers", "1", *few), course)
    before = done(course)
    assert sorted(before) == list(deserved)[:3]
    assert "3 already graded" in finish(grade(course, *few), course)
    assert done(course) == before
    said = finish(grade(course, "--workers", "1", "--force", *few), course)
    assert "3 graded" in said
    assert all(time > before[name] for name, time in done(course).items())
    assert scores(course) == {name: deserved[name] for name in before}


# --- many machines --------------------------------------------------------------------


def test_workers_elsewhere_grade_what_they_are_sent(
    scheduler, workers, course, deserved
):
    before = allowed_failures(scheduler)
    said = finish(grade(course, "--scheduler", scheduler), course)
    assert f"{STUDENTS} graded" in said
    assert scores(course) == deserved
    assert_gone(warm_processes(workers))
    assert allowed_failures(scheduler) == before > 0


def allowed_failures(scheduler: str) -> int:
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        return client.run_on_scheduler(
            lambda dask_scheduler: dask_scheduler.allowed_failures
        )


def test_what_is_sent_does_not_name_the_course(course):
    assigned = bundle.load(SMALL, course)
    place = course / "submitted" / "student000000" / SMALL
    sent = pickle.dumps((assigned, submission.read(place, assigned, "student000000")))
    assert str(course).encode() not in sent


def test_a_worker_that_is_killed_loses_nothing(scheduler, workers, course, deserved):
    process = grade(course, "--scheduler", scheduler)
    wait_for(lambda: len(done(course)) >= STUDENTS // 3)
    victim = max(workers.children(recursive=True), key=lambda one: warm_score(one))
    warm = warm_processes(victim)
    assert warm
    victim.send_signal(signal.SIGKILL)
    said = finish(process, course)
    assert_gone(warm)
    assert scores(course) == deserved
    assert f"{STUDENTS} graded" in said


def warm_score(process: psutil.Process) -> bool:
    """Is this a worker, that is the parent of a warm process?"""
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
        return any(WARM in words(child) for child in process.children())
    return False


def test_a_submission_that_ends_workers_is_marked_and_no_other(
    scheduler, workers, course, deserved, tmp_path
):
    mark = tmp_path / "mark"
    answer = f"MARK = {str(mark)!r}\n{KILLER}"
    CLASSES["hand_in"](course, SMALL, "mallory", {"affine": answer})
    finish(grade(course, "--scheduler", scheduler, "--no-sandbox"), course, status=3)
    found = results(course)
    mallory = found.pop("mallory")
    assert mark.read_text() == "xx", "it was tried twice"
    assert mallory["status"] == "refused"
    assert "ended the grader's process twice" in mallory["reason"]
    assert {name: row["score"] for name, row in found.items()} == deserved
    assert {row["status"] for row in found.values()} == {"graded"}


def test_where_nothing_listens_one_sentence_says_so(course):
    process = grade(course, "--scheduler", "tcp://127.0.0.1:9")
    assert process.wait(PATIENCE) == 1
    said = (course / "output.txt").read_text()
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in said
    assert "Traceback" not in said
    assert not done(course)


def test_a_scheduler_without_workers_is_said(scheduler, course):
    process = grade(course, "--scheduler", scheduler)
    assert process.wait(PATIENCE) == 1
    said = (course / "output.txt").read_text()
    assert "has no workers" in said
    assert "Traceback" not in said
