"""From solutions/aNN_name.py to the notebook nbgrader reads, to what students get."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing

if TYPE_CHECKING:
    from .course import Course

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def build(assignment: str, course: Course | Path = ROOT) -> Path:
    """Write solutions/<assignment>/<assignment>.ipynb from the .py beside its folder.

    Outputs stay where no code above them has changed: see `key`. A cell's id is its
    grade id or a digest of its text, so that building twice gives the same bytes.
    """
    import jupytext
    import nbformat

    source = Path(course) / "solutions" / f"{assignment}.py"
    if not source.is_file():
        raise CourseError(f"{source} is missing; there are {known(source.parent)}")
    notebook = jupytext.read(source)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {
        "kernelspec": notebook.metadata.get("kernelspec", KERNEL),
        "language_info": {"name": "python"},
    }
    _name_cells(notebook.cells)
    target = source.parent / assignment / f"{assignment}.ipynb"
    target.parent.mkdir(exist_ok=True)
    _keep_outputs(notebook, target)
    with replacing(target) as part:
        nbformat.write(notebook, part)
    return target


def _keep_outputs(notebook, earlier: Path) -> None:
    """Copy the outputs of an earlier build, up to the first cell with other code."""
    from .cells import notebook_in

    try:
        built = notebook_in(earlier)
    except (FileNotFoundError, CourseError):  # none yet, or none that can be read
        return
    old, new = (
        [cell for cell in one.cells if cell.cell_type == "code"]
        for one in (built, notebook)
    )
    for before, now in zip(old, new, strict=False):
        if before.source != now.source:
            break
        now.outputs, now.execution_count = before.outputs, before.execution_count


def release(
    assignments: list[str] | None = None,
    course: Course | Path = ROOT,
    *,
    database: bool = True,
) -> list[Path]:
    """Generate what students get, in assignments/, and tell the gradebook its cells.

    The gradebook keeps digests of the release before, too: see `editions`.

    assignments: names; None is every one with a source.
    database: False leaves gradebook.db alone, and writes the same files.
    """
    from nbgrader.converters import GenerateAssignment
    from traitlets.config import Config

    from . import editions
    from .course import Course

    course = Course.open(course)
    sources = course.source(".")
    there = known(sources)
    if not there:
        raise CourseError(f"{sources} holds no assignment: put NAME/NAME.ipynb there")
    names = assignments or there
    for name in set(names) - set(there):
        raise CourseError(
            f"no assignment is called {name!r}: {sources} has {', '.join(there)}"
        )
    config = Config()
    config.GenerateAssignment.force = True
    config.GenerateAssignment.no_database = not database
    config.SaveCells.enabled = database
    for name in names:
        if (sources / f"{name}.py").is_file():
            build(name, course)
        if database:
            editions.remember(name, course)
        with kept(course.released(name)), same_cells(name):
            course.convert(GenerateAssignment, name, config=config)
        if database:
            editions.remember(name, course)
    return [course.released(name) for name in names]


@contextmanager
def same_cells(name: str) -> Iterator[None]:
    """Say what to do where nbgrader keeps the cells of what was handed in."""
    try:
        yield
    except CourseError as error:
        if "Cannot add or remove cells" not in str(error):
            raise
        raise CourseError(
            f"{name} is graded for somebody already, and its graded cells and answers "
            "stay the same from then on: change their text and points (0 is allowed), "
            "or release another assignment"
        ) from error


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Put a folder back as it was if the block fails: nbgrader empties it first."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / folder.name
        if folder.is_dir():
            shutil.copytree(folder, copy)
        try:
            yield
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            if copy.is_dir():
                shutil.copytree(copy, folder)
            raise


def new_course(folder: Path, assignments: list[str], source: Path = ROOT) -> Path:
    """Make a course folder with its own gradebook: settings and solutions copied."""
    folder = Path(folder)
    (folder / "solutions").mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "nbgrader_config.py", folder)
    for name in assignments:
        shutil.copy(source / "solutions" / f"{name}.py", folder / "solutions")
    return folder


def known(sources: Path) -> list[str]:
    """Return the assignments that a folder of solutions has."""
    names = {path.parent.name for path in sources.glob("[!.]*/*.ipynb")}
    return sorted(names | {path.stem for path in sources.glob("a[0-9]*.py")})


def _name_cells(cells) -> None:
    taken: set[str] = set()
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        name = name or hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        while name in taken:
            name += "x"
        taken.add(name)
        cell.id = name
