"""`course new-unit` in a copy of the repository: what it lays out passes as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_grader.assignment import new_unit
from course_lib.errors import CourseError
from course_lib.files import ROOT

pytestmark = pytest.mark.slow
UNIT = "16_demo"
RULES = (
    *("tests/notebooks/test_pairs.py", "tests/notebooks/test_readable.py"),
    *("tests/assignments/test_every_assignment.py", "tests/library/test_notebook.py"),
    *("tests/assignments/test_answers.py", "tests/library/test_cli.py"),
)


def in_copy(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", *words]
    env = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    env["COLUMNS"] = "200"
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of what git has here, with a new unit in it."""
    folder = tmp_path_factory.mktemp("course")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0")[:-1]:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    in_copy(folder, "course_lib", "new-unit", UNIT)
    for words in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def test_the_rules_of_every_unit_hold(copy):
    in_copy(copy, "pytest", "-q", "-n", "0", *RULES, "-k", "16_demo or readme or shell")


def test_its_own_tests_and_the_project_s_pass(copy):
    files = f"tests/notebooks/test_{UNIT}.py", "tests/library/test_project.py"
    in_copy(copy, "pytest", "-q", "-n", "0", *files, "tests/library/test_landing.py")


def test_its_outputs_hold_and_its_code_is_clean(copy):
    notebook = f"notebooks/{UNIT}.ipynb"
    in_copy(copy, "pytest", "-q", "-n", "0", "--nbval", "-m", "", notebook)
    in_copy(copy, "ruff", "check", ".")
    in_copy(copy, "ruff", "format", "--check", ".")


def test_it_can_be_counted_and_has_a_place_in_the_queue(copy):
    assert "1,774" in in_copy(copy, "course_lib", "cost", UNIT)
    assert f"{UNIT}-demo_small" in in_copy(copy, "course_lib", "records")


def test_what_is_there_is_not_overwritten():
    with pytest.raises(CourseError, match="there is a unit 05_vgg"):
        list(new_unit.new_unit("16_vgg"))
    with pytest.raises(CourseError, match="a unit is called like 16_demo"):
        list(new_unit.new_unit("16_../demo"))
