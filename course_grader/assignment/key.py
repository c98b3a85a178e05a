"""The answer key: a solution's notebook with all its outputs, as instructors open it.

A release is made from it, and holds none of them.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from course_lib import kernel
from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.notebook import write

from .release import build

SECONDS = 600  # a cell may take


def execute(assignment: str, course: Path = ROOT, on_cell=None) -> Path:
    """Run a solution in a copy of its folder, and keep the outputs in its notebook.

    on_cell(done, cells): called before each code cell. CourseError says which cell
    failed, and how; then the notebook stays as it was.
    """
    import nbclient
    import nbformat
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from traitlets.config import Config

    path = build(assignment, course)
    notebook = nbformat.read(path, as_version=4)
    options = {"timeout": SECONDS, "startup_timeout": 300, "record_timing": False}
    if on_cell:
        cells = len(notebook.cells)
        options["on_cell_start"] = lambda cell, cell_index: on_cell(cell_index, cells)
    quiet = Config({"KernelManager": {"transport_encryption": "auto"}})
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(path.parent, copy, dirs_exist_ok=True)
        try:
            with kernel.running(path.name):
                nbclient.execute(notebook, copy, config=quiet, **options)
        except (CellExecutionError, CellTimeoutError) as error:
            raise CourseError(f"the solution {path.name} fails:\n{error}") from error
    notebook.metadata["language_info"] = {"name": "python"}
    write(notebook, path)
    return path
