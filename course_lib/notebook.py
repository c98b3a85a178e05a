"""A notebook as a module, and as a pair of files that must not drift apart.

`notebooks/NN_name.py` (jupytext py:percent) is what people edit; `NN_name.ipynb` beside
it is its executed twin. `load` runs the cells tagged `export` and returns a module.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from course_lib import imports
from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing

NOTEBOOKS = ROOT / "notebooks"
KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}


class Cell(NamedTuple):
    kind: str  # "code" or "markdown"
    tags: tuple[str, ...]
    source: str
    line: int  # of its first source line, from 1


class NotebookError(CourseError):
    """A notebook that is missing, does not run or has drifted from its twin."""


def units() -> list[str]:
    """Return the names of all units that have a notebook, in the course's order."""
    return sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.py"))


def source(unit: str) -> Path:
    """Return the .py of a unit, given its name ("04_alexnet"), number or last word."""
    names = units()
    found = [name for name in names if unit in (name, *name.split("_", 1))]
    if len(found) == 1:
        return NOTEBOOKS / f"{found[0]}.py"
    close = difflib.get_close_matches(unit, names, 1, 0.4)
    hint = f"did you mean {close[0]}? " if close else ""
    known = ", ".join(names) or f"none: {NOTEBOOKS} holds no notebook"
    raise NotebookError(f"no unit is called {unit!r}; {hint}Units: {known}")


def cells(text: str) -> list[Cell]:
    """Split a py:percent source into cells; no Jupyter, as training needs none.

    A test compares the result with jupytext's for every notebook.
    """
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if re.match(r"# %%(\s|$)", line)]
    found = []
    for start, end in zip(starts, starts[1:] + [len(lines)], strict=True):
        marker = lines[start]
        kind = "markdown" if "[markdown]" in marker else "code"
        tags = re.search(r"tags=(\[.*?\])", marker)
        body = "\n".join(lines[start + 1 : end]).rstrip("\n")
        names = tuple(json.loads(tags.group(1))) if tags else ()
        found.append(Cell(kind, names, body, start + 2))
    return found


_loaded: dict[Path, tuple[int, ModuleType]] = {}


def load(unit: str) -> ModuleType:
    """Run the exported cells of a unit's notebook and return them as a module.

    A second call returns the same module, unless the file has changed since.
    Tracebacks and `inspect.getsource` point into the .py. Raises NotebookError for an
    unknown unit.
    """
    path = source(unit)
    changed = path.stat().st_mtime_ns
    if path in _loaded and _loaded[path][0] == changed:
        return _loaded[path][1]
    module = ModuleType(f"notebook_{path.stem}", f"Exported cells of {path.name}.")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # so that its classes pickle
    for cell in cells(path.read_text(encoding="utf-8")):
        if cell.kind == "code" and "export" in cell.tags:
            padded = "\n" * (cell.line - 1) + cell.source
            code = compile(padded, str(path), "exec", dont_inherit=True)
            exec(code, module.__dict__)
    _loaded[path] = changed, module
    return module


def digest(notebook) -> str:
    """Return the sha256 of a notebook's code: what its outputs were computed from."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def run(unit: str, *, timeout: int = 1200, on_cell=None) -> Path:
    """Execute a unit's notebook and write its .ipynb twin; return the twin's path.

    timeout: seconds a cell. on_cell(done, cells): called before each code cell.
    Cell ids are kept. The twin is replaced only when every cell has run; otherwise
    NotebookError says which cell failed, and how.
    """
    import jupytext
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError
    from traitlets.config import Config

    path = source(unit)
    twin = path.with_suffix(".ipynb")
    notebook = with_ids(jupytext.read(path), twin)
    notebook.metadata["kernelspec"] = KERNELSPEC
    notebook.metadata["language_info"] = {"name": "python"}
    client = NotebookClient(
        notebook,
        timeout=timeout,
        startup_timeout=300,  # 60 s, the default, are few on a busy machine
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
        config=Config({"KernelManager": {"transport_encryption": "auto"}}),
    )
    if on_cell:
        client.on_cell_start = lambda cell, cell_index: on_cell(
            cell_index, len(notebook.cells)
        )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError) as error:
        raise NotebookError(f"{path.name} does not run:\n{error}") from error
    notebook.metadata["language_info"] = {"name": "python"}
    facts = {"executed": digest(notebook), "verified": imports.digest(path)}
    notebook.metadata["course"] = facts
    write(notebook, twin)
    return twin


def is_verified(unit: str) -> bool:
    """Say whether nothing that the outputs came from has changed since they held.

    That is the notebook's code, the course's code and the records that it reaches.
    """
    path = source(unit)
    facts = json.loads(path.with_suffix(".ipynb").read_text("utf-8"))["metadata"]
    return facts.get("course", {}).get("verified") == imports.digest(path)


def verified(unit: str) -> None:
    """Note in the twin that its outputs hold with the code as it is now."""
    import nbformat

    path = source(unit)
    twin = path.with_suffix(".ipynb")
    notebook = nbformat.read(twin, as_version=4)
    notebook.metadata.setdefault("course", {})["verified"] = imports.digest(path)
    write(notebook, twin)


def with_ids(notebook, twin: Path):
    """Give a notebook read from text the cell ids of its twin, where a cell stayed."""
    import nbformat
    from jupytext.combine import combine_inputs_with_outputs

    if twin.exists():
        old = nbformat.read(twin, as_version=4)
        notebook = combine_inputs_with_outputs(notebook, old)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def write(notebook, path: Path) -> None:
    """Write a notebook in place of the one at `path`."""
    import nbformat

    with replacing(path) as part:
        nbformat.write(notebook, part)


def drift(unit: str) -> list[str]:
    """Return in what a unit's .py and .ipynb differ; empty when they are in step.

    Also looks for cells that never ran, for code that changed after it ran, and for
    outputs that hold an error or anything on stderr.
    """
    import jupytext
    import nbformat

    path = source(unit)
    twin = path.with_suffix(".ipynb")
    if not twin.exists():
        return [f"{twin.name} is missing: `course notebooks run {unit}` makes it"]
    text, executed = jupytext.read(path), nbformat.read(twin, as_version=4)
    problems = []
    if len(text.cells) != len(executed.cells):
        problems.append(
            f"{len(text.cells)} cells in .py, {len(executed.cells)} in twin"
        )
    for index, (left, right) in enumerate(
        zip(text.cells, executed.cells, strict=False)
    ):
        tags = [cell.metadata.get("tags", []) for cell in (left, right)]
        folds = [is_folded(cell) for cell in (left, right)]
        if (left.cell_type, left.source) != (right.cell_type, right.source):
            problems.append(f"cell {index} differs: {left.source.splitlines()[:1]}")
        elif tags[0] != tags[1]:
            problems.append(
                f"cell {index} has tags {tags[0]} in .py, {tags[1]} in twin"
            )
        elif folds[0] != folds[1]:
            hint = f"`course notebooks run {unit}`"
            problems.append(f"cell {index} is folded in one of .py and twin: {hint}")
        problems += outputs_wrong(index, right)
    if executed.metadata.get("course", {}).get("executed") != digest(text):
        problems.append("its outputs were computed from other code")
    return problems


def is_folded(cell) -> bool:
    """Say whether a reader sees what a cell shows, and not its code."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def outputs_wrong(index: int, cell) -> list[str]:
    """Return what should not be in the stored outputs of a cell."""
    if cell.cell_type != "code" or not cell.source.strip():
        return []
    problems = [] if cell.execution_count else [f"cell {index} was not executed"]
    for output in cell.outputs:
        if output.output_type == "error":
            problems.append(f"cell {index} stores an error: {output.ename}")
        if output.get("name") == "stderr":
            problems.append(f"cell {index} wrote to stderr: {output.text[:80]!r}")
    return problems
