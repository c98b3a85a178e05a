"""The zip that a student hands in: what is inside, and what it says beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import nbgrader.utils
import pytest

from course_lib import __main__
from course_lib.errors import CourseError
from course_lib.hand_in import cell
from course_lib.hand_in.submit import as_folder, submit
from tests import execute

NAME = "a04_alexnet"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A student's folder: the notebook as released, the files that it asks for."""
    made = tmp_path / NAME
    made.mkdir()
    (made / f"{NAME}.ipynb").write_bytes(execute.released(NAME))
    (made / "record.json").write_text("{}")
    (made / "record.safetensors").write_bytes(b"\0" * 100)
    return made


def edit(folder: Path, change) -> None:
    path = folder / f"{NAME}.ipynb"
    notebook = nbformat.read(path, 4)
    change({c.metadata.get("nbgrader", {}).get("grade_id"): c for c in notebook.cells})
    nbformat.write(notebook, path)


def test_inside_are_the_notebook_and_its_files(folder, tmp_path):
    for name in ("cifar.npz", "last.pt", "other.ipynb", ".hidden", "helper.py"):
        (folder / name).write_text("x")
    (folder / "data").mkdir()
    (folder / "secret.txt").symlink_to("/etc/passwd")
    made = submit(NAME, "Ada Byron", folder, tmp_path)
    assert made.path == tmp_path / f"{NAME}_Ada_Byron.zip"
    expected = [f"{NAME}.ipynb", "helper.py", "record.json", "record.safetensors"]
    assert list(made.files) == expected
    names = ["cifar.npz", "data", "last.pt", "other.ipynb", "secret.txt"]
    assert made.left_out == names
    with zipfile.ZipFile(made.path) as archive:
        inside = {f"Ada Byron/{NAME}/{name}": size for name, size in made.files.items()}
        assert {one.filename: one.file_size for one in archive.infolist()} == inside


def test_the_same_files_give_the_same_bytes(folder, tmp_path, monkeypatch):
    first = submit(NAME, "Ada", folder, tmp_path).path.read_bytes()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert submit(NAME, "Ada", folder, tmp_path).path.read_bytes() == first
    (folder / "record.json").write_text("{ }")
    assert submit(NAME, "Ada", folder, tmp_path).path.read_bytes() != first


def test_what_is_unanswered_or_edited_is_said(folder, tmp_path):
    def change(cells):
        cells["lrn"].source = "def local_response_norm(a):\n    return a"
        cells["colours"].source += "\n    # later"
        cells["lrn_visible"].source = "pass"
        cells["price_visible"].metadata["tags"] = ["skip-execution"]
        cells["six_times_why"].source = "Because."

    edit(folder, change)
    assert submit(NAME, "Ada", folder, tmp_path).warnings == [
        "locked but edited, the original is graded: lrn_visible",
        "still raises NotImplementedError: colours",
        "unanswered: fancy, predict, price, price_macs, elu, race, hand_in",
        "tagged skip-execution, which does not count: price_visible",
    ]


def test_an_answer_whose_cell_is_gone_is_said(folder, tmp_path):
    path = folder / f"{NAME}.ipynb"
    notebook = nbformat.read(path, 4)
    gone = "lrn", "lrn_visible"
    notebook.cells = [
        one
        for one in notebook.cells
        if one.metadata.get("nbgrader", {}).get("grade_id") not in gone
    ]
    nbformat.write(notebook, path)
    said = submit(NAME, "Ada", folder, tmp_path).warnings
    assert "their cells are gone, no points for them: lrn" in said


def test_the_model_solution_is_handed_in_without_a_warning(folder, tmp_path):
    solved = execute.notebook(NAME)
    answers = {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in solved.cells}

    def change(cells):
        for name, one in cells.items():
            if name and one.metadata["nbgrader"]["solution"]:
                one.source = answers[name].source

    edit(folder, change)
    assert submit(NAME, "Ada", folder, tmp_path).warnings == []


def test_stripped_metadata_is_said(folder, tmp_path):
    notebook = nbformat.read(folder / f"{NAME}.ipynb", 4)
    for one in notebook.cells:
        one.metadata = nbformat.from_dict({})
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
    (warning,) = submit(NAME, "Ada", folder, tmp_path).warnings
    assert warning.startswith("An editor removed nbgrader's metadata")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", f"{NAME}.ipynb is empty"),
        (b"{", "is not a notebook"),
        (b'{"nbformat": 99}', "format 99"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_a_broken_notebook_makes_no_zip(content, reason, folder, tmp_path):
    (folder / f"{NAME}.ipynb").write_bytes(content)
    with pytest.raises(CourseError, match=reason):
        submit(NAME, "Ada", folder, tmp_path)
    assert not list(tmp_path.glob("*.zip*"))


def test_no_notebook_a_link_too_much(folder, tmp_path):
    path = folder / f"{NAME}.ipynb"
    with open(folder / "weights.safetensors", "wb") as file:
        file.truncate(101 * 2**20)
    with pytest.raises(
        CourseError, match=r"weights.safetensors there are more than 100"
    ):
        submit(NAME, "Ada", folder, tmp_path)
    path.rename(folder / "mine.ipynb")
    with pytest.raises(CourseError, match=rf"has no {NAME}.ipynb, only mine.ipynb"):
        submit(NAME, "Ada", folder, tmp_path)
    (folder / "weights.safetensors").unlink()
    path.symlink_to(folder / "mine.ipynb")
    with pytest.raises(CourseError, match=rf"{NAME}.ipynb is a link"):
        submit(NAME, "Ada", folder, tmp_path)
    with pytest.raises(CourseError, match=r"there is no a99_none.ipynb in"):
        submit("a99_none", "Ada")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("Zoë O'Brien [学生] +1", "Zoë O'Brien [学生] +1"),
        ("Zoe\u0308", "Zoë"),
        ("../../etc", "_._.._etc"),
        (".ada", "_ada"),
        ("a/b\\c:d\ne", "a_b_c_d_e"),
        ("  Ada. ", "Ada"),
        ("学" * 100, "学" * 66),
    ],
)
def test_a_name_is_made_a_folders_name(name, folder):
    assert as_folder(name) == folder


@pytest.mark.parametrize("name", ["", " ", "..", "/", "\0"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(CourseError, match="is no name for a person's folder"):
        as_folder(name)


def test_everybodys_login_is_no_name(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_USER", "jovyan")
    with pytest.raises(
        CourseError, match=r"this machine calls you 'jovyan'. Add --student"
    ):
        submit(NAME, "", folder, tmp_path)
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert submit(NAME, "", folder, tmp_path).student == "ada"


def test_a_user_whom_the_machine_has_no_name_for_is_asked(
    folder, tmp_path, monkeypatch
):
    """On OpenShift, and in some JupyterHubs, a user is a number alone."""
    for name in ("JUPYTERHUB_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 1_000_660_000)
    with pytest.raises(CourseError, match=r"no name for you\. Add --student"):
        submit(NAME, "", folder, tmp_path)
    assert submit(NAME, "Ada", folder, tmp_path).student == "Ada"


@pytest.mark.slow
def test_a_user_without_a_home_can_hand_in(folder, tmp_path):
    """Jupyter and nbgrader cannot be imported then, and are not needed."""
    code = "import os, pathlib, sys; os.getuid = lambda: 1_000_660_000;"
    code += "from course_lib.hand_in.submit import submit;"
    code += "folder, out = map(pathlib.Path, sys.argv[1:]);"
    code += f"print(submit({NAME!r}, 'Ada', folder, out).warnings)"
    words = [sys.executable, "-c", code, str(folder), str(tmp_path)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, check=True
    )
    assert "unanswered: lrn" in done.stdout
    assert (tmp_path / f"{NAME}_Ada.zip").is_file()


def test_cells_are_read_as_nbgrader_reads_them():
    for path in ROOT.glob("*s/*/a*.ipynb"):  # solutions/ and assignments/
        for one in nbformat.read(path, as_version=4).cells:
            for name in ("is_solution", "is_grade", "is_locked"):
                assert getattr(cell, name)(one) == getattr(nbgrader.utils, name)(one)
            if "nbgrader" in one.metadata:
                assert cell.checksum(one) == nbgrader.utils.compute_checksum(one)
            # an answer may be half written here: its cell is not locked
            if cell.is_locked(one) and "checksum" in one.metadata.nbgrader:
                assert cell.checksum(one) == one.metadata.nbgrader.checksum


def test_the_command_says_what_is_inside(folder, tmp_path, monkeypatch, capsys):
    words = ["submit", NAME, "--student", "Ada [red]", "--folder", str(folder)]
    monkeypatch.setattr(sys, "argv", ["course", *words, "--out", str(tmp_path)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        __main__.main()
    assert not stop.value.code
    said = capsys.readouterr().out
    for text in (
        "unanswered: lrn",
        "record.safetensors",
        "hand in: ",
        "Ada_[red].zip",
    ):
        assert text in said


@pytest.mark.slow
def test_the_students_half_does_without_the_instructors():
    code = "import sys, course_lib.hand_in.submit as _; "
    code += "print('course_grader' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_dates_in_the_zip_are_those_of_the_files_in_utc(folder, tmp_path):
    os.utime(folder / "record.json", (0, 0))
    os.utime(folder / f"{NAME}.ipynb", (1768478400, 1768478400))
    with zipfile.ZipFile(submit(NAME, "Ada", folder, tmp_path).path) as archive:
        dates = {
            one.filename.split("/")[-1]: one.date_time for one in archive.infolist()
        }
    assert dates[f"{NAME}.ipynb"] == (2026, 1, 15, 12, 0, 0)
    assert dates["record.json"] == (1980, 1, 1, 0, 0, 0)
