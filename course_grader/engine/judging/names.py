"""The namespace of the judge's cells, and which of its names are the student's."""

from __future__ import annotations


class Names:
    """What a test sees bound, and what of it the student's side knows."""

    def __init__(self, space: dict):
        self.space = space
        self.bound: dict[str, object] = {}  # the student's, as the student's side has

    def bind(self, wanted: set[str], found: dict[str, object]) -> None:
        """Bind the student's names; those that a test wants and are not there go."""
        for name in wanted:
            self.space.pop(name, None)
        self.space.update(found)
        self.bound = dict(found)

    def news(self) -> tuple[dict[str, object], list[str]]:
        """Return what a test has bound and deleted since this was asked last."""
        missing = object()
        now = {name: self.space.get(name, missing) for name in self.bound}
        changed = {n: v for n, v in now.items() if v is not self.bound[n]}
        self.bound.update(changed)
        there = {n: v for n, v in changed.items() if v is not missing}
        return there, [name for name in changed if name not in there]
