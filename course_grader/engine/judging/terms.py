"""On which terms a test runs: what it may ask for, what an answer may not call."""

from __future__ import annotations

from dataclasses import dataclass, field

DECIDE = {  # what lets an object of the student's say what a test goes by
    **{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="},
    **{"bool": "bool", "contains": "in", "isinstance": "isinstance", "hash": "hash"},
}


def deciding(used: list[str]) -> list[str]:
    """Return what a test let objects of the student's decide, as it is written."""
    words = [word.partition(":") for word in used]
    signs = [DECIDE[word] for word, _, _ in words if word in DECIDE]
    return signs + [f".{name}" for word, _, name in words if word == "getattr"]


def shipped(used: list[str]) -> list[str]:
    """Return what went along with functions that a test handed in."""
    words = [word.partition(":") for word in used]
    return [name for word, _, name in words if word == "along"]


@dataclass
class Terms:
    """Of one test: what it may do with the student's objects, and what came of it."""

    allowed: set[str] | None = None  # what the model solution's test did; None records
    rules: dict[str, list[str]] = field(default_factory=dict)  # by the name called
    concealed: set[str] = field(default_factory=set)  # names that hidden parts bind
    used: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)  # rules, by their names
    unread: bool = False  # came an object where the model solution gave data?
    said: list[str] = field(default_factory=list)  # texts of the student's exceptions

    def allow(self, operation: str) -> bool:
        """May the test do this with an object of the student's?"""
        return self.allowed is None or operation in self.allowed

    def may_be_network(self, name: str | None) -> bool:
        """May what the student's `name` gives be a network? Notes it for the model."""
        if self.allowed is None:
            self.used.add(f"network:{name or ''}")
            return True
        found = {word for word in self.allowed if word.startswith("network:")}
        return f"network:{name}" in found if name else bool(found)

    def may_be_object(self, name: str | None) -> bool:
        """Did the model solution give an object of its own class here?"""
        return self.allow(f"object:{name or ''}")

    def gives_object(self, name: str | None) -> None:
        """Note that what the student's `name` gives is an object of their own class."""
        if not self.use(f"object:{name or ''}"):
            self.unread = True

    def goes_along(self, names: list[str]) -> None:
        """Note what the answer could read in a function that it was handed."""
        if self.allowed is None:
            self.used |= {f"along:{name}" for name in names}

    def use(self, operation: str) -> bool:
        """As `allow`, and note it where the model solution is tried."""
        if self.allowed is None:
            self.used.add(operation)
        return self.allow(operation)
