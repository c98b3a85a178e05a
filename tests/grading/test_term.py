"""A term goes on: deadlines move, some get more time, some leave."""

from __future__ import annotations

import shutil
import warnings
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from course_grader import export, feedback
from course_grader.assignment.course import Course
from course_grader.intake.collect import collect
from course_grader.intake.roster import import_roster
from course_grader.reading.answers import waiting
from course_grader.report.facts import points
from course_grader.store import term
from course_grader.store.gradebook import Writer
from course_grader.store.outcomes import last_run
from course_lib.__main__ import app
from course_lib.errors import CourseError

from .conftest import TINY
from .test_totals import late, totals  # noqa: F401 (a fixture)


def due(course) -> datetime | None:
    with Course.open(course).gradebook() as gradebook:
        return gradebook.find_assignment(TINY).duedate


@pytest.mark.parametrize(
    ("when", "zone", "stored"),
    [
        ("2026-12-01 23:59", "UTC", datetime(2026, 12, 1, 23, 59)),
        ("2026-12-01 23:59", "Europe/Berlin", datetime(2026, 12, 1, 22, 59)),
        ("2026-07-01 12:00", "Europe/Berlin", datetime(2026, 7, 1, 10)),  # summer
        ("2026-12-01", "UTC", datetime(2026, 12, 1, 23, 59)),
        ("2026-12-01T10:00+05:00", "Europe/Berlin", datetime(2026, 12, 1, 5)),
    ],
)
def test_a_deadline_is_stored_as_nbgrader_does_and_shown_in_its_zone(
    tiny, when, zone, stored
):
    shown = term.deadline(TINY, when, zone, tiny)
    assert due(tiny) == stored
    assert shown.utcoffset() == shown.tzinfo.utcoffset(shown)
    assert shown == term.deadline(TINY, None, zone, tiny)
    assert term.deadline(TINY, "none", None, tiny) is None
    assert due(tiny) is None


def test_an_edition_gets_the_deadlines_that_there_are(tiny):
    assert term.deadlines(tiny) == {}
    when = term.deadline(TINY, "2026-12-01 23:59", "Europe/Berlin", tiny)
    assert term.deadlines(tiny) == {TINY: when}
    (tiny / "gradebook.db").unlink()
    assert term.deadlines(tiny) == {}
    assert not (tiny / "gradebook.db").exists()


def test_without_a_zone_it_is_this_machine_s(tiny, monkeypatch):
    shown = term.deadline(TINY, "2026-12-01 23:59", None, tiny)
    assert f"{shown:%Y-%m-%d %H:%M}" == "2026-12-01 23:59"
    assert due(tiny) == datetime(2026, 12, 1, 23, 59) - shown.utcoffset()


@pytest.mark.slow
def test_more_time_counts_in_every_total(late):  # noqa: F811
    assert set(totals(late)) == {6}
    assert term.extend(TINY, "ada", "2h", late) == timedelta(hours=2)
    recount(late)
    assert set(totals(late)) == {8}
    assert term.extend(TINY, "ada", "0", late) is None
    recount(late)
    assert set(totals(late)) == {6}


def recount(course):
    from course_grader.assignment.bundle import load

    with Writer(course, TINY, load(TINY, course)) as writer:
        writer.kept("ada")


def test_more_time_can_be_given_before_anything_is_handed_in(tiny, bundle, verdict):
    term.deadline(TINY, "2026-01-02", "UTC", tiny)
    Course.open(tiny).submitted("ada", TINY).mkdir(parents=True)
    with warnings.catch_warnings(action="error"):
        term.extend(TINY, "ada", "3d", tiny)
    assert waiting(TINY, tiny) == 0  # an answer to read would be one of nobody's
    assert points(TINY, tiny) == []
    with Writer(tiny, TINY, bundle) as writer:
        assert not writer.done("ada", "d" * 64)
        done = writer.write(verdict(timestamp=datetime(2026, 1, 5, 3)))
    assert done.status == "graded"
    with Course.open(tiny).gradebook() as gradebook:
        found = gradebook.find_submission(TINY, "ada")
        assert found.total_seconds_late == 0
        assert found.extension == timedelta(days=3)
    assert waiting(TINY, tiny) == 2


def test_the_longest_extension_of_the_last_deadline_is_a_time(tiny, bundle, verdict):
    term.deadline(TINY, "7999-12-31", "Pacific/Honolulu", tiny)
    Course.open(tiny).submitted("ada", TINY).mkdir(parents=True)
    assert term.extend(TINY, "ada", "99999w", tiny) == timedelta(weeks=99999)
    with Writer(tiny, TINY, bundle) as writer:
        assert writer.write(verdict()).late == 0


@pytest.mark.slow
def test_who_leaves_takes_nobody_s_feedback_along(tiny, bundle, verdict):
    with Writer(tiny, TINY, bundle) as writer:
        for name in ("ada", "bob"):
            writer.write(verdict(name))
    assert len(feedback(TINY, tiny)) == 2
    kept = term.remove("ada", tiny)
    assert {path.name for path in kept.iterdir()} == {"autograded", "feedback"}
    assert [page.parent.parent.name for page in feedback(TINY, tiny)] == ["bob"]
    assert "ada" not in export(tiny / "all.csv", tiny).read_text()
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict("ada"))
    assert term.remove("ada", tiny).name == "ada-2"  # nothing is written over
    with Writer(tiny, TINY, bundle):
        pass  # a run with nothing to do
    assert [row.student for row in last_run(TINY, tiny)] == ["bob"]


def test_who_left_is_not_collected_until_the_roster_has_them_again(tiny):
    def came() -> list[str]:
        return [row.status for row in collect([tiny / "inbox"], TINY, tiny)]

    for name in ("ada", "bob"):
        (tiny / "inbox" / name).mkdir(parents=True)
        released = tiny / "assignments" / TINY / f"{TINY}.ipynb"
        shutil.copy(released, tiny / "inbox" / name)
    assert came() == ["collected", "collected"]
    term.remove("ada", tiny)
    assert came() == ["refused", "unchanged"]
    assert not Course.open(tiny).submitted("ada", TINY).exists()
    (tiny / "list.csv").write_text("id\nada\nbob\n")
    import_roster(tiny / "list.csv", tiny)
    assert came() == ["collected", "unchanged"]


def test_who_leaves_without_a_file_is_said_to(tiny):
    (tiny / "list.csv").write_text("id\nada\n")
    import_roster(tiny / "list.csv", tiny)
    done = CliRunner().invoke(app, ["remove", "ada", "--course", str(tiny)])
    assert done.output == "ada is removed; no files\n"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: term.deadline("a99", "2026-12-01", None, c), "has no a99: release"),
        (lambda c: term.deadline(TINY, "tomorrow", None, c), "'tomorrow' is no time"),
        (lambda c: term.deadline(TINY, "9999-12-31", "Pacific/Fiji", c), "or none"),
        (lambda c: term.deadline(TINY, "9999-12-31", "Pacific/Honolulu", c), "or none"),
        (lambda c: term.deadline(TINY, None, "Mars/Base", c), "'Mars/Base'"),
        (lambda c: term.deadline(TINY, None, "Europe", c), "zone is called 'Europe'"),
        (lambda c: term.extend(TINY, "ada", "soon", c), "'soon' is no time"),
        (lambda c: term.extend(TINY, "ada", "9999999d", c), "'9999999d' is no time"),
        (lambda c: term.extend(TINY, "ada", "99999999999d", c), "is no time"),
        (lambda c: term.extend(TINY, "ada", "3d", c), "has no deadline"),
        (lambda c: term.remove("adda", c), "'adda'; did you mean ada"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_do(tiny, call, said):
    Course.open(tiny).submitted("ada", TINY).mkdir(parents=True)
    with pytest.raises(CourseError, match=said):
        call(tiny)
