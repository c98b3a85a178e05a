"""`course new-unit` in a copy of the repository: what it lays out passes as it is."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course_grader.assignment import new_unit
from course_lib.errors import CourseError
from course_lib.files import ROOT
from tests.rules import rule

UNIT, HERE = "16_demo", Path(__file__).resolve()
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


@pytest.mark.slow
def test_the_rules_of_every_unit_hold(copy):
    in_copy(copy, "pytest", "-q", "-n", "0", *RULES, "-k", "16_demo or readme or shell")


@pytest.mark.slow
def test_its_own_tests_and_the_project_s_pass(copy):
    files = f"tests/notebooks/test_{UNIT}.py", "tests/library/test_project.py"
    in_copy(copy, "pytest", "-q", "-n", "0", *files, "tests/library/test_landing.py")


@pytest.mark.slow
def test_its_outputs_hold_and_its_code_is_clean(copy):
    notebook = f"notebooks/{UNIT}.ipynb"
    in_copy(copy, "pytest", "-q", "-n", "0", "--nbval", "-m", "", notebook)
    in_copy(copy, "ruff", "check", ".")
    in_copy(copy, "ruff", "format", "--check", ".")


@pytest.mark.slow
def test_it_can_be_counted_and_has_a_place_in_the_queue(copy):
    assert "1,774" in in_copy(copy, "course_lib", "cost", UNIT)
    assert f"{UNIT}-demo_small" in in_copy(copy, "course_lib", "records")


def rules_of(path: Path) -> set[str]:
    """The words that a file of tests hands to `rule`, as text or by name."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    texts = {
        node.targets[0].id: node.value.value
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    said = [one.args[0] for one in calls if getattr(one.func, "id", "") == "rule"]
    return {
        one.value if isinstance(one, ast.Constant) else texts[one.id] for one in said
    }


def test_every_rule_of_a_test_stands_in_contributing():
    paths = [path for path in (ROOT / "tests").rglob("test_*.py") if path != HERE]
    found = set().union(*map(rules_of, paths))
    assert len(found) >= 20
    for words in found:
        assert '(CONTRIBUTING.md, "' in rule(words)
    with pytest.raises(LookupError, match="does not say"):
        rule("A unit has a song.")


def test_what_is_there_is_not_overwritten():
    with pytest.raises(CourseError, match="there is a unit 05_vgg"):
        list(new_unit.new_unit("16_vgg"))
    with pytest.raises(CourseError, match="a unit is called like 16_demo"):
        list(new_unit.new_unit("16_../demo"))
