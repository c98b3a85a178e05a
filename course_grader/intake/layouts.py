"""Whose each file of a class's download is, by the layout of an LMS or of folders.

Understood are nbgrader's own layout (NAME/ASSIGNMENT/…), a folder or a zip for each
student, within any folders around the class, and the names that these give to files:

- Moodle: `Ada Byron_123_assignsubmission_file_/…`, or `Participant_123_…`, blind
- Canvas: `byronada_12_345_x.ipynb`, or `byronada_LATE_12_345_x.ipynb`
- Blackboard: `Unit 1_byron_attempt_2026-01-15-10-30-00_x.ipynb`
- Brightspace: `12-34 - Ada Byron - Jan 15, 2026 1030 AM - x.ipynb`, or a folder of it
- Google Classroom: `Ada Byron - x.ipynb`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from course_lib.hand_in.ipynb import Refused

from .submission import is_notebook
from .unpack import LIMIT, Entry, apart, listing

CLASS_FILES = 500_000  # of a whole class
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_[a-z]+_?(.*)", re.S)
CANVAS = re.compile(r"(.+?)(_LATE)?_(\d+)_\d+_(.+)", re.S)
BLACKBOARD = re.compile(r"(.+)_attempt_(\d{4}(?:-\d\d){5})(?:_(.+)|\.txt)", re.S)
BRIGHTSPACE = re.compile(
    r"(\d+)-\d+ - (.+) - (\w{3}\w*\.? \d{1,2}, \d{4} \d{3,4} [AP]M)(?: - (.+))?", re.S
)
CLASSROOM = re.compile(r"(.+) - (.+?)(?: \(\d+\))?\.ipynb", re.S)
BLIND = {"Participant", "Participante", "Partecipante", "Teilnehmerin", "Deelnemer"}
MANY = 3  # people of one name and nobody else: the name is none


class Owner(NamedTuple):
    """What a file's name says; "" where the source as a whole must say it."""

    student: str
    number: str  # an LMS's
    path: str  # of the file, among the student's
    attempt: float | None = None  # when it was handed in, s since 1970
    loose: bool = False  # is it a zip that lies beside others, in nobody's folder?
    late: bool = False  # does the LMS say that it came after the deadline?


class Group(NamedTuple):
    """Files of one student's attempt, not read yet."""

    student: str
    assignment: str  # "" if no folder says
    number: str  # an LMS's, or ""
    attempt: float | None
    loose: bool
    late: bool
    entries: list[Entry]
    skipped: dict[str, str]
    stray: bool = False  # does it lie beside several people's, and is nobody's?

    @property
    def time(self) -> float:
        """When it was handed in, else when the last file changed."""
        return self.attempt or max((entry.time for entry in self.entries), default=0.0)


def grouped(
    source: Path, known: dict[str, set[str]], zone: tzinfo | None = None
) -> list[Group]:
    """Say whose each file is, without reading it.

    known: the notebooks of each assignment, as x.ipynb.
    zone: of the times in names and in zips; None is this machine's.
    """
    source = source.resolve() if source.is_dir() else source
    found = listing(source, CLASS_FILES, zone)
    names = [entry.name for entry in found.entries] + [*found.skipped]
    layout = Layout(names, known, zone)
    groups: dict[tuple, Group] = {}

    def group(name: str) -> tuple[Group, str]:
        owner = layout.owner(name)
        student, (first, slash, inner) = owner.student, owner.path.partition("/")
        assigned, path = "", owner.path
        if slash and first in known:
            assigned, path = first, inner
        if not owner.number and student in known and not assigned:
            student, assigned = "", student
        key = student, assigned, owner.number, owner.attempt, owner.loose, owner.late
        return groups.setdefault(key, Group(*key, [], {})), path

    for entry in found.entries:
        mine, path = group(entry.name)
        time = entry.time if mine.attempt is None else mine.attempt
        mine.entries.append(entry._replace(name=path, time=time))
    for name, why in found.skipped.items():
        mine, path = group(name if "/" in name else f"{name}/{name}")
        mine.skipped[path] = why
    whole = [one for one in groups.values() if one.student or _matters(one)]
    whole = whole or list(groups.values())
    stem = source.name if source.is_dir() else source.stem
    several = len({one.student for one in whole if one.student and _hands_in(one)}) > 1
    mine = [
        one if one.student else one._replace(student=stem, stray=several)
        for one in whole
    ]
    return _named([_opened(_apart(one), known, zone) for one in mine])


def _apart(group: Group) -> Group:
    """Number files that came under one name: the newest keeps it."""
    entries = apart(sorted(group.entries, key=lambda entry: entry.time))
    return group._replace(entries=sorted(entries, key=lambda entry: entry.name))


def _opened(group: Group, known: dict[str, set[str]], zone: tzinfo | None) -> Group:
    """Give a loose zip to the student that it names inside, as `course submit` does.

    A folder, and what an LMS has named, is its owner's, whatever a zip in it says.
    """
    if not group.loose or len(group.entries) != 1 or group.entries[0].size > LIMIT:
        return group
    try:
        inside = listing(group.entries[0].read(), zone=zone).entries
    except (Refused, OSError):  # said when it is read
        return group
    owners = {
        tuple(one.name.split("/")[:2]) for one in inside if one.name.count("/") > 1
    }
    student, assigned = owners.pop() if len(owners) == 1 else ("", "")
    if assigned not in known:
        return group
    last = max(entry.time for entry in inside)
    return group._replace(student=student, assignment=assigned, attempt=last)


class Layout:
    """How the files of one download are named."""

    def __init__(
        self, names: list[str], known: dict[str, set[str]], zone: tzinfo | None
    ):
        self.known, self.zone = known, zone
        titles = {*known, *(one[:-6] for own in known.values() for one in own)}
        self.titles = {title.casefold() for title in titles}
        self.canvas, self.logins = False, {}
        self.around = wrapper(names, known, self)
        inside = [name.removeprefix(self.around) for name in names]
        loose = [name for name in inside if "/" not in name and _is_hand_in(name)]
        self.canvas = bool(loose) and all(map(CANVAS.fullmatch, loose))
        self.logins = _logins(inside)

    def owner(self, name: str) -> Owner:
        """Say whose a file is; what lies beside the class is nobody's."""
        if not name.startswith(self.around):
            return Owner("", "", name)
        name = name[len(self.around) :]
        first, slash, inner = name.partition("/")
        owner = self.by_lms(first, file=not slash)
        if owner is not None:
            path = "/".join(filter(None, (owner.path, inner)))
            return owner._replace(path=path or first)
        if slash:
            return Owner(first, "", inner)
        if _is_zip(name):
            return Owner(name[:-4], "", name, loose=True)
        return Owner("", "", name)

    def by_lms(self, first: str, file: bool) -> Owner | None:
        """Read the first step of a path (a `file` or a folder) as an LMS writes it."""
        if found := MOODLE.fullmatch(first):
            return Owner(*found.groups())
        if found := BRIGHTSPACE.fullmatch(first):
            number, student, date, rest = found.groups()
            time = _brightspace_time(date, self.zone)
            return Owner(student, number, rest or "", time)
        if file and (found := BLACKBOARD.fullmatch(first)):
            head, date, rest = found.groups()
            login = self.logins.get(head, head.rpartition("_")[2])
            time = _time(date, "%Y-%m-%d-%H-%M-%S", self.zone)
            return Owner(login, "", rest or "attempt.txt", time)
        if file and self.canvas and (found := CANVAS.fullmatch(first)):
            student, late, number, path = found.groups()
            return Owner(student, number, path, late=bool(late))
        if file and (found := CLASSROOM.fullmatch(first)):
            student, title = found.groups()
            if title.casefold() in self.titles:
                return Owner(student, "", f"{title}.ipynb")
        return None


def _logins(names: list[str]) -> dict[str, str]:
    """Return the login in what stands before `_attempt_`: ASSIGNMENT_LOGIN.

    Both may have underscores. Where the last one leaves different assignments, the
    assignment is what all of them begin with.
    """
    found = (BLACKBOARD.fullmatch(name) for name in names)
    heads = {one[1] for one in found if one}
    tasks = {head.rpartition("_")[0] for head in heads}
    if len(tasks) <= 1:
        return {head: head.rpartition("_")[2] for head in heads}
    steps = _common([head.split("_")[:-1] for head in heads])
    return {head: "_".join(head.split("_")[len(steps) :]) for head in heads}


def _time(text: str, form: str, zone: tzinfo | None) -> float | None:
    with suppress(ValueError):
        return datetime.strptime(text, form).replace(tzinfo=zone).timestamp()
    return None


def _brightspace_time(text: str, zone: tzinfo | None) -> float | None:
    """Read "January 5, 2026 930 AM": some write the month out, and no leading zero."""
    month, day, year, clock, half = text.replace(".", "").split()
    parts = month[:3], day, year, clock.zfill(4), half
    return _time(" ".join(parts), "%b %d, %Y %I%M %p", zone)


def wrapper(names: list[str], known: dict[str, set[str]], layout: Layout) -> str:
    """Return the folders around a whole class, as "download/submissions/", or ""."""
    for some in filter(None, (list(filter(_is_hand_in, names)), names)):
        around = _around(some, known, layout)
        if around is not None:
            return "".join(f"{step}/" for step in around)
    return ""


def _around(names, known: dict[str, set[str]], layout: Layout) -> list[str] | None:
    """Return the folders that lie around several people, or around a known layout."""
    paths = [name.split("/") for name in names]
    common = _common([path[:-1] for path in paths])
    for at, step in enumerate(common):
        if layout.by_lms(step, file=False):
            return common[:at]
    below = [path[len(common) :] for path in paths]
    loose = [path[0] for path in below if len(path) == 1 and is_notebook(path[0])]
    if loose and all(_is_lms_file(name, layout) for name in loose):
        return common
    people = {path[0] for path in below if len(path) > 1 or _is_zip(path[0])}
    several = len(people) > 1 and not loose and not people & set(known)
    assigned = [at for at, step in enumerate(common) if step in known and at]
    wanted = {one.casefold() for own in known.values() for one in own}
    if several and (not assigned or all(p[-1].casefold() in wanted for p in paths)):
        return common
    if assigned:
        return common[: assigned[0] - 1]
    return common[:-1] if people & set(known) and common else None


def is_canvas_file(name: str) -> bool:
    """Is it called as Canvas calls one among a class's?"""
    return is_notebook(name) and "/" not in name and bool(CANVAS.fullmatch(name))


def _is_lms_file(name: str, layout: Layout) -> bool:
    return bool(CANVAS.fullmatch(name) or layout.by_lms(name, file=True))


def _common(paths: list[Sequence[str]]) -> list[str]:
    """Return the steps that all paths begin with."""
    shared = takewhile(lambda steps: len(set(steps)) == 1, zip(*paths, strict=False))
    return [steps[0] for steps in shared]


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _is_hand_in(name: str) -> bool:
    return is_notebook(name) or _is_zip(name)


def _matters(loose: Group) -> bool:
    """Is there a submission among the files that are in no student's folder?"""
    names = [*loose.skipped, *(entry.name for entry in loose.entries)]
    return bool(loose.assignment) or any(map(is_notebook, names))


def _hands_in(group: Group) -> bool:
    return any(_is_hand_in(entry.name) for entry in group.entries)


def _named(groups: list[Group]) -> list[Group]:
    """Tell by number those whom blind marking calls by one name."""
    numbered = {(one.student, one.number) for one in groups if one.number}
    names = {student for student, _ in numbered}
    blind = names if len(names) == 1 and len(numbered) >= MANY else names & BLIND
    return [
        one._replace(student=f"{one.student}_{one.number}")
        if one.number and one.student in blind
        else one
        for one in groups
    ]
