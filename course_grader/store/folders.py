"""autograded/<student>/<assignment>: written beside its place, then moved there whole.

A folder in the making is `.<name>.<token>.new`, and the one that it replaces, for an
instant, `.<name>.<token>.old`. nbgrader's patterns start with no dot: it sees neither.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
from pathlib import Path, PurePosixPath

from nbgrader.coursedir import CourseDirectory

from .outcomes import Unfit

BAD_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)
BAD_NAME += (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)  # a file inside a file


def graded(folder: CourseDirectory, assignment: str) -> dict[str, Path]:
    """Return the autograded folders of an assignment, by student, in order."""
    step = folder.autograded_directory
    name = re.escape(assignment)
    pattern = folder.format_path(step, "(?P<student>.*)", name, escape=True)
    known = re.compile(pattern, re.DOTALL)
    found = {}
    for path in glob.glob(_every(folder, assignment)):
        found[known.fullmatch(path)["student"]] = Path(path)
    return dict(sorted(found.items()))


def stage(
    target: Path, token: str, files: dict[str, bytes], mode: int, shared: bool
) -> Path:
    """Write files for `target` into a new folder beside it, and return that.

    mode: permissions of the files; shared: the group may write into the folders.
    """
    new = target.with_name(f".{target.name}.{token}.new")
    try:
        for name, content in files.items():
            path = new / _inside(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content, mode)
    except (OSError, ValueError) as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OSError) and error.errno not in BAD_NAME:
            raise
        raise Unfit(f"a file's name cannot be written here: {error}") from error
    if shared:
        for where in (target.parent, new, *(p for p in new.rglob("*") if p.is_dir())):
            where.chmod(where.stat().st_mode & 0o2777 | 0o2770)
    return new


def publish(new: Path, target: Path) -> None:
    """Move a staged folder to its place, whose earlier content goes."""
    old = new.with_suffix(".old")
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def repair(folder: CourseDirectory, assignment: str, committed: set[str]) -> None:
    """Finish what a killed run had committed to the gradebook, and drop the rest."""
    for new in _beside(folder, assignment, "new"):
        name, token = _parts(new)
        if token in committed:
            publish(new, new.with_name(name))
        else:
            shutil.rmtree(new)
    for old in _beside(folder, assignment, "old"):
        target = old.with_name(_parts(old)[0])
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)


def _beside(folder: CourseDirectory, assignment: str, end: str) -> list[Path]:
    place = Path(_every(folder, assignment))
    found = glob.glob(str(place.with_name(f".{place.name}.*.{end}")))
    return [Path(path) for path in found]


def _every(folder: CourseDirectory, assignment: str) -> str:
    step = folder.autograded_directory
    return folder.format_path(step, "*", glob.escape(assignment))


def _parts(path: Path) -> tuple[str, str]:
    """Return the name and the token of a folder beside its place."""
    name, token, _ = path.name[1:].rsplit(".", 2)
    return name, token


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} does not lie in the submission's folder")
    return path


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    path.chmod(mode)
