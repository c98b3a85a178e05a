"""An assignment put together of exercises of ours, small enough for a large class."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from course_grader.assignment.cells import grade_id
from course_grader.assignment.release import release

from . import RIGHT, Case

ROOT = Path(__file__).parents[3]
NAME = "attacked"
SECONDS = 8  # a cell may take: a busy machine draws a figure in half a second
MARKER = "canary-6f1e8d"  # stands in every hidden test
INPUT = 0.0817263549  # that only a hidden test hands in
CONFIG = f"""c = get_config()
c.CourseDirectory.course_id = "attacks"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "assignments"
c.ClearSolutions.code_stub = {{"python": "raise NotImplementedError"}}
c.Execute.timeout = {SECONDS}
c.CourseGrade.forbidden = {{
    "smoothed_cross_entropy": ["torch.nn.functional.cross_entropy"],
    "local_response_norm": ["torch.nn.functional.local_response_norm"],
    "best_logits": ["math.log"],
}}
"""
CELLS = [  # from which assignment, and which cells, by the beginning of their names
    ("a07_inception", "setup best"),
    ("a07_inception", "cheapest_spec stack smoothing reduction"),
    ("a06_googlenet", "setup total norms"),
    ("a04_alexnet", "setup lrn splits hand_in train"),
]
UNTRAINED = """
    network = alexnet.alexnet_small()
    facts = {"unit": "04_alexnet", "network": "alexnet_small"}
    recipe = Recipe(1, 16, 1e-3)
    results.save(path, network, History([]), recipe, TRAIN, TEST, **facts)
"""


def build(course: Path) -> None:
    """Make the course, release its assignment and register it."""
    course.mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(CONFIG)
    cells = [cell for name, names in CELLS for cell in taken(name, names)]
    notebook = new_notebook(cells=cells)
    notebook.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }
    target = course / "solutions" / NAME / f"{NAME}.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)
    release([NAME], course)


def taken(assignment: str, names: str) -> list[NotebookNode]:
    """Return an assignment's cells whose names begin so, made cheap, with canaries."""
    path = ROOT / "solutions" / assignment / f"{assignment}.ipynb"
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        name = grade_id(cell) or ""
        if not name.startswith(tuple(names.split())) or name.startswith("setup_"):
            continue
        if name == "setup":
            cell.metadata.nbgrader.grade_id = f"setup_{assignment}"
        cell.id = cell.metadata.nbgrader.grade_id
        cell.source = changed(name, cell.source)
        found.append(cell)
    return found


def changed(name: str, source: str) -> str:
    """Return a cell's source with a marker in its hidden test, and no training."""
    marked = f"### BEGIN HIDDEN TESTS\nmarker = '{MARKER}'  # {MARKER} of {name}"
    source = source.replace("### BEGIN HIDDEN TESTS", marked)
    if name == "best_hidden":
        source = source.replace("(10, 0.1)", f"(10, {INPUT})")
    if name.startswith("hand_in"):  # nobody has to train
        source = source.replace("0.93", "0").replace("0.85", "0")
        solution = "    ### BEGIN SOLUTION" + UNTRAINED + "    ### END SOLUTION"
        source = re.sub(
            r" *### BEGIN SOL.*### END SOLUTION", solution, source, flags=re.S
        )
    if name == "setup":
        source = source.replace("import Recipe, fit", "import History, Recipe")
    return source


def solutions(course: Path) -> dict[str, str]:
    """Return the model solutions by exercise."""
    notebook = nbformat.read(course / "solutions" / NAME / f"{NAME}.ipynb", 4)
    return {
        grade_id(cell): re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }


def hand_in(case: Case, course: Path, model: dict[str, str], port: int = 0) -> None:
    """Put a case's submission in its place.

    Its code may name COURSE_PATH, and PORT, at which the test listens.
    """
    path = course / "assignments" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    folder = course / "submitted" / case.name / NAME
    folder.mkdir(parents=True)
    cells = []
    for cell in notebook.cells:
        name = grade_id(cell)
        if name in case.before:
            cells.append(nbformat.v4.new_code_cell(case.before[name]))
        if name in case.answers:
            answer = case.answers[name]
            cell.source = model[name] if answer is RIGHT else answer
        cells.append(cell)
    notebook.cells = cells
    for name, data in case.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    for cell in cells:
        source = cell.source.replace("COURSE_PATH", str(course))
        cell.source = source.replace("PORT", str(port))
    if case.change:
        case.change(notebook, folder)
    target = folder / f"{NAME}.ipynb"
    if not target.exists():
        target.write_text(nbformat.writes(notebook), encoding="utf-8")
