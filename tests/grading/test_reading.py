"""Answers that a person reads: in the terminal, by several readers, once each."""

from __future__ import annotations

import csv
import json
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course_grader import feedback
from course_grader.assignment.bundle import load
from course_grader.assignment.course import Course
from course_grader.intake.roster import import_roster
from course_grader.reading import comments
from course_grader.reading.answers import Desk, waiting
from course_grader.reading.sitting import understood
from course_grader.store import term
from course_grader.store.gradebook import Writer
from course_lib.__main__ import app
from course_lib.commands.reading import part
from course_lib.errors import CourseError
from tests.tiers import rest_is_slow

from .conftest import TINY
from .test_feedback import text_of

CLASS = "ada", "bo", "cy"


@pytest.fixture
def course(tiny, bundle, verdict, submission) -> Path:
    """Three students, each with an answer and a drawing that wait for a reader."""
    with Writer(tiny, TINY, bundle) as writer:
        for student in CLASS:
            notebook = submission(why=f"Two is even.\n\nSo says {student[0]}.")
            writer.write(verdict(student, notebook=notebook))
    return tiny


def read(course: Path, *words: str, typed: str = "") -> str:
    """What `course read tiny` prints, with a reader who types this."""
    command = ["read", TINY, "--course", str(course), "--reader", "kim", *words]
    done = CliRunner().invoke(app, command, input=typed)
    assert done.exception is None, done.exception
    return done.output


def scores(course: Path, question: str = "why") -> dict[str, float | None]:
    with Course.open(course).gradebook() as book:
        return {
            student: book.find_grade(question, TINY, TINY, student).manual_score
            for student in CLASS
        }


def found(course: Path, **more) -> list:
    with Desk(TINY, course, "kim") as desk:
        return desk.answers(**more)


def test_a_screen_has_question_scheme_and_answer_but_no_name(course):
    said = read(course, "--question", "why", typed="q\n")
    assert "1 of 3 · why · 5 points" in said
    assert "Doubling" in said  # the last text before the answer
    assert "Because." in said  # the model answer
    assert "Two is even." in said
    assert not any(name in said for name in CLASS)
    assert "0 read, 3 left" in said
    assert any(name in read(course, "--names", typed="q\n") for name in CLASS)


def test_a_section_is_read_alone_and_shared_in_equal_parts(course):
    path = course / "list.csv"
    path.write_text("id,section\nada,A\nbo,A\ncy,B\n")
    import_roster(path, course)
    words = "--question", "why", "--section", "A"
    said = read(course, *words, "--names", typed="q\n")
    assert "1 of 2 · why" in said
    assert "0 read, 2 left" in said
    assert {one.student for one in found(course, section="A")} == {"ada", "bo"}
    for share in "1/2", "2/2":
        assert "1 of 1 · why" in read(course, *words, "--share", share, typed="q\n")


def test_points_and_comments_are_where_formgrader_has_them(course, gradebook):
    read(course, "--question", "why", typed="4.5 Which two?\n5\n\n")
    first, second, third = (one.student for one in found(course, again=True)[:3])
    assert scores(course) == {first: 4.5, second: 5, third: None}
    with gradebook(course) as book:
        comment = book.find_comment("why", TINY, TINY, first)
        assert (comment.manual_comment, comment.comment) == ("Which two?",) * 2
        grade = book.find_grade("why", TINY, TINY, first)
        assert (grade.needs_manual_grade, grade.score) == (False, 4.5)


def test_a_second_sitting_goes_on_where_the_first_stopped(course):
    read(course, "--question", "why", typed="3\nq\n")
    said = read(course, "--question", "why", typed="2\n")
    assert "1 of 2" in said
    assert "1 read, 1 left" in said
    assert sorted(filter(None, scores(course).values())) == [2, 3]


@pytest.mark.slow
def test_back_shows_what_was_given_and_gives_anew(course):
    said = read(course, "--question", "why", typed="3 Hm.\nb\n4\nq\n")
    assert "read by kim: 3 Hm." in said
    assert sorted(filter(None, scores(course).values())) == [4]


@pytest.mark.slow
def test_undo_puts_back_what_stood_there_before(course):
    said = read(course, "--question", "why", typed="3 Hm.\nu\nq\n")
    assert "0 read, 3 left" in said
    first = found(course, question="why")[0]
    assert (first.points, first.comment, first.reader) == (None, "", "")
    read(course, "--question", "why", typed="3 Hm.\nq\n")
    words = "--again", "--question", "why", "--reader", "lee"
    assert "read by kim: 3 Hm." in read(course, *words, typed="5\nu\nq\n")
    first = found(course, question="why", again=True)[0]
    assert (first.points, first.comment, first.reader) == (3, "Hm.", "kim")
    assert "nothing was read" in read(course, "--question", "why", typed="u\nq\n")


def test_two_readers_of_one_answer_do_not_write_over_each_other(course):
    with Desk(TINY, course, "kim") as mine, Desk(TINY, course, "lee") as theirs:
        answer = mine.answers(question="why")[0]
        theirs.give(answer, 2, "Why?")
        with pytest.raises(CourseError, match=r"meanwhile it is read by lee: 2 Why\?"):
            mine.give(answer, 5)
        assert mine.now(answer).points == 2
        term.remove(answer.student, course)
        assert mine.now(answer) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    rest_is_slow(
        [
            ("6", "6 points: expected 0 to 5"),
            ("c1", "c1: the bank has 0 comments"),
            ("nan", "'nan': expected points"),
            ("-1", "'-1': expected points"),
            ("good", "'good': expected points"),
        ]
    ),
)
def test_what_cannot_be_given_is_asked_for_again(course, typed, said):
    assert said in read(course, "--question", "why", typed=f"{typed}\nq\n")
    assert set(scores(course).values()) == {None}


@pytest.mark.slow
def test_a_bank_keeps_comments_with_their_points(course):
    read(course, "--question", "why", typed="2 +Even, yes.\n1 +Odd?\nc1 c2\n")
    given = found(course, again=True)[:3]
    assert [one.points for one in given] == [2, 1, 3]
    assert given[2].comment == "Even, yes.\n\nOdd?"
    path = comments.path(TINY, course)
    assert path == course / "solutions" / f"{TINY}.comments.csv"
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"question": "why", "points": "2.0", "comment": "Even, yes."}
    assert len(rows) == 2
    assert "Even, yes." in read(course, "--again", typed="q\n")
    assert "Even, yes." not in read(course, "--question", "drawing", typed="q\n")


def test_a_bank_whose_last_line_an_editor_left_open_takes_the_next(tiny):
    file = comments.path(TINY, tiny)
    file.write_text("question,points,comment\nwhy,2,Even")
    comments.add(comments.Remark("why", 1, "Odd"), TINY, tiny)
    kept = [(one.points, one.comment) for one in comments.bank(TINY, tiny)]
    assert kept == [(2, "Even"), (1, "Odd")]


@pytest.mark.parametrize("said", ["1.5 Which?", "1,5 Which?", "1,50   Which?"])
def test_points_have_a_point_or_a_comma(said):
    assert understood(said, []) == (1.5, "Which?", False)


def test_a_broken_bank_is_named(course):
    comments.path(TINY, course).write_text("why;2;Even\nwhy;1;Odd\n")
    with pytest.raises(CourseError, match="is no bank of comments: expected the col"):
        comments.bank(TINY, course)


@pytest.mark.slow
def test_three_readers_share_a_class_and_nobody_is_read_twice(course):
    parts = [{one.id for one in found(course, share=(n, 3))} for n in (1, 2, 3)]
    assert [len(part) for part in parts] == [2, 2, 2]
    assert set.union(*parts) == {one.id for one in found(course)}
    before = found(course, share=(2, 3))
    read(course, "--share", "1/3", typed="1\n1\n")
    assert found(course, share=(2, 3)) == before


def test_what_another_reader_was_faster_with_is_not_shown(course):
    with Desk(TINY, course, "kim") as mine, Desk(TINY, course, "lee") as theirs:
        answer = mine.answers(question="why")[0]
        theirs.give(answer, 2)
        now = mine.now(answer)
    assert (now.waits, now.points, now.reader) == (False, 2, "lee")


@pytest.mark.slow
def test_who_read_what_is_kept(course):
    read(course, "--question", "why", typed="5\nq\n")
    read(course, "--reader", "lee", "--question", "why", typed="5\nq\n")
    readers = [one.reader for one in found(course, question="why", again=True)]
    assert readers == ["kim", "lee", ""]


def test_json_lists_what_waits_without_names(course):
    listed = json.loads(read(course, "--json", "--question", "why"))
    assert listed["questions"]["why"]["max_score"] == 5
    assert listed["questions"]["why"]["scheme"] == "Because."
    assert len(listed["answers"]) == 3
    for row in listed["answers"]:
        assert row["text"].startswith("Two is even.")
        assert "student" not in row
    named = json.loads(read(course, "--json", "--names"))["answers"]
    assert {row["student"] for row in named} == set(CLASS)


def test_grade_says_how_many_are_left(course):
    assert waiting(TINY, course) == 6
    read(course, "--question", "why", typed="1\n1\n1\n")
    assert waiting(TINY, course) == 3


@pytest.mark.slow
def test_no_read_answer_becomes_unread(course, bundle, verdict, submission):
    with Course.open(course).gradebook() as book:
        book.update_or_create_assignment(TINY, duedate=datetime(2026, 1, 1))
    read(course, "--question", "why", typed="5 Fine.\n5\n5\n")
    before = [asdict(one) for one in found(course, question="why", again=True)]
    term.extend(TINY, "ada", "3d", course)
    with Writer(course, TINY, load(TINY, course)) as writer:
        for student in CLASS:
            notebook = submission(why=f"Two is even.\n\nSo says {student[0]}.")
            assert writer.kept(student).score == 14
            writer.write(verdict(student, notebook=notebook))
    after = [asdict(one) for one in found(course, question="why", again=True)]
    assert after == before
    assert not found(course, question="why")


def test_a_gradebook_that_breaks_meanwhile_is_named(course):
    with Desk(TINY, course, "kim") as desk:
        answer = desk.answers(question="why")[0]
        with closing(sqlite3.connect(course / "gradebook.db")) as database:
            database.execute("DROP TABLE submitted_assignment")
        for use in (
            desk.answers,
            partial(desk.now, answer),
            partial(desk.give, answer, 1),
        ):
            with pytest.raises(CourseError, match="cannot be used"):
                use()


@pytest.mark.slow
def test_a_comment_is_text_in_the_feedback(course):
    said = "*Why* a < b, and <b>not</b> <script>alert(1)</script> List<int> & $x<y$?"
    with Desk(TINY, course, "kim") as desk:
        answer = desk.answers(question="why")[0]
        desk.give(answer, 2, said)
    page = feedback(TINY, course)[CLASS.index(answer.student)]
    whole = page.read_text("utf-8")
    assert "<em>Why</em>" in whole
    assert "<b>not</b>" not in whole
    assert "<script>alert" not in whole
    assert "a < b, and <b>not</b> <script>alert(1)</script> List<int> &" in text_of(
        page
    )


@pytest.mark.slow
def test_who_hands_in_again_is_read_again_beside_what_was_given(
    course, bundle, verdict, submission
):
    read(course, "--question", "why", typed="1 Why?\n1 Why?\n1 Why?\n")
    with Writer(course, TINY, bundle) as writer:
        notebook = submission(why="Since two is even.")
        writer.write(verdict("ada", notebook=notebook, digest="e" * 64))
    said = read(course, "--question", "why", typed="3\n")
    assert "1 of 1" in said
    assert "Since two is even." in said
    assert "read by kim, and waits again: 1 Why?" in said
    assert scores(course)["ada"] == 3


def test_an_answer_gives_the_terminal_no_orders(tiny, bundle, verdict, submission):
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict(notebook=submission(why="\x1b[2J [red]x[/] \u202e")))
    said = read(tiny, "--question", "why", typed="q\n")
    assert "[red]x[/]" in said
    assert "\x1b" not in said
    assert "\u202e" not in said


@pytest.mark.parametrize("share", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_a_share_is_a_number_of_how_many(share):
    with pytest.raises(CourseError, match="expected one like 1/3"):
        part(share)


def test_a_question_that_is_none_is_named(course):
    with pytest.raises(CourseError, match="no question 'wy'; its graded cells are"):
        found(course, question="wy")


def test_nothing_graded_is_said(tiny):
    with pytest.raises(CourseError, match="run `course grade tiny` first"):
        found(tiny)


@pytest.mark.slow
def test_an_interrupt_in_a_real_terminal_loses_nothing(course):
    import pty

    ours, theirs = pty.openpty()
    words = ["-m", "course_lib", "read", TINY, "--course", str(course)]
    env = os.environ | {"TERM": "dumb", "USER": "kim", "COLUMNS": "80"}
    ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen([sys.executable, *words], env=env, **ends) as process:
        os.close(theirs)
        until("1 of 6.*> $", ours)
        os.write(ours, b"4 Good.\n")
        until("2 of 6.*> $", ours)
        # a signal that comes just before Python waits for a line is seen after the line
        interrupt = partial(process.send_signal, signal.SIGINT)
        interrupt()
        until("1 read, 5 left", ours, again=interrupt)
    os.close(ours)
    assert process.returncode == 0
    assert sorted(filter(None, scores(course).values())) == [4]


def until(pattern: str, terminal: int, again=None) -> None:
    """Read what a terminal shows until it has this; fail after a minute of silence.

    again: called after each five seconds of silence.
    """
    shown, silent = b"", 0
    while not re.search(pattern, shown.decode("utf-8", "replace"), re.S):
        if select.select([terminal], [], [], 5)[0]:
            shown += os.read(terminal, 65536)  # OSError once the other end is closed
            silent = 0
            continue
        silent += 1
        assert silent < 12, shown
        if again:
            again()
