"""A class of attackers and honest students, graded in one run: who gets what.

What is asked of the run: deserved points, nothing of the course changed, no process and
no file left, no word to the outside, no hidden test on a student's page.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from course_grader import feedback, grade, sandbox
from course_grader.engine.common.shell import shortened
from course_grader.engine.common.wire import Channel, Late
from course_grader.engine.launcher import Engine
from course_lib.errors import CourseError

from .attacks import (
    Case,
    cells,
    course,
    ends,
    files,
    honest,
    objects,
    oracles,
    patches,
    protocol,
    rules,
    surroundings,
)
from .attacks.run import check, tree, watched

KINDS = (
    *(surroundings, protocol, objects, files, ends, rules, oracles, patches, cells),
    honest,
)
CASES = [case for kind in KINDS for case in kind.CASES]
BY_NAME = {case.name: case for case in CASES}
PAGES = [  # whose feedback is made and searched; more would take minutes
    *(case.name for case in oracles.CASES),
    *("words", "flood", "metadata", "changes", "fields", "rule_1", "z_memory"),
]
TRACES = [  # what attacks leave where they get through
    *("/tmp/unpickled", "/tmp/shadowed", "/tmp/pwned"),
    *("/tmp/left-*", "/var/tmp/left-*", "/dev/shm/left-*"),
]

needs_walls = pytest.mark.skipif(
    sandbox.best() not in ("namespaces", "landlock"),
    reason="no sandbox works on this machine",
)


@pytest.fixture(scope="module")
def run(request, tmp_path_factory):
    """Grade the cases that are asked for in one run; watch what happens around it."""
    folders = (tmp_path_factory.mktemp(name) for name in ("attacks", "temporary"))
    return watched([BY_NAME[name] for name in asked(request)] or CASES, *folders)


def asked(request) -> list[str]:
    """Return the names of the cases that the selected tests of this file ask for."""
    here = [item for item in request.session.items if item.path == request.path]
    parameters = [item.callspec.params for item in here if hasattr(item, "callspec")]
    names = {p["case"].name if "case" in p else p["name"] for p in parameters}
    return sorted(names, key=list(BY_NAME).index)


@needs_walls
@pytest.mark.slow
@pytest.mark.by_turns(3)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_everybody_gets_what_they_deserve(run, case: Case):
    if case is BY_NAME["workers"] and sandbox.best() == "landlock":
        pytest.skip("without a file system of its own a box has no /dev/shm")
    check(run, case)


@needs_walls
@pytest.mark.slow
def test_the_course_is_as_it_was(run):
    assert tree(run.course) == run.before


@needs_walls
@pytest.mark.slow
def test_nothing_runs_and_nothing_lies_about(run):
    deadline = time.monotonic() + 10
    alive = {one for one in run.processes if one.is_running()}
    while alive and time.monotonic() < deadline:
        time.sleep(0.2)
        alive = {one for one in alive if one.is_running()}
    assert not alive
    assert run.processes, "the watch saw nobody"
    left = [path for pattern in TRACES for path in Path("/").glob(pattern[1:])]
    assert not left
    left = {path.name for path in run.temporary.iterdir()}
    assert left <= {"dask-scratch-space"}  # two empty files of Dask's, which it keeps


@needs_walls
@pytest.mark.slow
def test_nobody_called(run):
    assert run.callers == []


@needs_walls
@pytest.mark.slow
def test_a_second_run_grades_nobody(run):
    names = [name for name, result in run.results.items() if result.status == "graded"]
    start = time.monotonic()
    again = grade(course.NAME, run.course, names)
    assert {result.status for result in again} == {"already graded"}
    assert [result.score for result in again] == [run.results[n].score for n in names]
    assert time.monotonic() - start < 30


@pytest.fixture(scope="module")
def pages(request, run, tmp_path_factory) -> dict[str, str]:
    """The text on the feedback pages of some students, without its markup."""
    names = set(PAGES).intersection(asked(request))
    place = tmp_path_factory.mktemp("pages") / "course"
    others = shutil.ignore_patterns("submitted", "autograded")
    shutil.copytree(run.course, place, symlinks=True, ignore=others)
    for name in names:
        there = Path("autograded") / name
        shutil.copytree(run.course / there, place / there)
    made = feedback(course.NAME, place)
    texts = {page.parts[-3]: page.read_text("utf-8") for page in made}
    assert set(texts) == names
    return {name: re.sub(r"<[^>]*>", "", text) for name, text in texts.items()}


@needs_walls
@pytest.mark.slow
@pytest.mark.by_turns(3)
@pytest.mark.parametrize("name", PAGES)
def test_no_hidden_test_is_on_a_students_page(pages, name):
    assert course.MARKER not in pages[name]
    assert "reduction_reference" not in pages[name]
    if name != "tells_later":
        digits = str(course.INPUT)[2:]
        assert digits not in pages[name]


def test_every_case_has_a_name_of_its_own():
    assert len(BY_NAME) == len(CASES) >= 40


@needs_walls
@pytest.mark.slow
def test_a_rule_that_forbids_nothing_stops_the_run(bundle):
    rules = {"double": ["torch.nn.functional.no_such_function"]}
    engine = Engine(replace(bundle, options={"forbidden": rules}))
    with pytest.raises(CourseError, match="no_such_function"):
        engine.start()
    engine.close()


def test_a_long_traceback_keeps_its_ends():
    def deep(n: int) -> None:
        deep(n - 1) if n else 1 / 0

    with pytest.raises(ZeroDivisionError) as raised:
        deep(500)
    whole = list(traceback.walk_tb(raised.value.__traceback__))
    kept = list(traceback.walk_tb(shortened(raised.value.__traceback__)))
    assert kept == whole[:10] + whole[-20:]
    assert shortened(None) is None


def test_a_traceback_shows_no_frame_that_asks_to_be_hidden():
    def hidden() -> None:
        __tracebackhide__ = True
        1 / 0  # noqa: B018

    with pytest.raises(ZeroDivisionError) as raised:
        hidden()
    kept = traceback.walk_tb(shortened(raised.value.__traceback__))
    names = [frame.f_code.co_name for frame, _ in kept]
    assert names == ["test_a_traceback_shows_no_frame_that_asks_to_be_hidden"]


def test_a_sender_does_not_wait_for_who_never_reads():
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(Late):
        Channel(ours).send({}, [bytes(16 << 20)], time.monotonic() + 0.2)
