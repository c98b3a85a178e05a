"""From what an LMS or a student sends to submitted/NAME/ASSIGNMENT/."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from nbformat import writes
from nbformat.v4 import new_notebook

from course_grader.assignment.course import Course
from course_grader.intake.collect import collect
from course_grader.intake.owners import RECORD
from course_grader.intake.roster import import_roster
from course_lib import __main__
from course_lib.errors import CourseError
from course_lib.hand_in import submit as hand_in
from course_lib.hand_in.submit import submit

NOTEBOOK = writes(new_notebook()).encode()
CONFIG = """c = get_config()
c.CourseDirectory.release_directory = "assignments"
"""


@pytest.fixture(autouse=True)
def machine_in_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def course(tmp_path) -> Path:
    """A course with two assignments released, and nobody's submission."""
    folder = tmp_path / "course"
    for name in ("a01", "a02"):
        (folder / "assignments" / name).mkdir(parents=True)
        (folder / "assignments" / name / f"{name}.ipynb").write_bytes(NOTEBOOK)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    return folder


def zipped(files: dict[str, bytes], day: int = 15) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, day, 12, 0, 0)), data)
    return whole.getvalue()


def spread(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def in_place(course: Path) -> set[str]:
    root = course / "submitted"
    paths = (path for path in root.rglob("*") if path.is_file())
    names = {path.relative_to(root).as_posix() for path in paths}
    return {name for name in names if not name.endswith(RECORD)}


def submitted(*names: str) -> set[str]:
    """The files of these students' folders: what they sent, and timestamp.txt."""
    folders = {name.rpartition("/")[0] for name in names}
    return {*names, *(f"{folder}/timestamp.txt" for folder in folders)}


LAYOUTS = {
    "nbgrader's own": (
        {"Ada/a01/a01.ipynb": NOTEBOOK, "Bo/a01/a01.ipynb": NOTEBOOK},
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "with its folder": (
        {
            "submitted/Ada/a01/a01.ipynb": NOTEBOOK,
            "submitted/Ada/a02/a02.ipynb": NOTEBOOK,
        },
        {"Ada/a01/a01.ipynb", "Ada/a02/a02.ipynb"},
    ),
    "by assignment": (
        {"a01/Ada/a01.ipynb": NOTEBOOK, "a01/Bo/a01.ipynb": NOTEBOOK},
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "plain folders": (
        {
            "Ada/a01.ipynb": NOTEBOOK,
            "Ada/record.json": b"{}",
            "Bo/x/a01.ipynb": NOTEBOOK,
        },
        {"Ada/a01/a01.ipynb", "Ada/a01/record.json", "Bo/a01/a01.ipynb"},
    ),
    "in a wrapper": (
        {"class/Ada/a01.ipynb": NOTEBOOK, "class/Bo/a01.ipynb": NOTEBOOK},
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "zips": (
        {
            "Ada.zip": zipped({"a01/a01.ipynb": NOTEBOOK}),
            "Bo.zip": zipped({"a01.ipynb": NOTEBOOK}),
        },
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "Moodle's folders": (
        {
            "Zoë O'Brien_123_assignsubmission_file_/a01 (1).ipynb": NOTEBOOK,
            "Zoë O'Brien_123_assignsubmission_file_/record.json": b"{}",
            "Zoë O'Brien_123_assignsubmission_onlinetext_/onlinetext.html": b"Hello",
            "Bo_B_124_assignsubmission_file_/hand.zip": zipped(
                {"Cy/a01/a01.ipynb": NOTEBOOK}
            ),
        },
        {
            "Zoë O'Brien/a01/a01 (1).ipynb",
            "Zoë O'Brien/a01/record.json",
            "Zoë O'Brien/a01/onlinetext.html",
            "Bo_B/a01/a01.ipynb",
        },
    ),
    "Moodle's files": (
        {
            "Ada Byron_123_assignsubmission_file_a01.ipynb": NOTEBOOK,
            "Bo_124_assignsubmission_file_a01.ipynb": NOTEBOOK,
        },
        {"Ada Byron/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "Canvas": (
        {
            "byronada_12_345_a01-1.ipynb": NOTEBOOK,
            "byronada_12_346_record.json": b"{}",
            "obo_LATE_13_347_a01.ipynb": NOTEBOOK,
            "cy_14_348_a01.zip": zipped({"a01/a01.ipynb": NOTEBOOK}),
        },
        {
            "byronada/a01/a01-1.ipynb",
            "byronada/a01/record.json",
            "obo/a01/a01.ipynb",
            "cy/a01/a01.ipynb",
        },
    ),
    "Canvas, with underscores": (
        {
            "von_byron_12_345_my_a01.ipynb": NOTEBOOK,
            "bo_LATE_13_347_a01.ipynb": NOTEBOOK,
        },
        {"von_byron/a01/my_a01.ipynb", "bo/a01/a01.ipynb"},
    ),
    "Blackboard": (
        {
            "A8_byron_attempt_2026-01-15-10-30-00_a01.ipynb": NOTEBOOK,
            "A8_byron_attempt_2026-01-15-10-30-00.txt": b"Name: Ada",
            "A8_bo_attempt_2026-01-16-10-30-00_a01.ipynb": NOTEBOOK,
        },
        {"byron/a01/a01.ipynb", "byron/a01/attempt.txt", "bo/a01/a01.ipynb"},
    ),
    "Blackboard, logins with underscores": (
        {
            "Unit 1_x_ada_b_attempt_2026-01-15-10-30-00_a01.ipynb": NOTEBOOK,
            "Unit 1_x_bo_attempt_2026-01-16-10-30-00_a01.ipynb": NOTEBOOK,
        },
        {"ada_b/a01/a01.ipynb", "bo/a01/a01.ipynb"},
    ),
    "Brightspace's files": (
        {
            "11-9 - Ada Byron - Jan 15, 2026 1030 AM - a01.ipynb": NOTEBOOK,
            "11-9 - Ada Byron - Jan 15, 2026 1030 AM - record.json": b"{}",
            "12-9 - Bo - B - January 5, 2026 930 PM - my - a01.ipynb": NOTEBOOK,
            "index.html": b"",
        },
        {
            "Ada Byron/a01/a01.ipynb",
            "Ada Byron/a01/record.json",
            "Bo - B/a01/my - a01.ipynb",
        },
    ),
    "Brightspace's folders": (
        {
            "x/11-9 - Ada Byron - Jan 15, 2026 1030 AM/a01.ipynb": NOTEBOOK,
            "x/12-9 - Bo - Jan 16, 2026 1030 AM/a01.ipynb": NOTEBOOK,
            "x/index.html": b"",
        },
        {"Ada Byron/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "Classroom": (
        {"Ada Byron - a01.ipynb": NOTEBOOK, "Bo - A01 (1).ipynb": NOTEBOOK},
        {"Ada Byron/a01/a01.ipynb", "Bo/a01/A01.ipynb"},
    ),
    "blind": (
        {
            "Participant_7_assignsubmission_file_/a01.ipynb": NOTEBOOK,
            "Participant_8_assignsubmission_file_/a01.ipynb": NOTEBOOK,
        },
        {"Participant_7/a01/a01.ipynb", "Participant_8/a01/a01.ipynb"},
    ),
    "blind, in another language": (
        {f"Osallistuja_{n}_assignsubmission_file_a01.ipynb": NOTEBOOK for n in "789"},
        {f"Osallistuja_{n}/a01/a01.ipynb" for n in "789"},
    ),
    "two wrappers": (
        {
            "download/class 1/Ada/a01.ipynb": NOTEBOOK,
            "download/class 1/Bo/work/a01.ipynb": NOTEBOOK,
            "download/readme.txt": b"",
        },
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "by assignment, in two wrappers": (
        {
            "download/a01/Ada/a01.ipynb": NOTEBOOK,
            "download/a01/Bo/a01.ipynb": NOTEBOOK,
        },
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
    "zips, in two wrappers": (
        {
            "a/b/Ada.zip": zipped({"a01.ipynb": NOTEBOOK}),
            "a/b/Bo.zip": zipped({"a01.ipynb": NOTEBOOK}),
        },
        {"Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb"},
    ),
}


CLASSES = {  # nothing in them says whose each is
    "names alone": ["ada.ipynb", "bo.ipynb", "cy.ipynb"],
    "in a folder": ["class/ada.ipynb", "class/bo.ipynb"],
    "in two": ["x/class/ada.ipynb", "x/class/bo.ipynb"],
    "Drive": ["a01.ipynb", "a01 (1).ipynb", "a01 (2).ipynb"],
    "Drive's folder": ["a01/a01.ipynb", "a01/a01(1).ipynb"],
    "by assignment": ["a01/ada.ipynb", "a01/bo.ipynb"],
    "copies": ["Copy of a01 (ada).ipynb", "Copy of a01 (bo).ipynb"],
    "Canvas and one more": ["a01.ipynb", "ada_1_2_a01.ipynb", "bo_3_4_a01.ipynb"],
    "sections": ["s1/ada.ipynb", "s1/bo.ipynb", "s2/cy.ipynb", "s2/di.ipynb"],
    "sections of folders": [f"s{n}/{who}/a01.ipynb" for n in "12" for who in "ab"],
}


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("names", CLASSES.values(), ids=CLASSES)
def test_a_class_is_never_taken_for_one_student(names, as_zip, course, tmp_path):
    files = {name: NOTEBOOK + name.encode() for name in names}
    source = spread(tmp_path / "in", files)
    if as_zip:
        source = tmp_path / "in.zip"
        source.write_bytes(zipped(files))
    rows = collect([source], "a01", course)
    assert {row.status for row in rows} == {"refused"}
    assert all("nothing says whose each is" in row.reason for row in rows)
    assert in_place(course) == set()


def test_a_class_in_a_zip_in_a_folder_is_nobodys(course, tmp_path):
    whole = zipped({"Ada/a01.ipynb": NOTEBOOK, "Bo/a01.ipynb": NOTEBOOK})
    (row,) = collect([spread(tmp_path / "in", {"class.zip": whole})], None, course)
    assert (row.status, in_place(course)) == ("refused", set())


STRAYS = {  # beside two people's
    "a01.ipynb": "{}_1_assignsubmission_file_/a01.ipynb",
    "Cy - Kopie von a01.ipynb": "{} - a01.ipynb",
    "a01.zip": "{}.zip",
    "Cy.ipynb": "{}/a01.ipynb",
}


@pytest.mark.parametrize("name", STRAYS)
def test_what_lies_beside_the_students_is_no_student(name, course, tmp_path):
    names = [STRAYS[name].format(who) for who in ("Ada", "Bo")]
    whole = zipped({"a01.ipynb": NOTEBOOK})
    files = {one: whole if ".zip" in one else NOTEBOOK for one in (*names, name)}
    rows = collect([spread(tmp_path / "in", files)], "a01", course)
    found = {row.student: row.status for row in rows}
    assert found == {"Ada": "collected", "Bo": "collected", "in": "refused"}
    assert any("nothing says whose" in row.reason for row in rows)
    assert in_place(course) == submitted("Ada/a01/a01.ipynb", "Bo/a01/a01.ipynb")


def test_a_student_may_keep_other_notebooks_which_are_named(course, tmp_path):
    names = "a01.ipynb", "a01-Copy1.ipynb", "old/a01.ipynb", "run_1_2_log.csv"
    files = {f"Ada/{name}": NOTEBOOK for name in names} | {"Bo/a01.ipynb": NOTEBOOK}
    ada, bo = collect([spread(tmp_path / "in", files)], None, course)
    assert (ada.student, ada.status, bo.reason) == ("Ada", "collected", "")
    said = "there too, and not graded: a01-Copy1.ipynb, old/a01.ipynb"
    assert ada.reason == said
    mine = {f"Ada/a01/{name}" for name in (*names, "timestamp.txt")}
    assert in_place(course) == mine | submitted("Bo/a01/a01.ipynb")


def test_a_copy_that_is_newer_than_what_is_graded_is_pointed_out(course, tmp_path):
    """`a01 (1).ipynb` is what a browser calls the second download."""
    names = "Ada/a01.ipynb", "Ada/a01 (1).ipynb", "Bo/a01 (1).ipynb"
    source = spread(tmp_path / "in", dict.fromkeys(names, NOTEBOOK))
    os.utime(source / names[0], (9e8, 9e8))
    ada, bo = collect([source], None, course)
    assert ada.reason == "there too, and not graded: a01 (1).ipynb (newer)"
    assert (bo.status, bo.reason) == ("collected", "")


def test_a_zip_in_a_students_folder_is_not_a_classmates(course, tmp_path):
    taken = zipped({"Ada/a01/a01.ipynb": NOTEBOOK + b" "}, 20)
    files = {"Ada/a01/a01.ipynb": NOTEBOOK, "Bo/mine.zip": taken}
    rows = collect([spread(tmp_path / "in", files)], None, course)
    assert {(row.student, row.status) for row in rows} == {
        ("Ada", "collected"),
        ("Bo", "collected"),
    }
    there = course / "submitted" / "Ada" / "a01" / "a01.ipynb"
    assert there.read_bytes() == NOTEBOOK


def test_own_files_that_look_like_an_lms_s_stay_the_students(course, tmp_path):
    files = {"a01.ipynb": NOTEBOOK, "run_1_2_log.csv": b"", "Ada - notes.txt": b""}
    (row,) = collect([spread(tmp_path / "Ada", files)], None, course)
    assert (row.status, row.reason) == ("collected", "")
    assert in_place(course) == submitted(*(f"Ada/a01/{name}" for name in files))


def test_of_several_attempts_the_newest_counts_and_the_others_are_named(
    course, tmp_path
):
    def attempt(day: int) -> str:
        return f"A8_byron_attempt_2026-01-{day}-10-30-00_a01.ipynb"

    files = {attempt(day): NOTEBOOK + b" " * day for day in (15, 17, 16)}
    (row,) = collect([spread(tmp_path / "in", files)], None, course)
    assert (row.student, row.status) == ("byron", "collected")
    said = "older attempts stay out: 2026-01-15 10:30, 2026-01-16 10:30"
    assert row.reason == said
    there = course / "submitted" / "byron" / "a01"
    assert (there / "a01.ipynb").read_bytes() == NOTEBOOK + b" " * 17
    assert (there / "timestamp.txt").read_text() == "2026-01-17 10:30:00 UTC"


@pytest.mark.parametrize(
    "names",
    [("Ada:B", "Ada\\B"), ("Zoe\u0308", "Zo\u00eb"), ("Ada.", "Ada"), ("a\n", "a\t")],
)
@pytest.mark.parametrize("apart", [False, True], ids=["one source", "two"])
def test_two_names_of_one_folder_never_overwrite_each_other(
    names, apart, course, tmp_path
):
    sources = [tmp_path / "one", tmp_path / "two"] if apart else [tmp_path / "one"] * 2
    for number, (source, name) in enumerate(zip(sources, names, strict=True)):
        spread(source, {f"{name}/a01.ipynb": NOTEBOOK + b" " * number})
        spread(source, {"Cy/a01.ipynb": NOTEBOOK})
    rows = collect(list(dict.fromkeys(sources)), None, course)
    alike = [row for row in rows if row.student != "Cy"]
    one_person = apart and names[0].startswith("Zoe")  # written in two ways
    assert {row.status == "refused" for row in alike} == {not one_person}
    if not one_person:
        assert all("would share the folder" in row.reason for row in alike)
        assert all(row.reason.isprintable() for row in alike)
        assert in_place(course) == submitted("Cy/a01/a01.ipynb")


@pytest.mark.parametrize(
    "names",
    [("Ada:B", "Ada\\B"), ("Ada_B", "Ada:B"), ("Ada.", "Ada"), ("a\n", "a\t")],
)
def test_a_later_collect_does_not_give_a_folder_to_another(names, course, tmp_path):
    rows = []
    for number, name in enumerate(names):
        mark = NOTEBOOK + b" " * number
        source = spread(tmp_path / str(number), {f"{name}/a01.ipynb": mark})
        spread(source, {"Cy/a01.ipynb": mark})
        rows += [row for row in collect([source], None, course) if row.student != "Cy"]
    assert [row.status for row in rows] == ["collected", "refused"]
    assert "already" in rows[1].reason
    assert rows[1].reason.isprintable()
    (there,) = (course / "submitted").glob("[Aa]*/a01/a01.ipynb")
    assert there.read_bytes() == NOTEBOOK


def test_two_spellings_of_a_letter_are_one_person_in_two_collects(course, tmp_path):
    for number, name in enumerate(("Zoe\u0308", "Zo\u00eb", "Zoe\u0308")):
        mark = NOTEBOOK + b" " * number
        (tmp_path / "in.zip").write_bytes(
            zipped({f"{name}/a01.ipynb": mark}, number + 9)
        )
        (row,) = collect([tmp_path / "in.zip"], None, course)
        assert row.status == "collected", row
    assert in_place(course) == submitted("Zo\u00eb/a01/a01.ipynb")


def test_a_namesake_of_another_download_is_told_by_the_number(course, tmp_path):
    def download(number: int) -> Path:
        name = f"Anna Berg_{number}_assignsubmission_file_"
        return spread(tmp_path / str(number), {f"{name}/a01.ipynb": NOTEBOOK})

    one, other = download(1), download(2)
    (row,) = collect([one], None, course)
    (again,) = collect([one], None, course)
    (refused,) = collect([other], None, course)
    assert (row.status, again.status) == ("collected", "unchanged")
    assert "came with the number 1 before, now with 2" in refused.reason


def test_a_name_that_the_roster_does_not_have_is_pointed_out(course, tmp_path):
    files = {f"{name}/a01.ipynb": NOTEBOOK for name in ("ada", "bbo")}
    inbox = spread(tmp_path / "in", files)
    before = collect([inbox], "a01", course)
    assert [row.reason for row in before] == ["", ""]  # there is no roster
    (tmp_path / "class.csv").write_text("id\nada\nbob\n")
    import_roster(tmp_path / "class.csv", course)
    ada, bbo = sorted(collect([inbox], "a01", course))
    assert (ada.status, ada.reason) == ("unchanged", "")
    assert (bbo.status, bbo.reason) == (
        "unchanged",
        "nobody on the roster has this name (course roster shows it)",
    )


def test_two_loose_zips_of_a_student_are_two_attempts(course, tmp_path):
    zips = {
        f"{name}.zip": zipped({"Ada/a01/a01.ipynb": NOTEBOOK + b" " * day}, day)
        for name, day in {"a01_Ada": 20, "a01_Ada (1)": 21, "mine": 19}.items()
    }
    (row,) = collect([spread(tmp_path / "in", zips)], None, course)
    assert (row.student, row.status) == ("Ada", "collected")
    said = "older attempts stay out: 2026-01-19 12:00, 2026-01-20 12:00"
    assert row.reason == said
    there = course / "submitted/Ada/a01/a01.ipynb"
    assert there.read_bytes() == NOTEBOOK + b" " * 21
    (tmp_path / "later.zip").write_bytes(zipped({"Ada/a01/a01.ipynb": NOTEBOOK}, 25))
    (row,) = collect([tmp_path / "later.zip"], None, course)
    assert row.reason == "replaces the attempt of 2026-01-21 12:00"


def test_loose_zips_that_name_two_people_of_one_folder_are_refused(course, tmp_path):
    names = "Ada:B", "Ada\u200eB", "Ada_B"
    zips = {
        f"{number}.zip": zipped({f"{name}/a01/a01.ipynb": NOTEBOOK})
        for number, name in enumerate(names)
    }
    rows = collect([spread(tmp_path / "in", zips)], None, course)
    assert [row.status for row in rows] == ["refused"] * 3
    assert in_place(course) == set()


@pytest.mark.parametrize("folder", ["Ada", "Ada_7_assignsubmission_file_"])
def test_no_zip_of_a_students_own_names_a_classmate(folder, course, tmp_path):
    taken = zipped({"Bo/a01/a01.ipynb": NOTEBOOK + b" "}, 20)
    other = folder.replace("Ada", "Bo").replace("7", "8")
    files = {f"{folder}/Ada.zip": taken, f"{other}/a01.ipynb": NOTEBOOK}
    rows = collect([spread(tmp_path / "in", files)], None, course)
    assert {row.student for row in rows} == {"Ada", "Bo"}
    assert (course / "submitted/Bo/a01/a01.ipynb").read_bytes() == NOTEBOOK


def test_two_files_of_one_name_are_both_there(course, tmp_path):
    names = "Ada - a01.ipynb", "Ada - a01 (1).ipynb"
    files = {name: NOTEBOOK + b" " * at for at, name in enumerate(names)}
    source = spread(tmp_path / "in", files | {"Bo - a01.ipynb": NOTEBOOK})
    os.utime(source / names[0], (9e8, 9e8))
    ada, _ = collect([source], None, course)
    assert ada.reason == "there too, and not graded: a01 (1).ipynb"  # the older one
    there = course / "submitted/Ada/a01"
    assert (there / "a01.ipynb").read_bytes() == NOTEBOOK + b" "
    assert (there / "a01 (1).ipynb").read_bytes() == NOTEBOOK


def test_a_file_and_a_folder_of_one_name_are_refused(course, tmp_path):
    name = "Ada_1_assignsubmission_{}_"
    files = {
        f"{name.format('file')}/x": b"",
        f"{name.format('onlinetext')}/x/y": b"",
        f"{name.format('file')}/a01.ipynb": NOTEBOOK,
        "Bo_2_assignsubmission_file_/timestamp.txt/x": b"",
        "Bo_2_assignsubmission_file_/a01.ipynb": NOTEBOOK,
    }
    rows = collect([spread(tmp_path / "in", files)], None, course)
    assert ["a file and a folder called" in row.reason for row in rows] == [True] * 2


def test_names_that_are_no_text_stay_two_names(course, tmp_path):
    for letter in (b"\xe4", b"\xf6"):
        folder = Path(os.fsdecode(os.fsencode(tmp_path / "in") + b"/Ad" + letter))
        spread(folder, {"a01.ipynb": NOTEBOOK + letter.hex().encode()})
    rows = collect([tmp_path / "in"], None, course)
    assert [row.status for row in rows] == ["collected"] * 2
    assert len(in_place(course)) == 4


@pytest.mark.parametrize("as_zip", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, as_zip, course, tmp_path):
    files, expected = LAYOUTS[layout]
    source = spread(tmp_path / "in", files)
    if as_zip:
        source = tmp_path / "in.zip"
        source.write_bytes(zipped(files))
    rows = collect([source], None, course)
    assert {row.status for row in rows} == {"collected"}, rows
    assert in_place(course) == submitted(*expected)


def test_a_students_own_zip_or_folder_is_named_after_them(course, tmp_path):
    (tmp_path / "Ada.zip").write_bytes(zipped({"a01/a01.ipynb": NOTEBOOK}))
    spread(tmp_path / "B. Bo", {"a01.ipynb": NOTEBOOK})
    collect([tmp_path / "Ada.zip", tmp_path / "B. Bo"], None, course)
    assert in_place(course) == submitted("Ada/a01/a01.ipynb", "B. Bo/a01/a01.ipynb")


def test_what_course_submit_makes_is_collected(course, tmp_path):
    mine = spread(tmp_path / "mine", {"a01.ipynb": NOTEBOOK, "record.json": b"{}"})
    os.utime(mine / "a01.ipynb", (1768478400, 1768478400))
    os.utime(mine / "record.json", (1768478400, 1768478400))
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    made = submit("a01", "Zoë [/] O'Brien", mine, inbox)
    for source in (made.path, inbox):
        collect([source], None, course)
        folder = course / "submitted" / "Zoë [_] O'Brien" / "a01"
        assert (folder / "record.json").read_bytes() == b"{}"
        assert (folder / "timestamp.txt").read_text() == "2026-01-15 12:00:00 UTC"
        assert (folder / "a01.ipynb").stat().st_mtime == 1768478400
        shutil.rmtree(course / "submitted")


def test_a_newer_submission_replaces_an_older_one_never_the_reverse(course, tmp_path):
    def hand_in(day: int, text: bytes):
        path = tmp_path / "Ada.zip"
        path.write_bytes(zipped({"a01.ipynb": NOTEBOOK, "notes.txt": text}, day))
        (row,) = collect([path], None, course)
        return row

    notes = course / "submitted" / "Ada" / "a01" / "notes.txt"
    assert hand_in(15, b"first").status == "collected"
    assert hand_in(15, b"first").status == "unchanged"
    assert hand_in(16, b"second").status == "collected"
    assert notes.read_bytes() == b"second"
    late = hand_in(15, b"first")
    assert (late.status, late.reason) == ("older", "a newer one is in place, and stays")
    assert notes.read_bytes() == b"second"
    assert [path.name for path in notes.parents[1].iterdir()] == ["a01"]


def test_a_timestamp_that_came_along_stays(course, tmp_path):
    stamp = b"2026-01-10 08:00:00 UTC"
    files = {"Ada/a01/a01.ipynb": NOTEBOOK, "Ada/a01/timestamp.txt": stamp}
    collect([spread(tmp_path / "in", files)], None, course)
    assert (course / "submitted/Ada/a01/timestamp.txt").read_bytes() == stamp
    later = zipped({"Ada/a01/a01.ipynb": NOTEBOOK + b" "}, 12)
    (tmp_path / "later.zip").write_bytes(later)
    (row,) = collect([tmp_path / "later.zip"], None, course)
    assert row.status == "collected"
    text = (course / "submitted/Ada/a01/timestamp.txt").read_text()
    assert datetime.fromisoformat(text[:19]) == datetime(2026, 1, 12, 12)


def test_a_failure_while_writing_leaves_the_old_one(course, tmp_path, monkeypatch):
    path = tmp_path / "Ada.zip"
    path.write_bytes(zipped({"a01.ipynb": NOTEBOOK}))
    collect([path], None, course)
    path.write_bytes(zipped({"a01.ipynb": NOTEBOOK, "b": b""}, 16))
    swap = os.replace

    def fails(source, target):
        if str(source).endswith(".part"):
            raise OSError("disk full")
        swap(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        collect([path], None, course)
    assert in_place(course) == submitted("Ada/a01/a01.ipynb")


def test_refused_ones_are_named_and_the_others_go_on(course, tmp_path):
    files = {
        "Ada/a01/a01.ipynb": NOTEBOOK,
        "Bad.zip": b"no zip",
        "Bomb.zip": zipped({f"{n}.bin": b"\0" * 2**20 for n in range(201)}),
        "Cy/report.pdf": b"",
        "Di/answers.ipynb": NOTEBOOK,
        "Up.zip": zipped({"../a01.ipynb": NOTEBOOK}),
    }
    source = spread(tmp_path / "in", files)
    (source / "Eve").symlink_to(course)
    (source / "Fay").mkdir()
    (source / "Fay" / "a01.ipynb").symlink_to(course / "assignments/a01/a01.ipynb")
    rows = {row.student: row for row in collect([source], None, course)}
    reasons = {
        "Bad": "the zip cannot be read",
        "Bomb": "201 MB, more than 200",
        "Cy": "there is no notebook, only report.pdf",
        "Di": "answers.ipynb does not say of which assignment it is",
        "Up": "a place outside itself",
        "Eve": "Eve is a link",
        "Fay": "a01.ipynb is a link",
    }
    assert set(rows) == {"Ada", *reasons}
    for student, reason in reasons.items():
        assert rows[student].status == "refused"
        assert reason in rows[student].reason
    assert in_place(course) == submitted("Ada/a01/a01.ipynb")


def test_an_assignment_said_is_the_assignment(course, tmp_path):
    files = {"Di/answers.ipynb": NOTEBOOK, "Ada/a02/a02.ipynb": NOTEBOOK}
    (row,) = collect([spread(tmp_path / "in", files)], "a01", course)
    assert (row.student, row.status) == ("Di", "collected")
    assert in_place(course) == submitted("Di/a01/answers.ipynb")


def test_two_people_of_one_name_are_told_apart_by_the_instructor(course, tmp_path):
    files = {
        "Anna Berg_1_assignsubmission_file_/a01.ipynb": NOTEBOOK,
        "Anna Berg_2_assignsubmission_file_/a01.ipynb": NOTEBOOK,
    }
    rows = collect([spread(tmp_path / "in", files)], None, course)
    assert [row.status for row in rows] == ["refused", "refused"]
    assert "2 people are called Anna Berg (numbers 1, 2)" in rows[0].reason
    assert in_place(course) == set()


def test_a_notebook_that_will_be_refused_is_collected_and_said(course, tmp_path):
    source = spread(
        tmp_path / "in", {"Ada/a01/a01.ipynb": b"", "Bo/a01/a01.ipynb": NOTEBOOK}
    )
    ada, bo = collect([source], None, course)
    assert (ada.status, bo.status, bo.reason) == ("collected", "collected", "")
    assert "a01.ipynb is empty" in ada.reason


def test_loose_files_beside_the_students_are_nobodys(course, tmp_path):
    files = {"Ada/a01/a01.ipynb": NOTEBOOK, "grades.csv": b"", "__MACOSX/x": b""}
    (row,) = collect([spread(tmp_path / "in", files)], None, course)
    assert row.student == "Ada"


def test_what_does_not_exist_is_said(course, tmp_path):
    with pytest.raises(CourseError, match="nowhere does not exist"):
        collect([tmp_path / "nowhere"], None, course)
    with pytest.raises(CourseError, match="called a99: a01, a02"):
        collect([tmp_path], "a99", course)


def test_the_command_prints_a_table(course, tmp_path, monkeypatch, capsys):
    files = {"Ada [/]/a01/a01.ipynb": NOTEBOOK, "Bad.zip": b"no zip"}
    source = spread(tmp_path / "in", files)
    words = ["collect", str(source), "--course", str(course)]
    monkeypatch.setattr(sys, "argv", ["course", *words])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        __main__.main()
    assert stop.value.code == 3  # some refused
    said = capsys.readouterr().out
    for text in ("Ada [", "collected", "refused", "cannot be read", "1 of 2 in place"):
        assert text in said


def handed_in(course: Path, student: str) -> str:
    return (course / "submitted" / student / "a01/timestamp.txt").read_text()


@pytest.mark.parametrize(
    ("due", "counts"),
    [
        ("2026-01-15 13:00", "2026-01-15 13:00:01 UTC"),  # the clock says on time
        ("2026-01-15 11:00", "2026-01-15 12:00:00 UTC"),  # the clock says late, too
        (None, "2026-01-15 12:00:00 UTC"),
    ],
)
def test_what_canvas_marks_late_is_late(due, counts, course, tmp_path):
    with Course.open(course).gradebook() as gradebook:
        gradebook.update_or_create_assignment("a01", duedate=due)
    files = {
        "byronada_LATE_12_345_a01.ipynb": NOTEBOOK,
        "bo_13_346_a01.ipynb": NOTEBOOK,
    }
    (tmp_path / "canvas.zip").write_bytes(zipped(files))
    ada, bo = sorted(collect([tmp_path / "canvas.zip"], None, course))[::-1]
    assert handed_in(course, "byronada") == counts
    assert handed_in(course, "bo") == "2026-01-15 12:00:00 UTC"
    assert ("marked LATE" in ada.reason) == (counts > "2026-01-15 12:30")
    assert "LATE" not in bo.reason
    again = collect([tmp_path / "canvas.zip"], None, course)
    assert {row.status for row in again} == {"unchanged"}


def test_the_clock_of_a_zip_is_in_the_zone_that_is_said(course, tmp_path):
    whole = tmp_path / "in.zip"
    whole.write_bytes(zipped({"Ada/a01.ipynb": NOTEBOOK}))
    collect([whole], None, course, "America/New_York")
    assert handed_in(course, "Ada") == "2026-01-15 17:00:00 UTC"
    name = "A1_bo_attempt_2026-07-15-10-30-00_a01.ipynb"  # summer: another offset
    source = spread(tmp_path / "board", {name: NOTEBOOK})
    collect([source], None, course, "Europe/Berlin")
    assert handed_in(course, "bo") == "2026-07-15 08:30:00 UTC"
    with pytest.raises(CourseError, match="no time zone is called 'Berlin'"):
        collect([whole], None, course, "Berlin")


def zip_of_a_program(folder: Path) -> bytes:
    program = shutil.which("zip") or pytest.skip("no program zip here")
    subprocess.run([program, "-q", "a.zip", "a01.ipynb"], cwd=folder, check=True)
    return (folder / "a.zip").read_bytes()


def zip_of_ours(folder: Path) -> bytes:
    path = folder / "a01.ipynb"
    times = {path.name: path.stat().st_mtime}
    return hand_in.zipped({path.name: path.read_bytes()}, times, "")


@pytest.mark.parametrize("made", [zip_of_a_program, zip_of_ours])
def test_a_zip_that_knows_the_second_needs_no_zone(made, course, tmp_path):
    folder = spread(tmp_path / "work", {"a01.ipynb": NOTEBOOK})
    os.utime(folder / "a01.ipynb", (1768478401, 1768478401))  # a zip's clock is even
    (tmp_path / "Ada.zip").write_bytes(made(folder))
    collect([tmp_path / "Ada.zip"], None, course, "America/New_York")
    assert handed_in(course, "Ada") == "2026-01-15 12:00:01 UTC"


@pytest.mark.parametrize("extra", [b"UT\0\0", b"UT\2\0\1a"], ids=["empty", "cut"])
def test_a_broken_time_beside_the_clock_costs_nobody_the_collection(
    extra, course, tmp_path
):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        entry = zipfile.ZipInfo("Ada/a01.ipynb", (2026, 1, 15, 12, 0, 0))
        entry.extra = extra
        archive.writestr(entry, NOTEBOOK)
    (tmp_path / "in.zip").write_bytes(whole.getvalue())
    (row,) = collect([tmp_path / "in.zip"], None, course)
    assert row.status == "collected"
    assert handed_in(course, "Ada") == "2026-01-15 12:00:00 UTC"
