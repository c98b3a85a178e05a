"""How a feedback page opens: whose it is, points by exercise, what failed and why."""

from __future__ import annotations

import re
from pathlib import Path

from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from nbgrader.preprocessors import GetGrades
from traitlets import Dict

from course_grader.assignment.cells import exercise, grade_id, notebook_in

SAID = ("AssertionError", "CheckFailed")  # their messages are the instructor's own
HEADING = re.compile(r"^#+\s+(.*?)\s*(?:\(\d+ points?\))?\s*$", re.M)


class Said(str):
    """A comment: text and Markdown, and no HTML."""


class Opening(GetGrades):
    """nbgrader's step that fetches the grades, and a summary of them for the page."""

    titles = Dict(help="notebook: {grade id: title of its exercise}").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict):
        self.person, self.waits = "", set()
        nb, resources = super().preprocess(nb, resources)
        titles = self.titles.get(self.notebook_id, {})
        resources["nbgrader"]["person"] = self.person or self.student_id
        resources["nbgrader"]["exercises"] = self.exercises(nb.cells, titles)
        return nb, resources

    def _get_score(self, cell: NotebookNode, resources: dict) -> None:
        super()._get_score(cell, resources)
        name = cell.metadata.nbgrader.grade_id
        where = self.notebook_id, self.assignment_id, self.student_id
        grade = self.gradebook.find_grade(name, *where)
        if grade.needs_manual_grade:
            self.waits.add(name)
        names = grade.student.first_name, grade.student.last_name
        full = " ".join(filter(None, names))
        self.person = f"{full} ({self.student_id})" if full else ""

    def _get_comment(self, cell: NotebookNode, resources: dict) -> None:
        super()._get_comment(cell, resources)
        if cell.metadata.nbgrader["comment"]:
            cell.metadata.nbgrader["comment"] = Said(cell.metadata.nbgrader["comment"])

    def exercises(self, cells: list[NotebookNode], titles: dict) -> list[dict]:
        """Return "title", "score", "points", "link" and "said" of each exercise.

        "said" is a list of (grade id, sentence) of the tests that cost points.
        """
        found: dict[str, dict] = {}
        for cell in cells:
            facts = cell.metadata.get("nbgrader", {})
            if "score" not in facts:
                continue
            name = facts["grade_id"]
            title = titles.get(name) or exercise(name)
            new = {"title": title, "score": 0, "points": 0, "link": name, "said": []}
            one = found.setdefault(title, new)
            one["score"] += facts["score"]
            one["points"] += facts["points"]
            sentence = "not read yet" if name in self.waits else failure(cell)
            if sentence:
                one["said"].append((name, sentence))
        return list(found.values())


def failure(cell: NotebookNode) -> str:
    """Return the sentence of the error that ended a test, or ""."""
    errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
    if not errors or not errors[-1].traceback:
        return ""
    last = strip_ansi(errors[-1].traceback[-1]).split("\n\n")[0].strip()
    kind, colon, sentence = last.partition(": ")
    return sentence if colon and kind in SAID else last


def exercise_titles(folder: Path) -> dict[str, dict[str, str]]:
    """Return, by notebook and grade id, the heading above a cell as it was released."""
    found: dict[str, dict[str, str]] = {}
    for path in folder.glob("*.ipynb"):
        title, names = "", found.setdefault(path.stem, {})
        for cell in notebook_in(path).cells:
            if cell.cell_type == "markdown" and (match := HEADING.search(cell.source)):
                title = match[1]
            if name := grade_id(cell):
                names[name] = title
    return found
