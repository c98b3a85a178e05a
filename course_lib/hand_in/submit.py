"""The student's zip, checked before it is made: `course submit ASSIGNMENT`.

It is laid out as NAME/ASSIGNMENT/…, as nbgrader's folder `submitted` is, and the same
files give the same bytes.
"""

from __future__ import annotations

import getpass
import hashlib
import io
import os
import re
import struct
import time
import unicodedata
import zipfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from course_lib.errors import CourseError
from course_lib.files import replacing
from course_lib.hand_in import work
from course_lib.hand_in.cell import as_released, is_locked, is_solution
from course_lib.hand_in.ipynb import parse
from course_lib.terminal import printable

LIMIT = 100 * 2**20  # bytes of all files
FILES = {".py", ".json", ".safetensors", ".csv", ".txt", ".md"}
FILES |= {".png", ".jpg", ".jpeg", ".svg", ".pdf"}
STAMP = 0x5455
EARLIEST, LATEST = 315532800, 2**31 - 1  # s since 1970 that a zip can hold, from 1980
ANYBODY = {"", "root", "jovyan", "user", "student", "ubuntu", "admin"}
STUB = "raise NotImplementedError"
STUBBED = "still raises NotImplementedError"


class HandIn(NamedTuple):
    """A zip that was made."""

    path: Path
    student: str
    files: dict[str, int]  # what is inside, by name beside the notebook, in bytes
    left_out: list[str]  # what else is in the folder
    warnings: list[str]  # what a student may want to change first, a line each
    time: str  # when it was made, with the zone
    sha256: str  # of the zip
    earlier: Path | None = None  # where another one of the same name lies now


def submit(
    assignment: str,
    student: str = "",
    folder: Path | None = None,
    out: Path | None = None,
) -> HandIn:
    """Check an assignment and write <out>/<assignment>_<student>.zip.

    An earlier zip of this name is kept under another one. The zip's name has no spaces.

    student: default: the login name, unless it is everybody's (root, jovyan, …).
    folder: that holds the notebook; default: work/<assignment>, this one, or
        assignments/<assignment>.  out: default: work/.
    Files beside the notebook go in (code, records, weights, pictures); folders, data
    sets, checkpoints and links do not.
    """
    folder = folder or find(assignment)
    student = as_folder(student or login())
    name = named(folder, assignment).name
    files, left_out = gather(folder, name)
    notebook, repaired = parse(files[name], name)
    zip_name = re.sub(r"\s", "_", f"{assignment}_{student}.zip")
    path = (out or work.WORK) / zip_name
    times = {name: (folder / name).stat().st_mtime for name in files}
    content = zipped(files, times, f"{student}/{assignment}/")
    same = path.is_file() and path.read_bytes() == content
    earlier = work.put_aside(path) if path.exists() and not same else None
    with replacing(path) as part:
        part.write_bytes(content)
    sizes = {name: len(data) for name, data in files.items()}
    warnings = repaired + examine(notebook, answers(assignment))
    now = time.strftime("%Y-%m-%d %H:%M:%S %z")
    sha = hashlib.sha256(content).hexdigest()
    return HandIn(path, student, sizes, left_out, warnings, now, sha, earlier)


def find(assignment: str) -> Path:
    """Return the folder with the student's notebook: the one in work/ comes first."""
    here, copy = Path.cwd(), work.WORK / assignment
    if copy.is_dir():  # a renamed notebook in it is no reason to take the release
        return copy
    for folder in (here, here / assignment, work.RELEASED / assignment):
        if (folder / f"{assignment}.ipynb").is_file():
            return folder
    raise CourseError(
        f"there is no {assignment}.ipynb in {here}, nor in work/ or assignments/ of "
        "the course: begin one with `course start`, or say where it is with --folder."
    )


def named(folder: Path, assignment: str) -> Path:
    """Return the assignment's notebook in a folder."""
    path = folder / f"{assignment}.ipynb"
    if not path.is_file():
        found = (path.name for path in folder.glob("*.ipynb") if path.is_file())
        there = ", ".join(sorted(found))
        raise CourseError(
            f"{folder} has no {path.name}, only {there or 'other files'}: give the "
            "notebook this name, or say where it is with --folder."
        )
    return path


def login() -> str:
    """Return the name by which this machine knows the user, if it is a person's."""
    try:
        name = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
    except (KeyError, OSError, ImportError) as error:  # a number without a name
        raise CourseError(
            "say who hands in: this machine has no name for you. Add --student, with "
            "the name that your instructor knows."
        ) from error
    if name in ANYBODY:
        raise CourseError(
            f"say who hands in: this machine calls you {name!r}. Add --student, with "
            "the name that your instructor knows."
        )
    return name


def as_folder(name: str) -> str:
    """Return a person's name as a folder's; CourseError if nothing is left of it."""
    given, name = name, unicodedata.normalize("NFC", name).strip().rstrip(". ")
    name = re.sub(r"[/\\:]", "_", printable(name, "_"))
    if name.startswith("."):
        name = "_" + name[1:]
    if not name.strip("_"):
        raise CourseError(f"{given!r} is no name for a person's folder: use letters.")
    return name.encode()[:200].decode("utf-8", "ignore")


def gather(folder: Path, notebook: str) -> tuple[dict[str, bytes], list[str]]:
    """Return the files to hand in, and the names of what stays."""
    files, left_out, size = {}, [], 0
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "__pycache__":
            continue
        wanted = path.name == notebook or path.suffix.lower() in FILES
        if not wanted or not path.is_file() or path.is_symlink():
            left_out.append(path.name)
            continue
        size += path.stat().st_size
        if size > LIMIT:
            raise CourseError(
                f"with {path.name} there are more than {LIMIT >> 20} MB in {folder}: "
                "move what is not part of your answers somewhere else."
            )
        files[path.name] = path.read_bytes()
    if notebook not in files:
        raise CourseError(f"{folder / notebook} is a link: hand in the file itself.")
    return files, left_out


def answers(assignment: str) -> list[str]:
    """Return the names of the answers that the release asks for, if it is here."""
    path = work.RELEASED / assignment / f"{assignment}.ipynb"
    with suppress(CourseError, OSError):  # not here, or half merged: nobody's fault
        cells = parse(path.read_bytes(), path.name)[0].cells
        return [cell.metadata.nbgrader.grade_id for cell in cells if is_solution(cell)]
    return []


def examine(notebook: NotebookNode, asked: list[str]) -> list[str]:
    """Say what is unanswered or was changed though locked, by nbgrader's checksums.

    asked: the names of all answers; one whose cell is gone is named, too.
    """
    found: dict[str, list[str]] = defaultdict(list)
    seen = set()
    for cell in notebook.cells:
        facts = cell.metadata.get("nbgrader", {})
        name, points = facts.get("grade_id"), facts.setdefault("points", 0)
        if "skip-execution" in cell.metadata.get("tags", []):
            found["tagged skip-execution, which does not count"].append(str(name))
        if not isinstance(name, str) or not isinstance(points, int | float):
            continue
        if name in seen:
            found["there twice, the last one counts"].append(name)
        seen.add(name)
        if is_solution(cell) and not is_answered(cell):
            found["unanswered" if as_released(cell) else STUBBED].append(name)
        elif is_locked(cell) and not as_released(cell):
            found["locked but edited, the original is graded"].append(name)
    if not seen:
        return [
            "An editor removed nbgrader's metadata; the grader recovers what it can."
        ]
    if gone := [name for name in asked if name not in seen]:
        found["their cells are gone, no points for them"] = gone
    return [f"{what}: {', '.join(names)}" for what, names in found.items()]


def is_answered(cell: NotebookNode) -> bool:
    """Was it changed since its release, to more than the stub?"""
    stub = cell.cell_type == "code" and STUB in cell.source
    return not stub and not as_released(cell)


def zipped(files: dict[str, bytes], times: dict[str, float], prefix: str) -> bytes:
    """Return a zip; entries are dated by their file's last change, in UTC.

    Their clock has no zone, so that the number of seconds stands beside it.
    Source: Info-ZIP, APPNOTE "Extended Timestamp Extra Field" 0x5455
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            seconds = int(min(max(times[name], EARLIEST), LATEST))
            entry = zipfile.ZipInfo(prefix + name, time.gmtime(seconds)[:6])
            entry.extra = struct.pack("<HHBi", STAMP, 5, 1, seconds)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return content.getvalue()
