"""What a class gets to see: feedback pages, grades as CSV, one page of summary."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

from ..errors import CourseError
from .autograde import last_run
from .course import convert, directory, find_tools

ENDS = ("_visible", "_hidden", "_why", "_refuses")


class Points(NamedTuple):
    """One graded cell of one student."""

    student: str
    cell: str
    score: float
    max_score: float
    waits: bool  # for a person to read it

    @property
    def exercise(self) -> str:
        """The cell's name without its last words: "lrn" of "lrn_hidden"."""
        name = self.cell
        while name.endswith(ENDS):
            name = name[: name.rfind("_")]
        return name


def points(assignment: str, course: Path) -> list[Points]:
    """Read every graded cell of every submission from the gradebook."""
    from nbgrader.api import Gradebook, MissingEntry

    find_tools()
    folder = directory(course)
    rows = []
    with Gradebook(folder.db_url, folder.course_id) as gradebook:
        try:
            submissions = gradebook.assignment_submissions(assignment)
        except MissingEntry:
            submissions = []
        for submission in sorted(submissions, key=lambda one: one.student.id):
            for notebook in submission.notebooks:
                order = [cell.name for cell in notebook.notebook.source_cells]
                for grade in sorted(notebook.grades, key=lambda g: order.index(g.name)):
                    waits = bool(grade.needs_manual_grade)
                    facts = (
                        grade.name,
                        float(grade.score),
                        float(grade.max_score),
                        waits,
                    )
                    rows.append(Points(submission.student.id, *facts))
    if not rows:
        raise CourseError(
            f"nothing of {assignment} is graded in {course}: "
            f"run `course grade {assignment} --course {course}` first."
        )
    return rows


def _row(student: str, grade) -> Points:
    score, most = float(grade.score), float(grade.max_score)
    return Points(student, grade.name, score, most, bool(grade.needs_manual_grade))


def feedback(assignment: str, course: Path) -> list[Path]:
    """Write feedback/<student>/<assignment>/*.html for each graded submission.

    Hidden tests stay hidden (their messages are shown), and no markup of theirs runs.
    """
    from nbgrader.converters import GenerateFeedback
    from traitlets.config import Config

    from .cells import Harmless, HideTests

    config = Config()
    own = GenerateFeedback.preprocessors.default()
    config.GenerateFeedback.preprocessors = [HideTests, Harmless, *own]
    config.GenerateFeedback.force = True
    convert(GenerateFeedback, course, assignment, config=config)
    root = Path(course) / directory(course).feedback_directory
    return sorted(root.glob(f"*/{assignment}/*.html"))


def export(path: Path, course: Path) -> Path:
    """Write all grades of the course as CSV, with nbgrader's own exporter."""
    from nbgrader.api import Gradebook
    from nbgrader.plugins import CsvExportPlugin

    from .course import Log

    find_tools()
    folder = directory(course)
    with Gradebook(folder.db_url, folder.course_id) as gradebook:
        plugin = CsvExportPlugin(log=Log().logger)
        plugin.to = str(path)
        plugin.export(gradebook)
    return Path(path)


def report(assignment: str, course: Path) -> Path:
    """Write reports/<assignment>/summary.html, and points.png and summary.md beside it.

    The page says points by student and exercise, who was refused, what was tampered
    with and which exercise was hardest. Returns the page, which holds the picture too.
    """
    rows = points(assignment, course)
    folder = Path(course) / "reports" / assignment
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "points.png"
    _draw(rows, assignment, picture)
    text, page = folder / "summary.md", folder / "summary.html"
    header, table = _table(rows)
    facts = _sentences(rows, assignment, course)
    text.write_text(_markdown(assignment, header, table, facts), "utf-8")
    page.write_text(_html(assignment, header, table, facts, picture), "utf-8")
    return page


def _matrix(rows: list[Points]) -> tuple[list[str], list[str], dict, dict]:
    """Return students, exercises, points by (student, exercise), most by exercise."""
    students = list(dict.fromkeys(row.student for row in rows))
    exercises = list(dict.fromkeys(row.exercise for row in rows))
    got = {(student, name): 0.0 for student in students for name in exercises}
    most = dict.fromkeys(exercises, 0.0)
    for row in rows:
        got[row.student, row.exercise] += row.score
        if row.student == students[0]:
            most[row.exercise] += row.max_score
    return students, exercises, got, most


def _table(rows: list[Points]) -> tuple[list[str], list[list[str]]]:
    students, exercises, got, most = _matrix(rows)
    waiting = {(row.student, row.exercise) for row in rows if row.waits}
    header = ["student", *(f"{name} ({most[name]:g})" for name in exercises)]
    header.append(f"total ({sum(most.values()):g})")
    table = []
    for student in students:
        cells = [
            f"{got[student, name]:g}" + (" …" if (student, name) in waiting else "")
            for name in exercises
        ]
        total = sum(got[student, name] for name in exercises)
        table.append([student, *cells, f"{total:g}"])
    return header, table


def _sentences(rows: list[Points], assignment: str, course: Path) -> list[str]:
    students, exercises, got, most = _matrix(rows)
    read = {row.exercise for row in rows if row.waits}
    share = {
        name: sum(got[student, name] for student in students)
        / len(students)
        / most[name]
        for name in exercises
        if name not in read and most[name]
    }
    facts = []
    if share:
        hardest = min(share, key=share.get)
        facts.append(
            f"Hardest exercise: {hardest}, {share[hardest]:.0%} of its points."
        )
    waiting = sum(row.waits for row in rows)
    if waiting:
        facts.append(f"{waiting} answers (marked …) wait for a person to read them.")
    for result in last_run(assignment, course):
        if result.reason:
            facts.append(f"{result.student} was refused: {result.reason}.")
        if result.notes:
            facts.append(
                f"{result.student} changed what was locked; it was put back before "
                f"grading: {'; '.join(result.notes)}."
            )
    return facts


def _markdown(assignment: str, header, table, facts) -> str:
    def line(cells):
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    rule = "|" + "---|" * len(header)
    body = [line(header), rule, *map(line, table)]
    items = [f"- {fact}" for fact in facts]
    picture = "![points by exercise](points.png)"
    return "\n".join([f"# {assignment}", "", *body, "", *items, "", picture]) + "\n"


def _html(assignment: str, header, table, facts, picture: Path) -> str:
    """One page that stands alone; every name in it comes from students: escape all."""
    from base64 import b64encode

    def line(cells, tag):
        return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in table)
    items = "\n".join(f"<li>{escape(fact)}</li>" for fact in facts)
    image = b64encode(picture.read_bytes()).decode()
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(assignment)}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }}
table {{ border-collapse: collapse; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
img {{ max-width: 100%; }}
</style>
<h1>{escape(assignment)}</h1>
<table><tr>{line(header, "th")}</tr>
{body}
</table>
<ul>
{items}
</ul>
<img alt="points by exercise, a row a student" src="data:image/png;base64,{image}">
</html>
"""


def _draw(rows: list[Points], assignment: str, path: Path) -> None:
    """Draw a grid: a row a student, a column an exercise, darker for more points."""
    from matplotlib.figure import Figure

    students, exercises, got, most = _matrix(rows)
    waiting = {(row.student, row.exercise) for row in rows if row.waits}
    shares = [
        [got[student, name] / (most[name] or 1) for name in exercises]
        for student in students
    ]
    size = 2.5 + 0.8 * len(exercises), 1.6 + 0.32 * len(students)
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    ax = figure.subplots()
    ax.pcolormesh(shares, cmap="Blues", vmin=0, vmax=2, edgecolors="white", linewidth=2)
    places = [i + 0.5 for i in range(len(exercises))]
    labels = [f"{name} ({most[name]:g})" for name in exercises]
    ax.set_xticks(places, labels, rotation=30, ha="right")
    heights = [i + 0.5 for i in range(len(students))]
    ax.set_yticks(heights, [name[:24] for name in students])
    ax.invert_yaxis()
    if len(students) <= 40:
        for y, student in zip(heights, students, strict=True):
            for x, name in zip(places, exercises, strict=True):
                unread = (student, name) in waiting
                text = "unread" if unread else f"{got[student, name]:g}"
                ax.text(x, y, text, ha="center", va="center")
    ax.set_title(f"{assignment}: points by exercise", loc="left")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.savefig(path)
