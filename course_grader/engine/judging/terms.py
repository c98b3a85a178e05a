"""On which terms a test runs: what it may ask for, what an answer may not call."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Terms:
    """Of one test: what it may do with the student's objects, and what came of it."""

    allowed: set[str] | None = None  # what the model solution's test did; None records
    rules: dict[str, list[str]] = field(default_factory=dict)  # by the name called
    used: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)  # rules, by their names
    said: list[str] = field(default_factory=list)  # texts of the student's exceptions

    def allow(self, operation: str) -> bool:
        """May the test do this with an object of the student's?"""
        return self.allowed is None or operation in self.allowed

    def use(self, operation: str) -> bool:
        """As `allow`, and note it where the model solution is tried."""
        if self.allowed is None:
            self.used.add(operation)
        return self.allow(operation)
