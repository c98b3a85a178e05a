"""What a submission may not decide, and how one that cannot be graded is refused."""

from __future__ import annotations

import nbformat
import pytest

from course_lib.errors import CourseError
from course_lib.grading import course, execute, new_course, sample_class, sources
from course_lib.grading.cells import tampering
from course_lib.grading.one import check, plain, read

NAME = "a04_alexnet"


@pytest.fixture
def released() -> nbformat.NotebookNode:
    return execute.notebook(NAME, "assignments")


@pytest.fixture
def handed_in(released) -> nbformat.NotebookNode:
    return nbformat.from_dict(released)


def cell(notebook, name: str):
    return execute.named(notebook.cells)[name]


def test_an_honest_answer_is_no_tampering(handed_in, released):
    cell(handed_in, "lrn").source = "def local_response_norm(a): return a"
    cell(handed_in, "six_times_why").source = "Because."
    handed_in.cells.insert(3, nbformat.v4.new_code_cell("1 + 1"))
    cell(handed_in, "lrn_visible").source += "  \n"  # editors strip or add white space
    assert tampering(handed_in, released) == []


def test_each_kind_of_tampering_is_named_once(handed_in, released):
    for name in ("lrn_visible", "lrn_hidden", "colours_visible", "elu_visible"):
        cell(handed_in, name).source = "pass"
        cell(handed_in, name).metadata["tags"] = ["skip-execution"]
    cell(handed_in, "race_visible").metadata["nbgrader"]["points"] = "abc"
    cell(handed_in, "race_visible").metadata["nbgrader"]["solution"] = True
    handed_in.cells.remove(cell(handed_in, "setup"))
    handed_in.cells.insert(0, nbformat.from_dict(cell(handed_in, "price_visible")))
    names = "lrn_visible, lrn_hidden, colours_visible and 1 more"
    assert sorted(tampering(handed_in, released)) == sorted(
        [
            f"tagged skip-execution: {names}",
            f"locked but edited: {names}",
            "locked but removed: setup",
            "there twice: price_visible",
            "points set to 'abc': race_visible",
            "solution set to True: race_visible",
        ]
    )


def test_metadata_of_any_form_is_survived(handed_in, released):
    cell(handed_in, "lrn").metadata["nbgrader"] = ["no", "dictionary"]
    handed_in.cells[0].metadata["nbgrader"] = {"grade_id": 7}
    assert tampering(handed_in, released) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        ("é".encode("latin-1"), "is not UTF-8"),
        (b'{"cells": [\n<<<<<<< HEAD\n]}', "merge-conflict markers"),
        (b'{"nbformat": 99}', "format 99, not 4"),
        (b'{"cells": 3}', "is not a notebook"),
        (b"[1, 2]", "is not a notebook"),
        (b"def f(): pass", "is not a notebook"),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_reason(content, reason, tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    with pytest.raises(CourseError, match=reason):
        read(path)


def test_no_submission_no_course_no_assignment(tmp_path):
    with pytest.raises(CourseError, match=r"no nbgrader course.*nbgrader_config"):
        course.settings(tmp_path)
    folder = new_course(tmp_path / "course", [NAME])
    with pytest.raises(CourseError, match="a05_unknown"):
        sources.build("a05_unknown", folder)
    with pytest.raises(CourseError, match=f"run `course release {NAME}`"):
        sample_class(NAME, folder)
    with pytest.raises(CourseError, match="cannot read a name"):
        check(folder, NAME, "[x]")


def test_reasons_are_one_plain_line():
    assert plain("nbclient.exceptions.DeadKernelError: Kernel died").startswith(
        "its code"
    )
    assert plain("one\n  two\n") == "one two"
