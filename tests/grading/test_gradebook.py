"""The one writer: nbgrader's own rows, whole or not at all, in any database."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import sqlite3
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from nbgrader.plugins import CsvExportPlugin
from sqlalchemy import event
from sqlalchemy.orm import Session

from course_grader import autograde, export
from course_grader.assignment.course import Course, Log
from course_grader.store.gradebook import Result, Writer
from course_grader.store.marks import points
from course_grader.store.outcomes import last_run
from course_lib.errors import CourseError
from tests.tiers import rest_is_slow

NAME = "tiny"
LATE = """
from nbgrader.plugins import BasePlugin

class Hours(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return total_seconds_late / 3600
"""


def graded(course: Path, student: str = "ada"):
    path = course / "autograded" / student / NAME / f"{NAME}.ipynb"
    return nbformat.read(path, as_version=4)


def test_a_verdict_becomes_rows_and_files(writer, verdict, tiny, rows):
    found = writer.write(verdict(failed=("double_hidden",), seconds={"double": 0.5}))
    assert found == Result(
        "ada",
        "graded",
        6.0,
        20.0,
        seconds=0.5,
        by_cell={"double": 0.5},
        version=writer.bundle.version,
    )
    row = rows(tiny)["ada"]
    assert (row["score"], row["max_score"], row["needs_manual_grade"]) == (6, 20, True)
    assert row["timestamp"] == "2026-01-02T03:04:05"
    assert row["Grade", "double_hidden"]["failed_tests"]
    folder = tiny / "autograded" / "ada" / NAME
    assert (folder / "helper.py").read_bytes() == b"x = 1\n"
    assert (folder / "timestamp.txt").read_text() == "2026-01-02 03:04:05.000000 UTC\n"
    assert (folder / f"{NAME}.ipynb").stat().st_mode & 0o777 == 0o444
    nbformat.validate(graded(tiny))


def test_an_answer_that_is_as_released_gets_no_points_and_a_remark(
    writer, verdict, submission, tiny, rows
):
    writer.write(verdict(notebook=submission(why="")))
    row = rows(tiny)["ada"]
    assert row["Grade", "why"]["auto_score"] == 0
    assert not row["Grade", "why"]["needs_manual_grade"]
    assert row["Comment", "why"]["auto_comment"] == "No response."
    assert row["Comment", "drawing"]["auto_comment"] is None


def test_a_notebook_not_handed_in_is_worth_nothing(writer, verdict, tiny, rows):
    row = writer.write(replace(verdict(), notebooks={}))
    assert (row.status, row.score) == ("graded", 0)
    assert not rows(tiny)["ada"]["needs_manual_grade"]


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("4", 4),
        ("0.5", 0.5),
        ("0", 0),
        ("'words'", 4),
        ("nan", None),
        ("-1", None),
        ("5", None),
        ("inf", None),
    ],
)
def test_a_test_that_ends_in_a_number(bundle, value, score):
    cell = bundle.lessons[NAME].cells["share"].copy()
    data = {"text/plain": value}
    cell.outputs = [new_output("execute_result", data=data)]
    assert points(cell) == score


def test_a_warning_is_no_error(bundle):
    cell = bundle.lessons[NAME].cells["double_visible"].copy()
    cell.outputs = [new_output("stream", name="stderr", text="UserWarning")]
    assert points(cell) == 2
    cell.outputs += [new_output("error", ename="E", evalue="", traceback=[])]
    assert points(cell) == 0


def test_an_unclear_number_is_said(writer, verdict, submission):
    notebook = submission()
    made = verdict(notebook=notebook)
    (share,) = (c for c in notebook.cells if c.source.startswith("4 *"))
    share.outputs = [new_output("execute_result", data={"text/plain": "nan"})]
    assert writer.write(made).notes == (
        "repaired: share gave no number of its points, read it",
    )


def test_a_refused_one_keeps_what_it_had(writer, verdict, tiny, rows):
    writer.write(verdict())
    before = rows(tiny), graded(tiny)
    row = writer.write(verdict(reason="it was empty", digest="e" * 64))
    assert (row.status, row.reason, row.score) == ("refused", "it was empty", 9)
    assert (rows(tiny), graded(tiny)) == before
    assert not writer.done("ada", "e" * 64)
    assert not writer.done("ada", "d" * 64)  # what was handed in last is not graded


def test_the_record_of_all_runs_is_readable(tiny, bundle, verdict):
    with Writer(tiny, NAME, bundle) as writer:
        writer.write(verdict("bo", notes=("tampered: x",)))
        writer.write(verdict("cy", reason="it was empty"))
    with Writer(tiny, NAME, bundle) as writer:
        assert writer.done("bo", "d" * 64)
        assert not writer.done("bo", "0" * 64)
        assert not writer.done("cy", "d" * 64)
        assert writer.kept("bo").status == "already graded"
        writer.write(verdict("ada"))
    found = {row.student: row for row in last_run(NAME, tiny)}
    assert list(found) == ["ada", "bo", "cy"]
    assert found["bo"].notes == ("tampered: x",)
    assert found["cy"].reason == "it was empty"


def test_what_others_removed_is_graded_again(tiny, bundle, verdict, gradebook):
    with Writer(tiny, NAME, bundle) as writer:
        writer.write(verdict("ada"))
        writer.write(verdict("bo"))
    shutil.rmtree(tiny / "autograded" / "ada")
    with gradebook(tiny) as book:
        book.remove_submission(NAME, "bo")
    with Writer(tiny, NAME, bundle) as writer:
        assert not writer.done("ada", "d" * 64)
        assert not writer.done("bo", "d" * 64)


def test_two_writers_are_one_too_many(writer, tiny, bundle):
    with pytest.raises(CourseError, match="another run is grading tiny"):
        Writer(tiny, NAME, bundle).__enter__()


def test_nothing_is_registered_while_another_run_is_at_it(writer, tiny):
    with pytest.raises(CourseError, match="another run is grading tiny"):
        autograde.register(NAME, Course.open(tiny))


def test_a_gradebook_that_is_held_is_said_and_nothing_lost(tiny, bundle, verdict):
    database = tiny / "gradebook.db"
    with open(tiny / "nbgrader_config.py", "a") as file:
        url = f"sqlite:///{database}?timeout=0.1"
        file.write(f"c.CourseDirectory.db_url = {url!r}\n")
    with Writer(tiny, NAME, bundle) as writer, sqlite3.connect(database) as other:
        other.execute("begin exclusive")
        with pytest.raises(CourseError, match="close what holds it and repeat"):
            writer.write(verdict())
        assert list(tiny.glob("autograded/ada/.*")) == []
        other.rollback()
        assert writer.write(verdict()).status == "graded"


@pytest.mark.parametrize("name", ["n" * 300, "a/../../b", "..", "nul\0", "\ud800"])
def test_a_name_that_cannot_be_written_is_refused(writer, verdict, tiny, name, rows):
    row = writer.write(verdict(name))
    assert row.status == "refused"
    assert row.reason.count("\n") == 0
    assert not (tiny / "autograded").exists() or not rows(tiny)


def test_a_name_that_is_not_utf8_is_refused(writer, verdict, tiny):
    name = os.fsdecode(b"caf\xe9")
    assert writer.write(verdict(name)).status == "refused"
    assert writer.write(verdict("ada")).status == "graded"


@pytest.mark.parametrize("name", ["../x.py", "/tmp/x.py", "a/../../x.py", "n" * 300])
def test_a_file_stays_in_its_folder(writer, verdict, tiny, name):
    row = writer.write(verdict(files={name: b"1"}))
    assert row.status == "refused"
    assert not [path for path in tiny.rglob("x.py")]
    assert list((tiny / "autograded").rglob(".*")) == []


def test_a_file_inside_a_file_is_refused(writer, verdict, tiny):
    for files in ({"a": b"", "a/b": b""}, {f"{NAME}.ipynb/x": b""}):
        assert writer.write(verdict(files=files)).status == "refused"
    assert list((tiny / "autograded").rglob(".*")) == []


def test_files_that_nbgrader_would_take_for_its_own_are_left_out(writer, verdict, tiny):
    names = "more.ipynb", "data/more.ipynb", f"{NAME}.html", "other.html"
    files = dict.fromkeys([*names, "timestamp.txt"], b"yesterday")
    writer.write(verdict(files=files))
    there = tiny / "autograded" / "ada" / NAME
    found = {p.relative_to(there).as_posix() for p in there.rglob("*.*")}
    expected = {"data/more.ipynb", "other.html", "timestamp.txt", f"{NAME}.ipynb"}
    assert found == expected
    assert (there / "timestamp.txt").read_text().startswith("2026-01-02")


def test_letters_that_are_no_text_are_stored(writer, verdict, submission, tiny):
    notebook = submission()
    notebook.cells[1].outputs = [new_output("stream", name="stdout", text="a\ud800b")]
    assert writer.write(verdict(notebook=notebook)).status == "graded"
    assert graded(tiny).cells[1].outputs[0].text == "a?b"


def test_students_are_added_unless_the_course_forbids_it(
    tiny, bundle, verdict, gradebook
):
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write("c.Autograde.create_student = False\n")
    with gradebook(tiny) as book:
        book.add_student("bo")
    with Writer(tiny, NAME, bundle) as writer:
        assert "has no student 'ada'" in writer.write(verdict("ada")).reason
        assert writer.write(verdict("bo")).status == "graded"


@pytest.mark.parametrize(
    ("hours", "extension", "penalty"),
    rest_is_slow([(3, 2, 1), (3, 0, 3), (3, 9, 0), (90, 0, 9)]),
)
def test_late_ones_lose_what_the_plugin_says(
    tiny, bundle, verdict, hours, extension, penalty, gradebook, rows
):
    (tiny / "tiny_late.py").write_text(LATE)
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write("c.AssignLatePenalties.plugin_class = 'tiny_late.Hours'\n")
    with gradebook(tiny) as book:
        book.update_or_create_assignment(NAME, duedate=datetime(2026, 1, 2))
        book.add_student("ada")
        book.add_submission(NAME, "ada")
        book.grant_extension(NAME, "ada", hours=extension)
    moment = datetime(2026, 1, 2 + hours // 24, hours % 24)
    with Writer(tiny, NAME, bundle) as writer:
        row = writer.write(verdict(timestamp=moment))
    assert (row.score, row.penalty) == (9, penalty)
    assert rows(tiny)["ada"]["late"] == penalty
    table = export(tiny / "grades.csv", tiny).read_text()
    assert f"9.0,{float(penalty)},{9.0 - penalty}," in table


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        ("", "'tiny_late.Hours' could not be imported"),
        (LATE.replace("return", "return 1 / 0 or"), "ZeroDivisionError"),
        (LATE.replace("return", "return 'many' or"), "ValueError: .*'many'"),
    ],
)
def test_a_plugin_that_fails_is_named(
    tiny, bundle, verdict, plugin, said, gradebook, monkeypatch
):
    monkeypatch.delitem(sys.modules, "tiny_late", raising=False)
    if plugin:
        (tiny / "tiny_late.py").write_text(plugin)
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write("c.AssignLatePenalties.plugin_class = 'tiny_late.Hours'\n")
    with gradebook(tiny) as book:
        book.update_or_create_assignment(NAME, duedate=datetime(2026, 1, 2))
    with pytest.raises(CourseError, match=f"for late.*{said}"):
        with Writer(tiny, NAME, bundle) as writer:
            writer.write(verdict(timestamp=datetime(2026, 1, 3)))


NAMES = "Byron, Ada", "a\nforged,1,2", "=cmd|' calc'!A0", "@sum", "＝1+1", '"q"', "Zoë"


def test_every_name_stays_in_its_field_of_the_table(tiny, bundle, verdict):
    with Writer(tiny, NAME, bundle) as writer:
        for student in NAMES:
            assert writer.write(verdict(student)).status == "graded"
    with Course.open(tiny).gradebook() as book:
        book.update_or_create_student("bo", first_name="-1+1", last_name="B, o")
    with open(export(tiny / "grades.csv", tiny), newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    formulas = {
        "=cmd|' calc'!A0": "'=cmd|' calc'!A0",
        "@sum": "'@sum",
        "＝1+1": "'＝1+1",
    }
    assert set(rows) == {"bo", *(formulas.get(name, name) for name in NAMES)}
    assert {row["max_score"] for row in rows.values()} == {"20.0"}
    assert rows["Byron, Ada"]["score"] == "9.0"
    assert rows["Byron, Ada"]["timestamp"] == "2026-01-02 03:04:05"
    assert (rows["bo"]["score"], rows["bo"]["timestamp"]) == ("0.0", "")
    assert (rows["bo"]["first_name"], rows["bo"]["last_name"]) == ("'-1+1", "B, o")
    assert not [key for row in rows.values() for key in row if key is None]


def test_the_table_is_nbgraders_where_names_are_plain(tiny, bundle, verdict):
    with Writer(tiny, NAME, bundle) as writer:
        writer.write(verdict("ada"))
    with Course.open(tiny).gradebook() as book:
        book.add_student("bo", first_name="Bo")
        plugin = CsvExportPlugin(log=Log().logger)
        plugin.to = str(tiny / "stock.csv")
        plugin.export(book)
    ours, stock = export(tiny / "grades.csv", tiny), tiny / "stock.csv"
    with open(ours, newline="") as mine, open(stock, newline="") as theirs:
        assert list(csv.reader(mine)) == list(csv.reader(theirs))


def test_no_query_reads_a_whole_table(tiny, bundle, verdict):
    """So that a class of 5,000 is written as fast as one of 50."""
    said = set()
    with Writer(tiny, NAME, bundle) as writer:

        @event.listens_for(writer.engine, "before_cursor_execute")
        def note(connection, cursor, statement, *rest):
            said.add(statement)

        for _ in range(2):  # a new submission, and one that is there
            writer.write(verdict())
        event.remove(writer.engine, "before_cursor_execute", note)
        tables = ("grade", "comment", "student", "submitted_assignment")
        tables += ("submitted_notebook", "course_verdict")
        with writer.engine.connect() as connection:
            raw = connection.connection.cursor()
            for statement in said:
                blanks = [None] * statement.count("?")
                plan = raw.execute(f"explain query plan {statement}", blanks)
                steps = [step[3] for step in plan.fetchall()]
                scans = [step for step in steps if step.startswith("SCAN ")]
                assert not {scan.split()[1] for scan in scans} & set(tables), statement


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "again"),
    [
        ("before_commit", False),
        ("before_commit", True),
        ("after_commit", False),
        ("after_commit", True),
        ("moved away", True),
        ("moved in", False),
        ("moved in", True),
    ],
)
def test_a_kill_at_any_moment_is_repaired(tiny, bundle, verdict, moment, again, rows):
    if again:
        with Writer(tiny, NAME, bundle) as writer:
            writer.write(verdict(failed=("double_hidden",), digest="1" * 64))
    later = verdict(failed=("double_visible",), files={"new": b""}, digest="2" * 64)
    assert killed(tiny, bundle, later, moment) == -signal.SIGKILL
    with Writer(tiny, NAME, bundle) as writer:
        new, old = writer.done("ada", "2" * 64), writer.done("ada", "1" * 64)
    assert new == (moment != "before_commit")
    assert old == (not new and again)
    found = rows(tiny)
    assert found.get("ada", {}).get("score") == (7 if new else 6 if again else None)
    there = tiny / "autograded" / "ada"
    assert (there / NAME / "new").exists() == new
    assert (there / NAME / "helper.py").exists() == old
    assert [path.name for path in there.iterdir()] == ([NAME] if new or old else [])


def killed(course: Path, bundle, verdict, moment: str) -> int:
    """Write a verdict in a child that is killed at a moment; return how it ended."""
    child = os.fork()
    if child == 0:
        with Writer(course, NAME, bundle) as writer:
            if moment.endswith("commit"):
                event.listen(Session, moment, die)
            else:
                die_after_rename(".old" if moment == "moved away" else "")
            writer.write(verdict)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def die(*args) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after_rename(end: str) -> None:
    """Die when a folder was renamed to a name that ends so; "" is its own place."""
    rename = Path.rename

    def renamed(self, target):
        rename(self, target)
        if Path(target).suffix == end:
            die()

    Path.rename = renamed


@pytest.mark.slow
def test_a_run_killed_again_and_again_grades_each_one_once(tiny, bundle, verdict, rows):
    """Twelve students; each run dies after some of them, at no chosen moment."""
    names = [f"s{n:02}" for n in range(12)]
    for seconds in [*(0.03 * n for n in range(1, 9)), 60.0]:
        child = os.fork()
        if child == 0:
            with Writer(tiny, NAME, bundle) as writer:
                for name in names:
                    if not writer.done(name, "d" * 64):
                        writer.write(verdict(name))
            os._exit(0)
        wait(child, 0.3 + seconds)
        with Writer(tiny, NAME, bundle) as writer:
            done = {name for name in names if writer.done(name, "d" * 64)}
        assert set(rows(tiny)) == done
        assert {path.parent.name for path in tiny.glob(f"autograded/*/{NAME}")} == done
        assert not list(tiny.glob("autograded/*/.*"))
    assert done == set(names)
    assert {row["score"] for row in rows(tiny).values()} == {9}


def wait(child: int, seconds: float) -> None:
    """Wait for a child that long, then kill it."""
    end = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.005)
