"""A sample class, made from the release: to try grading out, and to show it."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat

from course_lib.errors import CourseError

from .cells import notebook_in
from .course import Course


def sample_class(
    assignment: str,
    course: Course | Path,
    mistake: tuple[str, str, str] | None = None,
) -> list[str]:
    """Hand in four submissions; return the students' names.

    A right one (the model solutions in the released cells), one with a mistake that
    students make, an untouched one, and one that edits what is locked. The hostile one
    harms nothing; it has one right answer, the first, and deserves those points alone.
    mistake: grade id, text of the solution, what stands there instead.
    """
    course = Course.open(course)
    released, solved = _notebooks(course, assignment)
    cell, old, new = mistake or MISTAKES[assignment]
    answers = {name: c.source for name, c in _named(solved).items() if _is_solution(c)}
    wrong = answers | {cell: _replaced(answers[cell], old, new)}
    first = next(iter(answers))
    notebooks = {
        "ada_right": _answered(released, answers),
        "bo_partly": _answered(released, wrong),
        "cy_untouched": _answered(released, {}),
        "mal_hostile": _tampered(_answered(released, {first: answers[first]})),
    }
    for student, notebook in notebooks.items():
        _hand_in(course, assignment, student, notebook)
    return list(notebooks)


MARKUP = "<script>document.title = 1</script>"
MISTAKES = {  # grade id, in the solution, instead of it
    # √λ stands for λ: a standard deviation, where the paper has the variance
    "a04_alexnet": ("fancy", "alphas * eigenvalues)", "alphas * eigenvalues.sqrt())"),
}


def _notebooks(course: Course, assignment: str):
    paths = course.released(assignment), course.source(assignment)
    paths = [path / f"{assignment}.ipynb" for path in paths]
    for path in paths:
        if not path.exists():
            raise CourseError(f"{path} is missing: run `course release {assignment}`.")
    return [*map(notebook_in, paths)]


def _named(notebook) -> dict:
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return {cell.metadata["nbgrader"]["grade_id"]: cell for cell in cells}


def _is_solution(cell) -> bool:
    return cell.metadata["nbgrader"]["solution"]


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise CourseError(f"the solution does not hold {old!r}, which was to go wrong")
    return text.replace(old, new)


def _answered(released, answers: dict[str, str]):
    """Return a copy of the release with some solution cells filled in."""
    notebook = nbformat.from_dict(released)
    for name, cell in _named(notebook).items():
        if name in answers:
            lines = answers[name].partition("**Marking scheme")[0].splitlines()
            cell.source = "\n".join(line for line in lines if "### " not in line)
    return notebook


def _tampered(notebook):
    """Edit tests and metadata, and print markup; harmless, and worth no points."""
    for cell in _named(notebook).values():
        facts = cell.metadata["nbgrader"]
        if facts["grade"] and not facts["solution"]:
            cell.source = "pass"
            cell.metadata["tags"] = ["skip-execution"]
            facts["points"] = 100
    printed = f"print({MARKUP!r})"
    shown = f"from IPython.display import HTML, display\ndisplay(HTML({MARKUP!r}))"
    notebook.cells += [nbformat.v4.new_code_cell(text) for text in (printed, shown)]
    notebook.cells.append(nbformat.v4.new_markdown_cell(MARKUP))
    return notebook


def _hand_in(course: Course, assignment: str, student: str, notebook) -> Path:
    target, source = course.submitted(student, assignment), course.released(assignment)
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target)
    nbformat.write(notebook, target / f"{assignment}.ipynb")
    return target
