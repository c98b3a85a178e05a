"""What holds for every assignment: points, building, releasing, nothing given away."""

from __future__ import annotations

import ast
import re
import shutil

import nbformat
import pytest

from course_grader import build, release
from course_lib.notebook import ROOT
from tests import execute
from tests.assignments import cases
from tests.rules import rule

pytestmark = [pytest.mark.slow, cases.each_assignment]
TO_OURSELVES = "No line of an answer stands in what students get"


def test_points_are_twenty_and_those_of_the_headings(name):
    automatic, manual = execute.points(name), execute.points(name, manual=True)
    assert (sum(automatic.values()), sum(manual.values())) == (18, 2), rule(
        "It has 18 points by tests and 2 for an answer that a person reads."
    )
    promised, found = {}, {}
    for cell in execute.notebook(name).cells:
        heading = re.search(r"^### (\d+) · .* \((\d+) points?\)$", cell.source, re.M)
        if cell.cell_type == "markdown" and heading:
            number, points = map(int, heading.groups())
            promised[number] = points
        worth = cell.metadata.get("nbgrader", {}).get("points", 0)
        if worth:
            found[number] = found.get(number, 0) + worth
    assert found == promised, f"{found}, promised {promised}: " + rule(
        "A heading is `### 2 · Title (5 points)`, and the cells below it add up to its "
        "points."
    )


def test_no_cell_is_empty(name):
    """Two blank lines above the title made one, and students began with it."""
    assert all(cell.source.strip() for cell in execute.notebook(name).cells)


def test_no_test_cell_ends_with_a_value(name):
    """nbgrader takes a number that a cell ends with for its points."""
    cells = execute.named(execute.notebook(name).cells)
    for cell in execute.points(name):
        last = ast.parse(cells[cell].source).body[-1]
        assert not isinstance(last, ast.Expr), f"{cell}: " + rule(
            "A test cell does not end with a value: nbgrader would take it for points."
        )


def test_no_test_cell_is_longer_than_a_screen(name):
    cells = execute.named(execute.notebook(name).cells)
    for cell in execute.points(name):
        lines = len(cells[cell].source.splitlines())
        assert lines <= 40, f"{cell} has {lines} lines: " + rule(
            "A test cell has at most 40 lines."
        )


def alone(folder, name):
    """Copy what an assignment is made from into an empty folder."""
    (folder / "solutions").mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copy(ROOT / "solutions" / f"{name}.py", folder / "solutions")


def test_built_notebook_is_the_python_source(name, tmp_path):
    """Outputs stay as long as no code above them has changed."""
    alone(tmp_path, name)
    for before in execute.versions(f"solutions/{name}/{name}.ipynb"):
        target = tmp_path / "solutions" / name / f"{name}.ipynb"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(before)
        if build(name, tmp_path).read_bytes() == before:
            return
    pytest.fail(f"not built from the source as it is: course release --execute {name}")


def test_outputs_of_other_code_are_dropped(name, tmp_path):
    alone(tmp_path, name)
    source = tmp_path / "solutions" / f"{name}.py"
    target = build(name, tmp_path)
    target.write_bytes(execute.versions(f"solutions/{name}/{name}.ipynb")[0])
    text = source.read_text("utf-8")
    source.write_text(text.replace("### BEGIN SOLUTION", "### BEGIN SOLUTION\n", 1))
    cells = nbformat.read(build(name, tmp_path), 4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    changed = next(i for i, cell in enumerate(code) if "BEGIN" in cell.source)
    assert all(cell.execution_count for cell in code[:changed])
    assert not any(cell.execution_count or cell.outputs for cell in code[changed:])


def test_release_is_what_the_solution_gives_twice(name, tmp_path):
    alone(tmp_path, name)
    for database in (False, True):
        (made,) = release([name], tmp_path, database=database)
        for path in made.iterdir():
            there = execute.versions(f"assignments/{name}/{path.name}")
            assert path.read_bytes() in there, rule(
                "`assignments/` is what `course release` makes of the solution."
            )


def test_release_keeps_answers_and_hidden_tests_to_itself(name):
    text = execute.released(name).decode()
    for word in ("BEGIN SOLUTION", "BEGIN HIDDEN", "Marking"):
        assert word not in text, f"{word}: {rule(TO_OURSELVES)}"
    solved = execute.named(execute.notebook(name).cells)
    released = execute.named(nbformat.reads(text, 4).cells)
    for cell, source in ((c, solved[c].source) for c in solved):
        body = execute.SOLUTION.search(source)
        for line in body.group().splitlines()[1:-1] if body else []:
            if len(line.strip()) > 30 and "raise ValueError" not in line:
                assert line.strip() not in released[cell].source, rule(TO_OURSELVES)
    for cell in execute.points(name):
        if cell.endswith("_hidden"):
            shown = released[cell].source
            assert re.fullmatch("# Hidden: .*", shown), f"{cell}: " + rule(
                "A hidden test begins with a line `# Hidden: …` that says what it asks"
            )
