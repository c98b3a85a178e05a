"""One total everywhere: table, summary and export, after a deadline has moved, too."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import datetime

import pytest

from course_grader import export
from course_grader.assignment.bundle import load
from course_grader.assignment.course import Course
from course_grader.intake import submission as intake
from course_grader.report.facts import facts
from course_grader.report.page import students
from course_grader.store.gradebook import Writer
from course_grader.store.outcomes import last_run
from course_lib.commands.instructor import show_grades

from .conftest import TINY
from .test_gradebook import LATE
from .test_regrade import hand_in


@pytest.fixture
def late(tiny, bundle, verdict):
    """A course in which ada handed in three hours late, for nine points less three."""
    (tiny / "term_late.py").write_text(LATE)
    with open(tiny / "nbgrader_config.py", "a") as file:
        file.write("c.AssignLatePenalties.plugin_class = 'term_late.Hours'\n")
    with Course.open(tiny).gradebook() as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate=datetime(2026, 1, 2))
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict(timestamp=datetime(2026, 1, 2, 3)))
    return tiny


def totals(course) -> tuple[float, ...]:
    """The total of ada in the record, the report, its table and the export."""
    (row,) = last_run(TINY, course)
    found = facts(TINY, course)
    with open(export(course / "all.csv", course), newline="") as file:
        (line,) = csv.DictReader(file)
    shown = float(students(found)[1][0][-1])
    return row.total, found["students"][0]["total"], shown, float(line["score"])


def test_being_late_is_a_remark_and_one_total_is_everywhere(late, capsys):
    assert set(totals(late)) == {6}
    show_grades(last_run(TINY, late))
    said = " ".join(capsys.readouterr().out.split())
    assert "6 of 20" in said
    assert "3 h late, 3 points off" in said


def test_an_extension_counts_without_grading_again(late, bundle):
    with Course.open(late).gradebook() as gradebook:
        gradebook.grant_extension(TINY, "ada", hours=2)
    with Writer(late, TINY, bundle) as writer:
        assert writer.done("ada", "d" * 64)
        now = writer.kept("ada")
    assert (now.status, now.total) == ("already graded", 8)
    assert now.remarks == ["1 h late, 1 points off"]
    assert set(totals(late)) == {8}


def test_an_answer_that_was_read_counts_in_every_total(late, bundle):
    with Course.open(late).gradebook() as gradebook:
        found = gradebook.find_grade("why", TINY, TINY, "ada")
        found.manual_score, found.needs_manual_grade = 5.0, False
        gradebook.db.commit()
    with Writer(late, TINY, bundle) as writer:
        writer.kept("ada")
    assert set(totals(late)) == {11}


def test_who_is_refused_later_keeps_the_total(late, bundle, verdict):
    with Writer(late, TINY, bundle) as writer:
        writer.write(verdict(reason="it was empty", digest="e" * 64))
    assert set(totals(late)) == {6}


def test_a_notebook_of_another_assignment_is_refused_by_name(tiny):
    hand_in(tiny)
    course = Course.open(tiny)
    place, bundle = course.submitted("ada", TINY), load(TINY, course)
    assert intake.read(place, bundle, "ada").notebooks
    theirs = {f"{name}x": cell for name, cell in bundle.lessons[TINY].cells.items()}
    lesson = replace(bundle.lessons[TINY], cells=theirs)
    names = set(bundle.lessons[TINY].cells)
    mine = replace(bundle, lessons={TINY: lesson}, others={"a05_vgg": names})
    with pytest.raises(intake.Refused, match="this is a05_vgg: hand in"):
        intake.read(place, mine, "ada")
