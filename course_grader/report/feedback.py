"""What a student gets back: a page a notebook, on which nothing of a student's runs.

Two walls: the markup is cleaned, and the page's own policy forbids a browser all
scripts, frames and forms, and whatever another host serves.
"""

from __future__ import annotations

import builtins
import re
from fnmatch import fnmatch
from html import escape
from pathlib import Path

import nbgrader
from jinja2 import FileSystemLoader, pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor
from nbgrader.utils import is_locked
from traitlets.config import Config

from course_grader.assignment.bundle import contents
from course_grader.assignment.course import Course
from course_grader.store import folders

from . import sanitise
from .formulas import drawn
from .opening import SAID, Opening, Said, exercise_titles

OURS = Path(__file__).parent / "templates"
THEIRS = Path(nbgrader.__file__).parent / "server_extensions/formgrader/templates"
SCRIPT = re.compile(r"<script\b.*?</script>", re.S)
FONT = re.compile(r"@font-face\s*\{.*?\}", re.S)  # a file that no page brings along
POLICY = """
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">"""


def feedback(assignment: str, course: Course | Path) -> list[Path]:
    """Write feedback/<student>/<assignment>/*.html for each graded submission.

    Hidden tests stay hidden (their messages are shown), and no student's markup runs.
    Returns the pages.
    """
    course, config = Course.open(course), Config()
    steps = [HideTests, Harmless, Opening, CSSHTMLHeaderPreprocessor]
    config.GenerateFeedback.preprocessors = steps
    config.GenerateFeedback.exporter_class = Page
    config.GenerateFeedback.force = True
    config.Opening.titles = exercise_titles(course.released(assignment))
    config.HTMLExporter.template_name = "graded"
    config.HTMLExporter.extra_template_basedirs = [str(OURS)]
    config.HTMLExporter.exclude_anchor_links = True
    course.convert(Pages, assignment, config=config)
    pages: list[Path] = []
    for student, graded in _known(course.folder, assignment).items():
        there = course.feedback(student, assignment)
        names = sorted(path.stem for path in graded.glob("*.ipynb"))
        pages += [there / f"{name}.html" for name in names]
    return [page for page in pages if page.is_file()]


def _known(folder: CourseDirectory, assignment: str = "") -> dict[str, Path]:
    """Return the autograded folders of students who are in the gradebook still."""
    assignment = assignment or folder.assignment_id
    with Gradebook(folder.db_url, folder.course_id) as gradebook:
        there = {one.student_id for one in gradebook.assignment_submissions(assignment)}
    graded = folders.graded(folder, assignment)
    return {student: path for student, path in graded.items() if student in there}


class Pages(GenerateFeedback):
    """nbgrader's step; a student may be called `[a]*` or have a name of two lines.

    nbgrader takes such a name for a pattern, finds no notebook in the folder to leave
    out, and copies the graded one, hidden tests inside, beside the student's page.
    """

    def init_notebooks(self) -> None:
        graded = _known(self.coursedir)
        found = {str(folder): folder.glob("*.ipynb") for folder in graded.values()}
        self.assignments = {k: sorted(map(str, paths)) for k, paths in found.items()}
        self.notebooks = []
        if not any(self.assignments.values()):
            name = self.coursedir.assignment_id
            raise NbGraderException(
                f"nobody's submission of {name} is graded yet: `course grade {name}`"
            )

    def _format_source(self, assignment_id, student_id, escape=False) -> str:
        """Return a folder, or with `escape` a pattern whose dots match any letter."""
        found = super()._format_source(assignment_id, student_id, escape=escape)
        return f"(?s){found}" if escape else found

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        """Copy the student's other files beside the page: never a notebook, no link."""
        source = Path(self._format_source(assignment_id, student_id))
        target = Path(self._format_dest(assignment_id, student_id))
        for name, data in contents(source).items():
            if not self._left_out(name):
                path = target / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
                path.write_bytes(data)

    def _left_out(self, name: str) -> bool:
        ignored = (
            fnmatch(step, pattern)
            for step in name.split("/")
            for pattern in self.coursedir.ignore
        )
        return name.lower().endswith(".ipynb") or any(ignored)


class HideTests(ClearHiddenTests):
    """Hand back what a hidden test said, not the test: it may be asked again.

    Of its outputs only the message of a failed assertion is left, up to the first blank
    line: below it NumPy prints the arrays. Of any other exception the type is told, and
    of one that came out of the student's own code only if Python names it: its text and
    its name could carry what the test handed in.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int):
        if is_locked(cell) and self._remove_hidden_test_region(cell):
            remote = is_remote(cell)
            errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
            for error in errors:
                error.traceback = [message(error, remote)]
            if cell.cell_type == "code":
                cell.outputs = errors
        return cell, resources


def is_remote(cell: NotebookNode) -> bool:
    """Did the exception that ended this cell come out of the student's own code?"""
    marked = [cell, *cell.get("outputs", [])]
    facts = [one.get("metadata", {}).get("course") for one in marked]
    return any(isinstance(fact, dict) and fact.get("remote") for fact in facts)


def message(error: NotebookNode, remote: bool) -> str:
    """Return what a student may read of the error that ended a hidden test."""
    if error.ename in SAID and not remote:
        return f"{error.ename}: {error.evalue}".split("\n\n")[0]
    known = error.ename if hasattr(builtins, error.ename) else "an exception"
    return f"{known}, raised in a hidden test"


class Harmless(NbGraderPreprocessor):
    """Leave nothing in a notebook that a page made of it would run or load."""

    def preprocess(self, notebook: NotebookNode, resources: dict):
        notebook.metadata = NotebookNode(_language(notebook.metadata))
        self.heavy = sanitise.heavy(notebook)
        return super().preprocess(notebook, resources)

    def preprocess_cell(self, cell: NotebookNode, resources: dict, index: int):
        facts = cell.metadata.get("nbgrader")
        cell.metadata = NotebookNode({"nbgrader": facts} if facts else {})
        if cell.cell_type == "code":
            cell.outputs = sanitise.outputs(cell.outputs, text=self.heavy)
            for output in cell.outputs:
                _draw(output.get("data", {}))
        elif cell.cell_type == "raw":
            cell.source = escape(cell.source)
        if "attachments" in cell:
            cell.attachments = sanitise.attached(cell.attachments)
        return cell, resources


def _draw(data: dict) -> None:
    """Let an output's formulas be MathML."""
    if "text/html" in data:
        data["text/html"] = drawn(data["text/html"])
    elif "text/latex" in data:
        data["text/html"] = drawn(escape(data.pop("text/latex"), quote=False))


def _language(metadata: NotebookNode) -> dict:
    """Return the name of the language, which colours the code, if it is a word."""
    facts = metadata.get("language_info")
    name = facts.get("name") if isinstance(facts, dict) else None
    plain = isinstance(name, str) and re.fullmatch(r"[\w+#-]{1,30}", name)
    return {"language_info": {"name": name}} if plain else {}


class Page(HTMLExporter):
    """nbgrader's page with its Markdown cleaned and a policy for the browser."""

    def __init__(self, **more):
        super().__init__(extra_loaders=[FileSystemLoader(THEIRS)], **more)

    @pass_context
    def markdown2html(self, context, source: str) -> str:
        try:
            if len(source) <= sanitise.LONG_HTML:
                return drawn(sanitise.html(self._html(context, source)))
        except Exception:  # a parser may stumble over what was made to make it
            pass
        return sanitise.rendered(sanitise.as_text(source))

    def _html(self, context, source: str) -> str:
        """Return Markdown as HTML; in a reader's comment, < is a letter."""
        if isinstance(source, Said):
            return MarkdownWithMath(renderer=IPythonRenderer(escape=True)).render(
                source
            )
        return super().markdown2html(context, source)

    def from_notebook_node(self, nb: NotebookNode, resources: dict | None = None, **kw):
        page, resources = super().from_notebook_node(nb, resources, **kw)
        head, body, rest = page.partition("<body")
        head = FONT.sub("", SCRIPT.sub("", head)).replace(
            "<html>", '<html lang="en">', 1
        )
        head = head.replace("<head>", f"<head>{POLICY}", 1)
        return head + body + rest, resources
