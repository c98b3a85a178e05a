"""The students' edition: the repository that a class clones, without any answer in it.

It holds what git tracks in a few folders, in the state of the working tree. Solutions,
hidden tests, marking schemes, the grader and its tests stay out by not being named.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from course_grader.assignment.colab import with_colab
from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing
from course_lib.hand_in import guide
from course_lib.hand_in.guide import EDITION

FOLDERS = "notebooks", "assignments", "course_lib", "data", "experiments", ".jupyter"
FILES = (
    *("README.md", "CHANGELOG.md", "CITATION.cff", "LICENSE", "LICENSE-TEXT"),
    *("Makefile", "pyproject.toml", "constraints.txt", "environment.yml"),
    *(".gitignore", ".gitattributes", ".github/workflows/check.yml"),
    *(".binder/environment.yml", ".binder/postBuild"),
)
ADDRESS = re.compile(r"(https?|ssh|file)://[^\s\"'\\]+")
INSTRUCTORS = re.compile(r"<!-- instructors -->\n.*?<!-- /instructors -->\n", re.S)


class Published(NamedTuple):
    """What a publication did, as paths inside the edition."""

    written: list[str]  # new or changed
    removed: list[str]  # no longer part of the edition
    kept: list[str]  # of somebody else, where one of ours would lie


class Note(NamedTuple):
    """What an edition says of itself."""

    files: set[str]  # that the last publication wrote
    repository: str  # where students clone it; "" is not known
    deadlines: dict[str, str] = {}  # by assignment: UTC, as in ISO 8601


def publish(
    folder: Path,
    root: Path = ROOT,
    repository: str = "",
    deadlines: dict[str, datetime] | None = None,
) -> Published:
    """Write the students' edition into a folder, or bring the one there up to date.

    A file that this command did not write is never touched, so the folder's own git
    history and what was added there stay. CourseError: the folder lies in this
    repository, or holds other files and no edition, or an assignment is not released.

    repository: where students clone the edition: its notebooks then work on Colab, too.
        "" is the one of the last publication.
    deadlines: by assignment; a student's working copy says its own.
    """
    folder = folder.expanduser().resolve()
    if folder == root or root in folder.parents:
        raise CourseError(f"{folder} lies in this repository: name a folder outside it")
    if repository and not ADDRESS.fullmatch(repository):
        raise CourseError(
            f"{repository!r} is no address to clone from: expected one like "
            "https://git.example.org/course.git"
        )
    old, before, _ = earlier(folder)
    repository = repository or before
    due = {name: when.isoformat() for name, when in (deadlines or {}).items()}
    files = edition(root)
    if repository:
        files = {name: with_colab(name, files[name], repository) for name in files}
    kept = [name for name in files if (folder / name).exists() and name not in old]
    ours = files.keys() - set(kept)
    # first, so that an interrupted run is taken up again
    note(folder, Note(old | ours, repository, due))
    done = Published([], [], kept)
    for name in sorted(ours):
        path, content = folder / name, files[name]
        if not path.exists() or path.read_bytes() != content:
            with replacing(path) as part:
                part.write_bytes(content)
                shutil.copymode(root / name, part)
            done.written.append(name)
    for name in sorted(old - files.keys()):
        (folder / name).unlink(missing_ok=True)
        done.removed.append(name)
    note(folder, Note(ours, repository, due))
    return done


def note(folder: Path, said: Note) -> None:
    """Write down what the edition is."""
    with replacing(folder / EDITION) as part:
        facts = said._asdict() | {"files": sorted(said.files)}
        part.write_text(json.dumps(facts, indent=0) + "\n", encoding="utf-8")


def earlier(folder: Path) -> Note:
    """Return what the last publication wrote; CourseError: not an edition."""
    if said := guide.facts(folder):
        try:
            return Note(set(said["files"]), said["repository"])
        except (KeyError, TypeError) as error:
            raise guide.unreadable(folder / guide.EDITION, error) from error
    others = [path.name for path in folder.glob("*") if path.name != ".git"]
    if others:
        raise CourseError(
            f"{folder} holds {sorted(others)[0]} and no edition of the course: name a "
            "new or empty folder, or an empty clone"
        )
    return Note(set(), "")


def edition(root: Path) -> dict[str, bytes]:
    """Return name and content of each file of the edition."""
    names = tracked(root)
    wanted = [
        name
        for name in names
        if name in FILES or name.startswith(tuple(f"{part}/" for part in FOLDERS))
    ]
    lost = [name for name in wanted if not (root / name).exists()]
    if lost:
        raise CourseError(f"{root / lost[0]} is deleted and not committed: commit it")
    files = {name: (root / name).read_bytes() for name in wanted}
    readme = students_text(files["README.md"].decode(), files["Makefile"].decode())
    return files | {"README.md": readme.encode()}


def tracked(root: Path) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "-z"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CourseError(f"git does not know what {root} holds: {error}") from error
    return done.stdout.split("\0")[:-1]


def students_text(readme: str, makefile: str) -> str:
    """Return the README without the instructors' parts and targets of make."""
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    lines = INSTRUCTORS.sub("", readme).splitlines(keepends=True)
    return "".join(
        line
        for line in lines
        if not (found := re.match(r"make ([a-z-]+)", line)) or found[1] in targets
    )
