"""Submissions as they come: what is graded, repaired, or refused and why."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import zipfile
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from zlib import crc32

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.utils import compute_checksum, determine_grade

from course_grader.assignment import bundle, release
from course_grader.intake import restore, unpack
from course_grader.intake.submission import Refused, read
from course_lib.hand_in import guide
from tests import execute
from tests.assignments import cases

OURS = cases.NAMES
NAME = "small"


def cell(source: str, name: str = "", kind: str = "code", **facts):
    """A cell of a release; facts: what nbgrader's metadata says of it beyond "no"."""
    made = {"code": new_code_cell, "markdown": new_markdown_cell}[kind](source)
    made.id = name or f"free-{crc32(source.encode())}"
    if name:
        no = {"grade": False, "solution": False, "locked": False, "task": False}
        facts = no | facts | {"grade_id": name, "cell_type": kind, "schema_version": 3}
        made.metadata["nbgrader"] = nbformat.from_dict(facts)
        made.metadata.nbgrader.checksum = compute_checksum(made)
    return made


def small() -> list:
    stub = "def {}(x):\n    raise NotImplementedError"
    locked, test = {"locked": True}, {"locked": True, "grade": True, "points": 2}
    return [
        cell("# Small", kind="markdown"),
        cell("import math", "setup", **locked),
        cell(stub.format("double"), "double", solution=True),
        cell("# Yours.", kind="code"),
        cell("assert double(2) == 4", "double_test", **test),
        cell("### Why? (1 point)", kind="markdown"),
        cell(
            "YOUR ANSWER HERE", "why", "markdown", solution=True, grade=True, points=1
        ),
        cell(stub.format("half"), "half", solution=True),
        cell("assert half(2) == 1", "half_test", **test),
    ]


def lesson(released: list, name: str = NAME) -> bundle.Lesson:
    """What the gradebook holds of a release: its tests have a hidden line more."""
    known = {
        c.metadata["nbgrader"].grade_id: c for c in released if "nbgrader" in c.metadata
    }
    known = deepcopy(known)
    for one in known.values():
        if one.metadata.nbgrader.grade and one.metadata.nbgrader.locked:
            one.source += "\n# hidden"
    notebook = new_notebook(cells=deepcopy(released))
    return bundle.Lesson(name, known, notebook, notebook)


@pytest.fixture(scope="module")
def assignment() -> bundle.Bundle:
    files = {"helpers.py": b"def same(a, b):\n    return a == b\n"}
    return bundle.Bundle(NAME, {NAME: lesson(small())}, files)


@pytest.fixture
def answered() -> dict:
    """A good submission, as JSON."""
    cells = small()
    cells[2].source = "def double(x):\n    return 2 * x"
    cells[3].source = "double(3)"
    cells[6].source = "Because."
    cells[7].source = "def half(x):\n    return x / 2"
    raw = json.loads(nbformat.writes(new_notebook(cells=cells)))
    for one in raw["cells"]:
        one["source"] = "".join(one["source"])
    return raw


def named(notebook) -> dict:
    return {
        c.metadata.nbgrader.grade_id: c
        for c in notebook.cells
        if "nbgrader" in c.metadata
    }


def graded(raw: dict | bytes, assignment, folder: Path, name: str = f"{NAME}.ipynb"):
    """Hand in one notebook and read it; check what holds of all that is not refused."""
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    (folder / name).write_bytes(data)
    found = read(folder, assignment, "Ada")
    for notebook in found.notebooks.values():
        in_order(notebook, assignment.lessons[NAME])
    return found


def in_order(notebook, whole: bundle.Lesson) -> None:
    """Locked cells once and in order; metadata the release's; ids unique; valid."""
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert len({c.id for c in notebook.cells}) == len(notebook.cells)
    nbformat.validate(notebook)
    found = [c for c in notebook.cells if "nbgrader" in c.metadata]
    ids = [c.metadata.nbgrader.grade_id for c in found]
    assert sorted(ids) == sorted(whole.cells)
    locked = [name for name in ids if whole.cells[name].metadata.nbgrader.locked]
    order = [restore.grade_id(c) for c in whole.released.cells]
    assert locked == [name for name in order if name in locked]
    for one in found:
        true = whole.cells[one.metadata.nbgrader.grade_id]
        mine, theirs = dict(one.metadata.nbgrader), dict(true.metadata.nbgrader)
        if true.metadata.nbgrader.locked:
            assert one.source == true.source
        else:  # nbgrader tells an empty answer by the checksum of what students got
            del mine["checksum"], theirs["checksum"]
        assert mine == theirs
        assert one.cell_type == true.cell_type
    for one in notebook.cells:
        assert one.get("outputs", []) == []
        if "nbgrader" not in one.metadata:
            assert one.metadata == {}


def stripped(raw: dict) -> dict:
    """The notebook as an editor saves it that keeps no metadata."""
    for one in raw["cells"]:
        one["metadata"] = {}
    return raw


# --- what passes as it is


def test_an_honest_submission_comes_through_unchanged(answered, assignment, tmp_path):
    answered["cells"].insert(3, {"cell_type": "code", "source": ["x = 1\n", "x"]})
    found = graded(answered, assignment, tmp_path)
    assert found.notes == ()
    assert found.student == "Ada"
    sources = [c.source for c in found.notebooks[NAME].cells]
    for one in answered["cells"]:
        if "assert" not in "".join(one["source"]):
            assert "".join(one["source"]) in sources
    assert sources.index("x = 1\nx") == 3
    assert named(found.notebooks[NAME])["double"].metadata.nbgrader.solution


def test_a_working_copy_s_own_words_and_last_cell_are_no_tampering(
    answered, assignment, tmp_path
):
    path = tmp_path / f"{NAME}.ipynb"
    path.write_text(json.dumps(answered))
    guide.add(path, tmp_path)
    found = graded(path.read_bytes(), assignment, tmp_path)
    assert found.notes == ()
    assert "course submit small" in found.notebooks[NAME].cells[0].source


def test_outputs_tags_and_foreign_metadata_go(answered, assignment, tmp_path):
    answered["cells"][2] |= {
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "<script>"}],
        "execution_count": 3,
    }
    answered["cells"][2]["metadata"] |= {"tags": ["raises-exception"], "vscode": {}}
    graded(answered, assignment, tmp_path)  # in_order looks


@pytest.mark.parametrize("student", ["Zoë O'Brien [学生] +1", ".ada", "a'b\"c", "*?["])
def test_names_of_all_kinds(student, answered, assignment, tmp_path):
    (tmp_path / f"{NAME}.ipynb").write_text(json.dumps(answered))
    assert read(tmp_path, assignment, student).student == student


@pytest.mark.parametrize("student", ["", "..", "../bo", "a/b", "a\\b", "a\0", " "])
def test_names_that_leave_the_folder_are_refused(student, assignment, tmp_path):
    with pytest.raises(Refused, match="nobody can be called"):
        read(tmp_path, assignment, student)


# --- text, JSON, format


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8-sig", ("repaired: small.ipynb began with a byte-order mark",)),
        ("utf-16", ("repaired: small.ipynb was UTF-16, not UTF-8",)),
        ("utf-16-le", ("repaired: small.ipynb was UTF-16-LE, not UTF-8",)),
        ("utf-32", ("repaired: small.ipynb was UTF-32, not UTF-8",)),
        ("utf-8", ()),
    ],
)
def test_encodings_are_read_by_their_marks(
    encoding, note, answered, assignment, tmp_path
):
    answered["cells"][6]["source"] = "Weil Größe zählt."
    data = json.dumps(answered, ensure_ascii=False).encode(encoding)
    found = graded(data, assignment, tmp_path)
    assert found.notes == note
    assert named(found.notebooks[NAME])["why"].source == "Weil Größe zählt."


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "small.ipynb is empty"),
        (b" \n", "small.ipynb is empty"),
        ("{é}".encode("latin-1"), r"is not UTF-8 text \(at byte 1\)"),
        (b'{"cells": [', "is not a notebook, or only a part of one"),
        (b"def f(): pass", "is not a notebook"),
        (b"[1, 2]", "is not a notebook"),
        (b'{"cells": []}', "is not a notebook"),
        (b'{"nbformat": 99, "cells": []}', "is of notebook format 99, not 4"),
        (b'{"nbformat": [4], "cells": []}', r"is of notebook format \[4\], not 4"),
        (b'{"nbformat": 4, "cells": {}}', "has no list of cells"),
        (b'{"nbformat": 3, "worksheets": {}}', "has no list of cells"),
        (b"[" * 100_000, "is nested deeper than any notebook"),
        (b'{"nbformat": ' + b"9" * 5_000 + b"}", "is not a notebook"),
        (b'{"a": [' + b"1," * 2_100_000, "holds more than 2000000 values"),
        (b'{"nbformat": 4, "cells": [' + b"{}," * 99_999 + b"{}]}", "100000 cells"),
    ],
    ids=lambda value: str(value[:30]),
)
def test_what_is_no_notebook_is_refused_in_a_sentence(
    data, reason, assignment, tmp_path
):
    with pytest.raises(Refused, match=reason) as refused:
        graded(data, assignment, tmp_path)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_stored_output_of_100_mb_goes(answered, assignment, tmp_path):
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 10**8}
    answered["cells"][2]["outputs"] = [output]
    graded(answered, assignment, tmp_path)
    answered["cells"][3]["outputs"] = [output]
    with pytest.raises(Refused, match="more than 100: clear its outputs"):
        graded(answered, assignment, tmp_path)


def test_format_3_is_graded(answered, assignment, tmp_path):
    cells = answered["cells"]
    for one in cells:
        if one["cell_type"] == "code":
            one["input"] = one.pop("source")
    cells[5] = {"cell_type": "heading", "level": 3, "source": "Why? (1 point)"}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}}
    found = graded(old | {"worksheets": [{"cells": cells}]}, assignment, tmp_path)
    assert found.notes == ("repaired: small.ipynb was of notebook format 3",)
    notebook = found.notebooks[NAME]
    assert named(notebook)["double"].source == "def double(x):\n    return 2 * x"
    assert notebook.cells[5].source == "### Why? (1 point)"


def test_format_4_0_without_ids_is_graded(answered, assignment, tmp_path):
    answered["nbformat_minor"] = 0
    for one in answered["cells"]:
        del one["id"]
    assert graded(answered, assignment, tmp_path).notes == ()


def test_cell_ids_that_are_there_twice_or_no_ids(answered, assignment, tmp_path):
    for one, id in zip(
        answered["cells"], ["same", "same", 7, "ä", "", None], strict=False
    ):
        one["id"] = id
    found = graded(answered, assignment, tmp_path)
    assert found.notes == ("repaired: small.ipynb had cells with the same id",)


GARBAGE = [
    None,
    7,
    "text",
    [],
    ["text", 7, None],
    {},
    {"a": {"b": [None]}},
    True,
    1e999,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize(
    "key", ["cell_type", "metadata", "source", "outputs", "id", "attachments", None]
)
def test_garbage_anywhere_in_a_cell(key, garbage, answered, assignment, tmp_path):
    for place in (1, 2, 4, 6):
        if key is None:
            answered["cells"][place] = garbage
        else:
            answered["cells"][place][key] = garbage
    graded(answered, assignment, tmp_path)


@pytest.mark.parametrize("garbage", GARBAGE, ids=str)
@pytest.mark.parametrize(
    "key", [None, "grade_id", "points", "checksum", "schema_version"]
)
def test_garbage_in_nbgraders_metadata(key, garbage, answered, assignment, tmp_path):
    for place in (1, 2, 4, 6):
        metadata = answered["cells"][place]["metadata"]
        if key is None:
            metadata["nbgrader"] = garbage
        else:
            metadata["nbgrader"][key] = garbage
    found = graded(answered, assignment, tmp_path)
    answers = named(found.notebooks[NAME])
    assert answers["double"].source == "def double(x):\n    return 2 * x"
    assert answers["why"].source == "Because."


def test_half_a_character_does_not_stop_the_grader(answered, assignment, tmp_path):
    answered["cells"][3]["source"] = "print('\ud800')"
    found = graded(answered, assignment, tmp_path)
    assert found.notebooks[NAME].cells[3].source == "print('?')"


def test_pictures_in_an_answer_stay_and_other_attachments_go(
    answered, assignment, tmp_path
):
    html = {"text/html": "<script>", "image/svg+xml": "<svg/>"}
    answered["cells"][6]["attachments"] = {"a.png": {"image/png": "iVBO"}, "b": html}
    found = graded(answered, assignment, tmp_path)
    why = named(found.notebooks[NAME])["why"]
    assert why.attachments == {"a.png": {"image/png": "iVBO"}}


# --- merge conflicts


def conflict(text: str, old: str, ours: str, theirs: str, base: str = "") -> bytes:
    assert text.count(old) == 1
    sides = f"<<<<<<< HEAD\n{ours}\n{base}=======\n{theirs}\n>>>>>>> other\n"
    return text.replace(old, sides).encode()


@pytest.mark.parametrize("base", ["", '||||||| base\n"execution_count": null,\n'])
def test_conflicts_outside_the_code_are_settled(base, answered, assignment, tmp_path):
    text = json.dumps(answered, indent=1)
    old = text[text.index('   "execution_count"') :].split("\n")[0] + "\n"
    text = text.replace(old, "COUNT\n", 1)
    sides = '"execution_count": 3,', '"execution_count": 4,'
    found = graded(conflict(text, "COUNT\n", *sides, base), assignment, tmp_path)
    assert found.notes == (
        "repaired: small.ipynb held merge conflicts, none of them in its code",
    )


def test_a_side_that_is_blank_loses_nothing(answered, assignment, tmp_path):
    text = json.dumps(answered, indent=1)
    found = graded(
        conflict(text, ' "cells": [', ' "cells": [', ""), assignment, tmp_path
    )
    assert named(found.notebooks[NAME])["why"].source == "Because."


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("    return 2 * x", "    return x + x"),
        ("    return 2 * x", '    return x + x"'),  # theirs breaks the file
    ],
)
def test_conflicts_in_the_code_are_refused(
    ours, theirs, answered, assignment, tmp_path
):
    text = json.dumps(answered, indent=1)
    line = "def double(x):\\n    return 2 * x"
    line = next(one for one in text.split("\n") if "return 2 * x" in one)
    data = conflict(text, line, line, line.replace(ours, theirs))
    with pytest.raises(Refused, match="two versions of your answers"):
        graded(data, assignment, tmp_path)


def test_markers_that_do_not_pair_are_refused(answered, assignment, tmp_path):
    text = json.dumps(answered, indent=1).replace(' "cells"', '<<<<<<< a\n "cells"')
    with pytest.raises(Refused, match="merge-conflict markers"):
        graded(text.encode(), assignment, tmp_path)


# --- tampering


def graded_cells(raw: dict) -> list[dict]:
    return [
        one
        for one in raw["cells"]
        if one["metadata"].get("nbgrader", {}).get("points") == 2
    ]


def test_each_kind_of_tampering_is_named(answered, assignment, tmp_path):
    first, second = graded_cells(answered)
    first["source"] = "pass"
    first["metadata"]["tags"] = ["skip-execution"]
    first["metadata"]["nbgrader"]["points"] = 100
    second["metadata"]["nbgrader"] |= {"solution": True, "locked": False}
    answered["cells"].insert(0, deepcopy(second))
    del answered["cells"][2]  # setup
    found = graded(answered, assignment, tmp_path)
    assert sorted(found.notes) == [
        "repaired: small.ipynb had cells with the same id",
        "tampered: grade ids there twice: half_test",
        "tampered: locked but edited: double_test",
        "tampered: locked but removed: setup",
        "tampered: locked set to False: half_test, half_test",
        "tampered: points set to 100: double_test",
        "tampered: solution set to True: half_test, half_test",
        "tampered: tagged skip-execution: double_test",
    ]


def test_swapped_grade_ids_are_named_and_swapped_back(answered, assignment, tmp_path):
    first, second = (one["metadata"]["nbgrader"] for one in graded_cells(answered))
    first["grade_id"], second["grade_id"] = second["grade_id"], first["grade_id"]
    notes = graded(answered, assignment, tmp_path).notes
    assert "tampered: grade ids swapped: half_test, double_test" in notes


def test_removed_tests_come_back_after_the_students_own_cells(
    answered, assignment, tmp_path
):
    """The answer was split in two: the test must come after the second half."""
    cells = answered["cells"]
    del cells[4]
    cells[2]["source"] = "def twice(x):\n    return x + x"
    cells.insert(
        3, {"cell_type": "code", "source": "def double(x):\n    return twice(x)"}
    )
    notebook = graded(answered, assignment, tmp_path).notebooks[NAME]
    sources = [c.source for c in notebook.cells]
    half = sources.index("def double(x):\n    return twice(x)")
    assert half < sources.index("assert double(2) == 4\n# hidden")
    assert sources.index("assert double(2) == 4\n# hidden") < sources.index("Because.")


def test_moved_tests_go_back(answered, assignment, tmp_path):
    answered["cells"].insert(0, answered["cells"].pop())
    notes = graded(answered, assignment, tmp_path).notes
    assert notes == ("repaired: locked cells put back in order: half_test",)


def test_of_two_copies_of_an_answer_the_last_counts(answered, assignment, tmp_path):
    second = deepcopy(answered["cells"][2])
    second["source"] = "def double(x):\n    return x + x"
    answered["cells"].insert(3, second)
    notebook = graded(answered, assignment, tmp_path).notebooks[NAME]
    assert named(notebook)["double"].source == second["source"]
    assert answered["cells"][2]["source"] in [c.source for c in notebook.cells]


def test_a_deleted_answer_comes_back_as_released(answered, assignment, tmp_path):
    del answered["cells"][7]
    found = graded(answered, assignment, tmp_path)
    assert found.notes == ("repaired: answers missing, put back empty: half",)
    assert "NotImplementedError" in named(found.notebooks[NAME])["half"].source


def test_an_unanswered_question_is_known_by_its_checksum(answered, tmp_path):
    """The gradebook's cell holds a marking scheme, which students do not get."""
    whole = lesson(small())
    whole.cells["why"].source = "### BEGIN MARK SCHEME"
    whole.cells["why"].metadata.nbgrader.checksum = "of the marking scheme"
    answered["cells"][6]["source"] = "YOUR ANSWER HERE"
    found = graded(answered, bundle.Bundle(NAME, {NAME: whole}, {}), tmp_path)
    assert determine_grade(named(found.notebooks[NAME])["why"]) == (0, 1)


def test_a_stub_never_overrides_an_answer_given_elsewhere(
    answered, assignment, tmp_path
):
    """Both answers in one cell: `half` must not be put back to raise after it."""
    both = answered["cells"][2]["source"] + "\n\n" + answered["cells"][7]["source"]
    answered["cells"][2]["source"] = both
    del answered["cells"][7]
    notebook = graded(answered, assignment, tmp_path).notebooks[NAME]
    assert named(notebook)["double"].source == both
    assert named(notebook)["half"].source == ""


def test_an_answer_whose_type_was_changed_is_code_again(answered, assignment, tmp_path):
    answered["cells"][2]["cell_type"] = "markdown"
    found = graded(answered, assignment, tmp_path)
    assert found.notes == ("repaired: answers given the release's cell type: double",)


# --- metadata that an editor stripped


def test_stripped_metadata_is_recovered(answered, assignment, tmp_path):
    before = named(graded(answered, assignment, tmp_path).notebooks[NAME])
    found = graded(stripped(answered), assignment, tmp_path)
    after = named(found.notebooks[NAME])
    assert {name: c.source for name, c in after.items()} == {
        name: c.source for name, c in before.items()
    }
    assert found.notes == ("repaired: nbgrader's metadata of 6 cells recovered",)


def test_stripped_and_reformatted_locked_cells_are_recognised(
    answered, assignment, tmp_path
):
    for one in stripped(answered)["cells"]:
        if "assert" in "".join(one["source"]):
            one["source"] = "  " + "".join(one["source"]).replace(" == ", "==") + "\n\n"
    notes = graded(answered, assignment, tmp_path).notes
    assert notes == ("repaired: nbgrader's metadata of 6 cells recovered",)


def test_stripped_copies_the_last_of_each_counts(answered, assignment, tmp_path):
    cells = stripped(answered)["cells"]
    again = cells[2] | {"id": "again", "source": "def double(x):\n    return x + x"}
    cells[4:5] = [again, cells[4], cells[4] | {"id": "copy"}]
    found = graded(answered, assignment, tmp_path)
    assert named(found.notebooks[NAME])["double"].source == again["source"]
    assert found.notes == ("repaired: nbgrader's metadata of 6 cells recovered",)


def test_stripped_answer_in_pieces_is_the_longest_piece(answered, assignment, tmp_path):
    long = {"cell_type": "markdown", "source": "Because of the many, many reasons."}
    stripped(answered)["cells"].insert(7, long)
    found = graded(answered, assignment, tmp_path)
    assert named(found.notebooks[NAME])["why"].source == long["source"]
    assert "Because." in [c.source for c in found.notebooks[NAME].cells]


def test_stripped_answers_that_cannot_be_told_apart_are_said(answered, tmp_path):
    """Two answers side by side, three texts: a person must look."""
    cells = small()
    manual = {"solution": True, "grade": True, "points": 1}
    cells.insert(7, cell("YOUR ANSWER HERE", "why_not", "markdown", **manual))
    two = bundle.Bundle(NAME, {NAME: lesson(cells)}, {})
    stripped(answered)
    for text in ("Firstly.", "Secondly."):
        answered["cells"].insert(7, {"cell_type": "markdown", "source": text})
    found = graded(answered, two, tmp_path)
    assert "repaired: answers not told apart, read all: why, why_not" in found.notes


# --- which notebook


@pytest.mark.parametrize(
    "name", ["small (1).ipynb", "Zoë_small-final.ipynb", "SMALL.IPYNB"]
)
def test_a_renamed_notebook_is_found(name, answered, assignment, tmp_path):
    found = graded(answered, assignment, tmp_path, name)
    assert named(found.notebooks[NAME])["why"].source == "Because."


def test_the_exact_name_wins_and_the_other_is_noted(answered, assignment, tmp_path):
    (tmp_path / "small-old.ipynb").write_text("no notebook at all")
    found = graded(answered, assignment, tmp_path)
    assert found.notes == ("repaired: small.ipynb is graded, not small-old.ipynb",)


def test_of_two_renamed_ones_that_which_has_the_cells(answered, assignment, tmp_path):
    (tmp_path / "b.ipynb").write_text(nbformat.writes(new_notebook()))
    found = graded(answered, assignment, tmp_path, "a.ipynb")
    assert "repaired: a.ipynb was taken for small.ipynb" in found.notes
    shutil.copy(tmp_path / "a.ipynb", tmp_path / "c.ipynb")
    with pytest.raises(Refused, match=r"there are 2 notebooks \(a.ipynb, c.ipynb\)"):
        read(tmp_path, assignment, "Ada")


def test_no_notebook(assignment, tmp_path):
    (tmp_path / "helpers.py").write_text("")
    with pytest.raises(Refused, match=r"no small.ipynb .* only helpers.py"):
        read(tmp_path, assignment, "Ada")


def test_a_missing_notebook_of_several_counts_as_unanswered(
    answered, assignment, tmp_path
):
    two = assignment.lessons | {"more": lesson(small(), "more")}
    (tmp_path / "small.ipynb").write_text(json.dumps(answered))
    found = read(tmp_path, bundle.Bundle(NAME, two, {}), "Ada")
    assert found.notes == (
        "repaired: there is no more.ipynb, so it counts as unanswered",
    )
    in_order(found.notebooks["more"], two["more"])


# --- folders


def test_links_are_not_followed(answered, assignment, tmp_path):
    secret, folder = tmp_path / "secret.txt", tmp_path / "handed_in"
    secret.write_text("model solution")
    folder.mkdir()
    (folder / "data").symlink_to(tmp_path)
    (folder / "notes.txt").symlink_to(secret)
    os.mkfifo(folder / "pipe")
    found = graded(answered, assignment, folder)
    assert found.files == {}
    assert set(found.notes) == {
        "tampered: data is a link, and was left out",
        "tampered: notes.txt is a link, and was left out",
        "tampered: pipe is no regular file, and was left out",
    }
    (folder / "small.ipynb").unlink()
    (folder / "small.ipynb").symlink_to(secret)
    with pytest.raises(
        Refused, match=r"small.ipynb is a link: hand in the file itself"
    ):
        read(folder, assignment, "Ada")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(Refused, match="link is a link"):
        read(tmp_path / "link", assignment, "Ada")


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("model solution")
    folder = tmp_path / "handed_in"
    folder.mkdir()
    (folder / "a.txt").write_text("aaaaaaaaaaaaaa")
    found = unpack.listing(folder)
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(tmp_path / "secret")
    assert unpack.contents(found) == ({}, {"a.txt": "cannot be read"})


def test_hard_links_are_noted(answered, assignment, tmp_path):
    folder = tmp_path / "handed_in"
    folder.mkdir()
    (tmp_path / "a.txt").write_text("a")
    os.link(tmp_path / "a.txt", folder / "a.txt")
    notes = graded(answered, assignment, folder).notes
    assert notes == ("tampered: a.txt has a second place on the disk",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_unreadable_files_are_left_out(answered, assignment, tmp_path):
    (tmp_path / "a.txt").touch(mode=0)
    notes = graded(answered, assignment, tmp_path).notes
    assert notes == ("repaired: a.txt cannot be read, and was left out",)


def test_too_much_is_refused_unread(answered, assignment, tmp_path):
    with open(tmp_path / "huge.bin", "wb") as file:
        file.truncate(2**40)  # sparse
    with pytest.raises(Refused, match="1048576 MB, more than 200: leave out data sets"):
        graded(answered, assignment, tmp_path)
    (tmp_path / "huge.bin").unlink()
    for n in range(2_001):
        (tmp_path / f"{n}.txt").touch()
    with pytest.raises(Refused, match="more than 2000 files"):
        graded(answered, assignment, tmp_path)


def test_files_that_stand_in_for_others_are_named(answered, assignment, tmp_path):
    own = ["torch.py", "helpers/__init__.py", "sitecustomize.py", "x.pth", "mine.py"]
    for name in (*own, "helpers.py", ".ipython/startup.py", "__pycache__/a.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("same = None")
    found = graded(answered, assignment, tmp_path)
    assert set(found.files) == {"torch.py", "mine.py"}
    assert found.notes == (
        "tampered: helpers.py edited, the released one is used",
        "tampered: helpers/__init__.py was left out",
        "tampered: sitecustomize.py was left out",
        "tampered: x.pth was left out",
        "tampered: own files hide the module torch",
    )


@pytest.mark.parametrize(
    ("text", "changed", "note"),
    [
        ("2026-01-15 12:00:00 UTC", "2026-01-15T11:00", ""),
        ("2026-01-15 12:00:00 UTC", "2026-01-16T11:00", ""),  # zips know no zone
        (
            "2026-01-15 12:00:00 UTC",
            "2026-01-20T11:00",
            "the notebook changed at 2026-01",
        ),
        ("2000-01-01 00:00:00 UTC", "2026-01-15T11:00", "long before this course"),
        ("yesterday, honestly", "2026-01-15T11:00", "holds no time"),
        ("", "2026-01-15T11:00", "holds no time"),
    ],
)
def test_timestamps(text, changed, note, answered, assignment, tmp_path):
    graded(answered, assignment, tmp_path)
    (tmp_path / "timestamp.txt").write_text(text)
    moment = datetime.fromisoformat(f"{changed}:00+00:00").timestamp()
    os.utime(tmp_path / "small.ipynb", (moment, moment))
    found = read(tmp_path, assignment, "Ada")
    assert (found.timestamp is None) == (note == "holds no time")
    assert note in " ".join(found.notes)
    assert bool(found.notes) == bool(note)


def test_files_written_at_the_moment_of_copying_say_nothing(
    answered, assignment, tmp_path
):
    (tmp_path / "timestamp.txt").write_text("2020-01-15 12:00:00 UTC")
    assert graded(answered, assignment, tmp_path).notes == ()


# --- zips


def zipped(files: dict[str, bytes], **facts) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, (2026, 1, 15, 12, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            for key, value in facts.items():
                setattr(member, key, value)
            archive.writestr(member, data)
    return whole.getvalue()


def test_a_zip_from_an_lms(answered, assignment, tmp_path):
    data = json.dumps(answered).encode()
    files = {
        "handed in/small/small.ipynb": data,
        "handed in/small/record.json": b"{}",
        "handed in/small/.ipynb_checkpoints/small-checkpoint.ipynb": b"old",
        "__MACOSX/handed in/small/._small.ipynb": b"\0",
        "handed in/small/.DS_Store": b"\0",
    }
    (tmp_path / "a.zip").write_bytes(zipped(files))
    nested = zipped({"a.zip": zipped(files)})
    windows = zipped({name.replace("/", "\\"): data for name, data in files.items()})
    for source in (zipped(files), tmp_path / "a.zip", tmp_path, nested, windows):
        found = read(source, assignment, "Ada")
        assert found.notes == ()
        assert found.files == {"record.json": b"{}"}
        assert named(found.notebooks[NAME])["why"].source == "Because."


def test_names_in_a_zip_from_macos(answered, assignment):
    """It writes UTF-8 and does not say so."""
    data = zipped({"Größe/small.ipynb": json.dumps(answered).encode()})
    data = bytearray(data)
    for sign, offset in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        data[data.index(sign) + offset] &= ~0x08
    found = unpack.listing(bytes(data))
    assert [entry.name for entry in found.entries] == ["Größe/small.ipynb"]


def locked_zip() -> bytes:
    """A zip whose member says that it is encrypted."""
    data = bytearray(zipped({"small.ipynb": b"{}"}))
    for sign, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(sign) + offset] |= 1
    return bytes(data)


def lying_zip() -> bytes:
    """A zip that unpacks to more than it says."""
    data = bytearray(zipped({"small.ipynb": b"0" * 100_000}))
    for sign, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place = data.index(sign) + offset
        data[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(data)


BOMB = {f"{n}.bin": b"\0" * 2**20 for n in range(201)}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no zip", "the zip cannot be read"),
        (zipped({"small.ipynb": b"{}" * 50})[:-30], "the zip cannot be read"),
        (zipped({"../small.ipynb": b"{}"}), "a place outside itself"),
        (zipped({"a/../../small.ipynb": b"{}"}), "a place outside itself"),
        (zipped({"/etc/small.ipynb": b"{}"}), "a place outside itself"),
        (zipped({"C:\\small.ipynb": b"{}"}), "a place outside itself"),
        (zipped({"..\\small.ipynb": b"{}"}), "a place outside itself"),
        (zipped({"a": b"", "a/small.ipynb": b""}), "a file and a folder called a"),
        (zipped(BOMB), "201 MB, more than 200"),
        (zipped({f"{n}.txt": b"" for n in range(2_001)}), "more than 2000 files"),
        (zipped({f".{n}": b"" for n in range(20_001)}), "more than 2000 files"),
        (locked_zip(), "the zip has a password"),
        (lying_zip(), "the zip is damaged"),
        (
            zipped({"small.ipynb": b"/etc/passwd"}, external_attr=0o120777 << 16),
            "a link",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_zips_that_are_refused(data, reason, assignment):
    with pytest.raises(Refused, match=reason):
        read(data, assignment, "Ada")


def test_a_small_change_changes_the_digest(answered, assignment, tmp_path):
    one = graded(answered, assignment, tmp_path).digest
    assert graded(answered, assignment, tmp_path).digest == one
    answered["cells"][3]["source"] = "double(4)"
    assert graded(answered, assignment, tmp_path).digest != one


# --- our own assignments


def ours(name: str) -> bundle.Lesson:
    """A lesson without a gradebook: locked cells from the solution, as it has them."""
    released = nbformat.reads(execute.released(name).decode(), 4)
    solution = execute.notebook(name)
    mine = {restore.grade_id(c): deepcopy(c) for c in released.cells}
    mine.pop(None)
    for one in solution.cells:
        if (at := restore.grade_id(one)) and mine[at].metadata.nbgrader.locked:
            mine[at] = deepcopy(one)
    return bundle.Lesson(name, mine, released, solution)


@pytest.mark.parametrize("name", OURS)
def test_whatever_is_done_to_the_cells_the_release_comes_back(name):
    whole = ours(name)
    for seed in range(12):
        rng = random.Random(seed)
        cells = [deepcopy(c) for c in whole.released.cells if rng.random() < 0.8]
        cells += [deepcopy(c) for c in rng.choices(whole.released.cells, k=5)]
        if seed % 2:
            rng.shuffle(cells)
        for one in rng.sample(cells, k=len(cells) // 3):
            one.metadata.pop("nbgrader", None)
        handed_in = new_notebook()
        handed_in.cells = cells
        found, _ = restore.restore(handed_in, whole)
        in_order(found, whole)


@pytest.mark.parametrize("name", OURS)
def test_the_model_solution_survives_an_editor_that_strips_metadata(name):
    """All answers are recovered, by the names they define or by their place."""
    whole = ours(name)
    answers = {restore.grade_id(c): c.source for c in whole.solution.cells}
    cells = deepcopy(whole.released.cells)
    for one in cells:
        one.source = answers.get(restore.grade_id(one) or "none", one.source)
        one.metadata = nbformat.from_dict({})
    for one, shown in zip(cells, whole.released.cells, strict=True):
        facts = shown.metadata.get("nbgrader")
        if facts and facts.locked:
            one.source = shown.source  # students never see what is hidden
    found, notes = restore.restore(new_notebook(cells=cells), whole)
    in_order(found, whole)
    assert notes == [
        f"repaired: nbgrader's metadata of {len(whole.cells)} cells recovered"
    ]
    for one in found.cells:
        if "nbgrader" in one.metadata and one.metadata.nbgrader.solution:
            assert one.source == answers[one.metadata.nbgrader.grade_id]


# --- a whole course


@pytest.mark.slow
def test_bundles_of_a_real_gradebook(tmp_path):
    """The gradebook of a released assignment restores what the quick tests assume."""
    course = release.new_course(tmp_path, ["a04_alexnet"])
    release.release(["a04_alexnet"], course)
    real = bundle.load("a04_alexnet", course)
    found = read(course / "assignments" / "a04_alexnet", real, "Ada")
    assert found.notes == ()
    in_order(found.notebooks["a04_alexnet"], real.lessons["a04_alexnet"])
    assert "HIDDEN TESTS" in named(found.notebooks["a04_alexnet"])["lrn_hidden"].source


REFUSED = {"nbformat99", "zero_byte", "not_utf8", "no_notebook"}
NOTED = {
    "skip_tag": "tampered: tagged skip-execution",
    "points_100": "tampered: points set to 100",
    "points_text": "tampered: points set to 'abc'",
    "test_to_solution": "tampered: solution set to True",
    "delete_locked": "tampered: locked but removed",
    "duplicate_ids": "tampered: grade ids there twice",
    "swap_ids": "tampered: grade ids swapped",
    "shadow_helpers": "tampered: helpers/__init__.py was left out",
    "shadow_torch": "tampered: own files hide the module torch",
    "forged_timestamp": "tampered: timestamp.txt says 2000",
    "conflict_markers": "repaired: convblock.ipynb held merge conflicts",
    "duplicate_cell_ids": "repaired: convblock.ipynb had cells with the same id",
}


@pytest.mark.slow
def test_hostile_cases_are_read_or_refused_as_they_deserve(tmp_path):
    hostile = Path(__file__).with_name("hostile")
    shutil.copytree(
        hostile / "course", tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile
    )
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755)
    release.release(["convblock"], tmp_path)
    real = bundle.load("convblock", tmp_path)
    deserved = json.loads((hostile / "deserved.json").read_text("utf-8"))
    refused = set()
    for case, facts in deserved.items():
        folder = hostile / "cases" / case / facts["student"] / "convblock"
        try:
            found = read(folder, real, facts["student"])
        except Refused:
            refused.add(case)
            continue
        in_order(found.notebooks["convblock"], real.lessons["convblock"])
        assert bool(found.notes) == (case in NOTED), case
        assert NOTED.get(case, "") in " ".join(found.notes), case
    assert refused == REFUSED
    for folder in sorted((tmp_path / "submitted").iterdir()):
        assert read(folder / "convblock", real, folder.name).notes == ()
