"""A class list: read as each LMS writes it, and the same people as in submitted/."""

from __future__ import annotations

import pytest

from course_grader import export
from course_grader.assignment.course import Course
from course_grader.intake.collect import collect
from course_grader.intake.roster import Change, import_roster
from course_grader.store.gradebook import Writer
from course_lib.errors import CourseError

from .conftest import TINY

MOODLE = """\ufeffFirst name,Last name,ID number,Email address,Groups
Ada,Byron,1815,ada@example.org,A
José,Núñez,,jose@example.org,
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Essay (77)
Points Possible,,,,,10.0
"Byron, Ada",12,s1815,ada@example.org,Section 1,
"O'Hara Smith, Mary-Ann",13,s2,mary,Section 1,
"Student, Test",99,,0a1b,Section 1,
"""
PLAIN = "id,email\nada,ada@example.org\nbob,\n"


@pytest.fixture
def people(tiny):
    """people(text): import a list, and return the gradebook's view of everybody."""

    def imported(text: str) -> dict:
        path = tiny / "list.csv"
        path.write_text(text, encoding="utf-8")
        imported.changes = import_roster(path, tiny)
        with Course.open(tiny).gradebook() as gradebook:
            return {
                one.id: (one.first_name, one.last_name, one.email, one.lms_user_id)
                for one in gradebook.students
            }

    return imported


def test_moodle(people):
    assert people(MOODLE) == {
        "Ada Byron": ("Ada", "Byron", "ada@example.org", "1815"),
        "José Núñez": ("José", "Núñez", "jose@example.org", None),
    }


def test_canvas(people):
    assert people(CANVAS) == {
        "byronada": ("Ada", "Byron", "ada@example.org", "12"),
        "oharasmithmaryann": ("Mary-Ann", "O'Hara Smith", None, "13"),
    }


def test_a_plain_list_needs_an_id_alone(people):
    assert people(PLAIN) == {
        "ada": (None, None, "ada@example.org", None),
        "bob": (None, None, None, None),
    }


@pytest.mark.parametrize(
    ("text", "files", "name"),
    [
        (MOODLE, "Ada Byron_123_assignsubmission_file_/tiny.ipynb", "Ada Byron"),
        (CANVAS, "byronada_12_345_tiny.ipynb", "byronada"),
        (CANVAS, "oharasmithmaryann_LATE_13_346_tiny.ipynb", "oharasmithmaryann"),
    ],
)
def test_who_hands_in_is_who_is_on_the_list(people, tiny, text, files, name):
    before = people(text)
    path = tiny / "inbox" / files
    path.parent.mkdir(parents=True)
    path.write_bytes((tiny / "assignments" / TINY / f"{TINY}.ipynb").read_bytes())
    collect([tiny / "inbox"], TINY, tiny)
    assert [folder.name for folder in (tiny / "submitted").iterdir()] == [name]
    assert name in before


def test_a_second_import_says_what_changed_and_removes_nobody(people):
    people(PLAIN)
    after = people("id,email\nada,new@example.org\ncy,\n")
    assert people.changes == [
        Change("ada", "changed"),
        Change("cy", "new"),
        Change("bob", "not on the list"),
    ]
    assert after["ada"][2] == "new@example.org"
    assert "bob" in after
    people("id\nada\n")  # an empty cell takes nothing away
    assert people.changes[0] == Change("ada", "as before")


@pytest.mark.parametrize(
    ("form", "text", "name", "lines"),
    [
        (
            "moodle",
            MOODLE,
            "Ada Byron",
            [
                "First name,Last name,ID number,Email address,tiny",
                "Ada,Byron,1815,ada@example.org,9.0",
                "José,Núñez,,jose@example.org,",
            ],
        ),
        (
            "canvas",
            CANVAS,
            "byronada",
            [
                "Student,ID,SIS User ID,SIS Login ID,Section,tiny",
                "Points Possible,,,,,20.0",
                '"Byron, Ada",12,,,,9.0',
                '"O\'Hara Smith, Mary-Ann",13,,,,',
            ],
        ),
    ],
)
def test_grades_go_back_as_the_lms_imports_them(
    people, tiny, bundle, verdict, form, text, name, lines
):
    people(text)
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict(name))
    written = export(tiny / "all.csv", tiny, form).read_text("utf-8")
    assert written.splitlines() == lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name;mail\nAda;a@b\n", "expected those of Moodle"),
        ("id,email\n,a@b\n", "line 2: nobody is named"),
        ("id\nada\nada\n", "line 3: ada is on the list twice"),
        ("id\n", "names nobody"),
        ("", "has the columns none"),
    ],
)
def test_a_list_that_is_none_is_refused_and_changes_nothing(people, tiny, text, said):
    with pytest.raises(CourseError, match=said):
        people(text)
    with Course.open(tiny).gradebook() as gradebook:
        assert gradebook.students == []


def test_a_file_that_is_not_there_is_named(tiny):
    with pytest.raises(CourseError, match=r"none\.csv cannot be read"):
        import_roster(tiny / "none.csv", tiny)
