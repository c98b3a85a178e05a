"""Submissions that a grader must survive, on a course that is not ours: one run.

They lie in `hostile/` beside this file; its README says what is in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from course_grader import feedback, release
from course_grader.report.facts import points
from course_grader.store.outcomes import last_run

FOLDER = Path(__file__).with_name("hostile")
NAME, PORT = "convblock", 45678  # the port that one of the cases calls
pytestmark = pytest.mark.slow
CASES = json.loads((FOLDER / "deserved.json").read_text("utf-8"))


def tree(folder: Path) -> dict[str, str]:
    """The sha256 of every file that grading has no reason to change."""
    own = {"autograded", "reports", "feedback"}
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] not in own
        and not path.name.startswith("gradebook.db")
    }


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """The course with everybody's submission; hanging cells are stopped after 8 s."""
    folder = tmp_path_factory.mktemp("hostile") / "course"
    shutil.copytree(FOLDER / "course", folder)
    with open(folder / "nbgrader_config.py", "a") as config:
        config.write("\nc.Execute.timeout = 8\n")
    release([NAME], folder)
    for case, facts in CASES.items():
        source = FOLDER / "cases" / case / facts["student"] / NAME
        target = folder / "submitted" / student(case) / NAME
        shutil.copytree(source, target, symlinks=True)
    return folder


def student(case: str) -> str:
    name = CASES[case]["student"]
    return case if name == "adv" else name


@pytest.fixture(scope="module")
def run(course):
    """Grade all in one run of the command; return what it left and what was heard."""
    before, heard, start = tree(course), [], time.time()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", PORT))
        server.listen()

        def listen() -> None:
            try:
                heard.append(server.accept())
            except OSError:
                return

        threading.Thread(target=listen, daemon=True).start()
        command = [sys.executable, "-m", "course_lib", "grade", NAME]
        done = subprocess.run(
            [*command, "--course", str(course), "--workers", "2"],
            capture_output=True,
            text=True,
        )
        server.shutdown(socket.SHUT_RDWR)
    assert done.returncode in (0, 3), done.stderr  # 3: some are refused
    results = {row.student: row for row in last_run(NAME, course)}
    return results, before, heard, daemons(start)


def daemons(since: float) -> list[str]:
    """The command lines of processes that a submission left, or the grader's own."""
    found = psutil.process_iter(["create_time", "cmdline", "ppid"])
    lines = (
        " ".join(one.info["cmdline"] or [])
        for one in found
        if one.info["create_time"] > since and one.info["ppid"] in (0, 1)
    )
    return [line for line in lines if "sleep 3601" in line or "zygote" in line]


@pytest.mark.parametrize("case", CASES)
def test_each_gets_what_it_deserves_or_is_refused_with_a_reason(case, run):
    row = run[0][student(case)]
    if row.status == "refused":
        assert CASES[case]["deserved"] == 0
        assert row.reason.endswith(".")
        assert len(row.reason.split()) > 5
    else:
        assert row.score == CASES[case]["deserved"], (row.reason, row.notes)


def test_honest_students_keep_every_point(course, run):
    expected = json.loads((course / "expected.json").read_text())
    given = {name: {} for name in expected}
    for row in points(NAME, course):
        if row.student in given and not row.waits:
            given[row.student][row.cell.removeprefix("test_")] = row.score
    for name, scores in expected.items():
        mine = {cell: score for cell, score in given[name].items() if cell in scores}
        assert mine == scores
        assert run[0][name].notes == ()


def test_nothing_else_changed_no_byte_left_and_no_process_lives(course, run):
    _, before, heard, alive = run
    assert tree(course) == before
    assert heard == []
    assert alive == []


def test_hidden_tests_appear_in_no_feedback(course, run):
    pages = feedback(NAME, course)
    graded = [row for row in run[0].values() if row.status == "graded"]
    assert len(pages) == len(graded)
    for page in pages:
        text = page.read_text("utf-8")
        for secret in ("BEGIN HIDDEN", "227, 11, 4", "_m.bias", "_opt", "1e-1"):
            assert secret not in text, page
        assert "<script>document" not in text
