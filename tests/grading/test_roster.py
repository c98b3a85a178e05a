"""A class list: read as each LMS writes it, and the same people as in submitted/."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from course_grader import export
from course_grader.assignment.course import Course
from course_grader.intake.collect import collect
from course_grader.intake.roster import Change, Person, import_roster, read, roster
from course_grader.report.grades import without
from course_grader.store import term
from course_grader.store.gradebook import Writer
from course_grader.store.sections import SECTIONS
from course_lib.__main__ import app
from course_lib.errors import CourseError

from .conftest import TINY

MOODLE = """\ufeffFirst name,Last name,ID number,Email address,Groups
Ada,Byron,1815,ada@example.org,A
José,Núñez,,jose@example.org,"A, B"
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Essay (77)
Points Possible,,,,,10.0
"Byron, Ada",12,s1815,ada@example.org,Section 1,
"O'Hara Smith, Mary-Ann",13,s2,mary,Section 1 and Section 2,
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


@pytest.mark.parametrize(
    "data",
    [
        "\ufeffid;email;section\r\nada;a@b;A, B\r\n".encode(),
        "id\temail\tsection\nada\ta@b\tA, B\n".encode("utf-16"),
        b'id, email, section\nada, a@b, "A, B"\n , ,\n',
        b'ID,E-mail,Email,Section\nada,,a@b,"A, B"\n',
        b'"Section","First name",ID,EMAIL\r"A, B","",ada,a@b\r',
    ],
)
def test_a_list_is_read_as_any_spreadsheet_writes_it(data, tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    assert read(path) == [Person("ada", email="a@b", section="A, B")]


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
    ("text", "section", "expected"),
    [
        (MOODLE, "A", ["Ada Byron", "José Núñez"]),
        (MOODLE, "B", ["José Núñez"]),
        (CANVAS, "Section 1", ["byronada", "oharasmithmaryann"]),
        (CANVAS, "Section 2", ["oharasmithmaryann"]),
        (CANVAS, "Section 1 and Section 2", ["oharasmithmaryann"]),
        ("id,section\nada,Rock and Roll\nbob,\n", "Rock and Roll", ["ada"]),
    ],
)
def test_each_list_says_who_is_in_a_section(people, tiny, text, section, expected):
    people(text)
    assert [one.id for one in roster(tiny, section)] == expected
    assert len(roster(tiny)) == 2


def test_a_section_stays_until_another_is_given_or_the_student_leaves(people, tiny):
    people("id,section\nada,A\nbob,A\n")
    people("id,email\nada,new@example.org\nbob,\n")
    assert [one.section for one in roster(tiny)] == ["A", "A"]
    people("id,section\nada,B\nbob,A\n")
    assert people.changes == [Change("ada", "changed"), Change("bob", "as before")]
    assert [one.section for one in roster(tiny)] == ["B", "A"]
    term.remove("ada", tiny)
    people("id\nada\n")
    assert [one.section for one in roster(tiny)] == ["", "A"]


def test_a_class_without_sections_goes_on_as_it_was(people, tiny):
    people(PLAIN)
    with Course.open(tiny).gradebook() as gradebook:
        SECTIONS.drop(gradebook.engine, checkfirst=True)  # one of an earlier version
    assert [one.section for one in roster(tiny)] == ["", ""]
    with pytest.raises(
        CourseError, match=r"called 'A': no student has one \(course ro"
    ):
        roster(tiny, "A")
    lines = export(tiny / "all.csv", tiny, "canvas").read_text().splitlines()
    assert lines[2:] == ["ada,,,,,", "bob,,,,,"]
    term.remove("ada", tiny)
    people("id,section\nbob,A\n")
    with pytest.raises(CourseError, match=r"called 'C': there are A \(course roster"):
        roster(tiny, "C")


def test_the_command_imports_and_shows_the_class(tiny):
    path = tiny / "list.csv"
    path.write_text(MOODLE, encoding="utf-8")
    assert run(tiny, "roster", "import", str(path)) == "2 new\n"
    assert run(tiny, "roster", str(path)) == "2 as before\n"
    every = run(tiny, "roster")
    assert "1815" in every
    assert "A, B" in every
    assert "2 students\n" in every
    said = run(tiny, "roster", "list", "--section", "B")
    assert "José Núñez" in said
    assert "Byron" not in said
    found = json.loads(run(tiny, "roster", "list", "--json"))
    assert [one["section"] for one in found] == ["A", "A, B"]


def run(course, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--course", str(course)])
    assert done.exception is None, done.exception
    return done.output


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
                '"Byron, Ada",12,,,Section 1,9.0',
                '"O\'Hara Smith, Mary-Ann",13,,,Section 1 and Section 2,',
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


@pytest.mark.parametrize("form", ["csv", "moodle", "canvas"])
def test_the_rows_have_the_order_of_the_ids(people, tiny, form):
    people("id,first_name,last_name\nzoe,zoe,\nbob,bob,A\nada,ada,Z\n")
    text = export(tiny / "all.csv", tiny, form).read_text()
    places = [text.index(name) for name in ("ada", "bob", "zoe")]
    assert places == sorted(places)


def test_a_table_has_the_name_of_one(tiny):
    with pytest.raises(CourseError, match=r"all.xlsx is no .csv: name a file like"):
        export(tiny / "all.xlsx", tiny)


def test_who_handed_in_at_no_known_time_has_points_and_an_extension_none(
    people, tiny, bundle, verdict
):
    people(PLAIN)
    term.deadline(TINY, "2026-12-01", "UTC", tiny)
    term.extend(TINY, "bob", "1d", tiny)
    with Writer(tiny, TINY, bundle) as writer:
        writer.write(verdict("ada", timestamp=None))
    lines = export(tiny / "all.csv", tiny, "moodle").read_text().splitlines()
    assert lines[1:] == ["ada,,,ada@example.org,9.0", "bob,,,,"]
    assert list(without(tiny)) == [(TINY, "bob", "handed nothing in")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name;mail\nAda;a@b\n", "expected those of Moodle"),
        ("id,email\n,a@b\n", "line 2: nobody is named"),
        ("id\nada\nada\n", "line 3: ada is on the list twice"),
        ("id\nada\n...\n", "line 3: '...' is no name for a person's folder"),
        ("id,email\nada,Byron, Ada,a@b\n", "line 2: 'Ada, a@b' is in no column: pu"),
        ('id,email\n"ada,a@b\nbob,b@b\n', "save the list as CSV, UTF-8"),
        ("id,email\nada,a@b\nbob,A@B\n", "line 3: A@B is on the list twice. Give each"),
        ("id,lms_user_id\nada,7\nbob,7\n", "line 3: 7 is on the list twice. Give each"),
        ("id\n", "names nobody"),
        ("", "has the columns none"),
    ],
)
def test_a_list_that_is_none_is_refused_and_changes_nothing(people, tiny, text, said):
    with pytest.raises(CourseError, match=said):
        people(text)
    with Course.open(tiny).gradebook() as gradebook:
        assert gradebook.students == []


def test_a_table_of_a_spreadsheet_s_own_form_is_to_be_saved_as_csv(tmp_path):
    path = tmp_path / "list.xlsx"
    path.write_bytes(b"PK\x03\x04\x14\xb5")
    with pytest.raises(CourseError, match=r"save the list as CSV, UTF-8$"):
        read(path)


def test_a_file_that_is_not_there_is_named(tiny):
    with pytest.raises(CourseError, match=r"none\.csv cannot be read"):
        import_roster(tiny / "none.csv", tiny)
