"""Every notebook: its two files in step, and of the size that a reader bears."""

import statistics

import nbformat
import pytest

from course_lib import notebook
from tests.rules import rule

UNITS = notebook.units()


@pytest.mark.parametrize("unit", UNITS)
def test_text_and_executed_twin_are_in_step(unit):
    problems = notebook.drift(unit)
    message = "The `.py` and the `.ipynb` are in step: `course notebooks run NN`."
    assert problems == [], rule(message)


@pytest.mark.parametrize("unit", UNITS)
def test_a_notebook_keeps_to_the_house_s_measure(unit):
    path = notebook.source(unit).with_suffix(".ipynb")
    cells = nbformat.read(path, 4).cells
    lines = [len(c.source.splitlines()) for c in cells if c.cell_type == "code"]
    visible = [cell for cell in cells if not notebook.is_folded(cell)]
    number = rule("It has 25 to 38 cells that are not folded, and none is empty.")
    assert 25 <= len(visible) <= 38, number
    assert all(cell.source.strip() for cell in cells), number
    length = rule("A code cell has at most 30 lines, the median at most 14.")
    assert statistics.median(lines) <= 14, length
    assert max(lines) <= 30, length
    assert path.stat().st_size <= 500_000, rule(
        "The `.ipynb` has at most 500,000 bytes."
    )


@pytest.mark.parametrize("unit", UNITS)
def test_exported_cells_import_only_what_they_may(unit):
    allowed = {"torch", "numpy", "scipy", "course_lib"}
    allowed |= {"collections", "math", "pathlib", "typing"}
    for cell in notebook.cells(notebook.source(unit).read_text()):
        if "export" in cell.tags:
            for line in cell.source.splitlines():
                words = line.split()
                if words[:1] in (["import"], ["from"]):
                    assert words[1].split(".")[0] in allowed, f"{line}: " + rule(
                        "An exported cell imports only torch, numpy, scipy, "
                        "course_lib, collections, math, pathlib and typing."
                    )


@pytest.mark.parametrize("unit", UNITS)
def test_a_slider_is_compared_by_nobody(unit):
    """What it draws shows as one more picture where no browser takes it up."""
    for cell in notebook.cells(notebook.source(unit).read_text()):
        if "plot.slider(" in cell.source:
            assert "nbval-ignore-output" in cell.tags, rule(
                "A cell that calls `plot.slider` has the tag `nbval-ignore-output`."
            )
