"""Whose a name and a folder of submitted/ is: no two people ever share one."""

from __future__ import annotations

import json
import unicodedata
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from course_lib.errors import CourseError
from course_lib.hand_in.ipynb import Refused
from course_lib.hand_in.submit import as_folder

from .layouts import Group
from .unpack import shown

RECORD = ".collected.json"  # in a person's folder, if its name does not say it all


class Names:
    """Who shares a name with another, or the folder of it."""

    def __init__(self, groups: list[Group], everybody: set[str]):
        """groups: of one source, in which two people of one name have two numbers;
        everybody: the names of all sources, in which a person may come again.
        """
        self.numbers: dict[tuple, dict[str, None]] = defaultdict(dict)
        self.alike: dict[str, set[str]] = defaultdict(set)  # by folder
        for group in groups:
            self.numbers[group[:2]][group.number] = None
            self.alike[_folder(group.student)].add(group.student)
        ours = {unicodedata.normalize("NFC", group.student) for group in groups}
        for name in everybody:
            if unicodedata.normalize("NFC", name) not in ours:
                self.alike[_folder(name)].add(name)

    def check(self, group: Group) -> None:
        """Refuse a name that is two people's, or whose folder would be."""
        numbers = self.numbers[group[:2]]
        if len(numbers) > 1:
            raise Refused(
                f"{len(numbers)} people are called {shown(group.student)} (numbers "
                f"{', '.join(numbers)}): give each a folder with another name."
            )
        folder = as_folder(group.student)
        if len(self.alike[folder]) > 1:
            both = " and ".join(map(ascii, sorted(self.alike[folder])[:3]))
            raise Refused(
                f"{both} would share the folder {folder}: give each another name."
            )


class Owner(NamedTuple):
    """Who has a folder of submitted/, as far as an earlier `collect` has noted it."""

    folder: Path
    name: str
    numbers: dict[str, str]  # an LMS's for this person, by assignment

    @classmethod
    def of(cls, folder: Path) -> Owner:
        """Read whose a folder is: whoever it is called after, if nothing is noted."""
        try:
            noted = json.loads((folder / RECORD).read_text("utf-8"))
            return cls(folder, str(noted["name"]), dict(noted["numbers"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(folder, folder.name, {})

    def check(self, group: Group, assignment: str) -> None:
        """Refuse another person whose folder would be this one."""
        name = unicodedata.normalize("NFC", group.student)
        if self.folder.is_dir() and name != unicodedata.normalize("NFC", self.name):
            raise Refused(
                f"the folder {self.folder.name} is {self.name!a}'s already: give "
                f"{name!a} another name."
            )
        number = self.numbers.get(assignment, group.number)
        if group.number and number != group.number:
            raise Refused(
                f"{shown(name)} came with the number {number} before, now with "
                f"{group.number}: give them two names, or, if they are one person, "
                f"remove {self.folder.name}/{RECORD}."
            )

    def note(self, group: Group, assignment: str) -> None:
        """Write down whose the folder is, where its name alone does not say it."""
        numbers = dict(self.numbers)
        if group.number:
            numbers[assignment] = group.number
        name = unicodedata.normalize("NFC", group.student)
        if numbers or name != self.folder.name:
            text = json.dumps({"name": name, "numbers": numbers}, indent=2)
            (self.folder / RECORD).write_text(text + "\n", "utf-8")


def _folder(student: str) -> str:
    try:
        return as_folder(student)
    except CourseError:  # said when it is this student's turn
        return ""
