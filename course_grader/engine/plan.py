"""Which cell runs where, and whose each name is, read off the instructor's notebook.

Tests run on the judge's side, and of the given cells those which a test needs. A name
belongs to the student when the last cell that binds it, before the test, is a solution
cell; every other name is the instructor's, whatever the student may have made of it.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from course_grader.assignment.bundle import Lesson
from course_grader.assignment.cells import grade_id

HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"


@dataclass
class Step:
    """A code cell of the instructor's notebook."""

    name: str  # its grade id, or "cell 7"
    kind: str  # "test", "solution" or "given"
    source: str  # Python, magics translated
    points: float = 0.0
    hidden: bool = False  # has it hidden tests?
    binds: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)  # name: its import statement
    shown: set[str] = field(default_factory=set)  # bound by what students can read
    concealed: set[str] = field(default_factory=set)  # bound by the hidden part


@dataclass
class Plan:
    """The steps of one notebook, in order."""

    steps: list[Step]

    def owner(self, at: int, name: str) -> tuple[str, int]:
        """Return who binds a name before step `at`: ("own" | "student", step or -1)."""
        for number in range(at - 1, -1, -1):
            step = self.steps[number]
            if name in step.binds:
                student = step.kind == "solution" and name not in step.imports
                return ("student" if student else "own"), number
        return "student", -1

    @cached_property
    def wanted(self) -> set[int]:
        """The given steps that the judge runs, since a test needs what they bind."""
        todo = [n for n, step in enumerate(self.steps) if step.kind == "test"]
        found: set[int] = set()
        while todo:
            at = todo.pop()
            for name in self.steps[at].uses:
                whose, number = self.owner(at, name)
                new = whose == "own" and number >= 0 and number not in found
                if new and self.steps[number].kind == "given":
                    found.add(number)
                    todo.append(number)
        return found

    @cached_property
    def warm(self) -> list[int]:
        """The given steps that need nothing of a student's: they are run beforehand."""
        found: list[int] = []
        for at in sorted(self.wanted):
            needs = [self.owner(at, name) for name in self.steps[at].uses - KNOWN]
            ready = all(
                whose == "own"
                and (number in found or self.steps[number].kind == "solution")
                for whose, number in needs
            )
            if ready and not self.clashes(at):
                found.append(at)
        return found

    def clashes(self, at: int) -> bool:
        """Would a cell that runs before its time change, or lose, what a test sees?

        It would where a test before it uses one of its names, or binds it.
        """
        step, before = self.steps[at], self.steps[:at]
        first = next((n for n, s in enumerate(before) if s.kind == "test"), at)
        for other in before:
            names = set(other.binds) if other.kind != "solution" else set()
            names |= other.uses if other.kind == "test" else set()
            for name in names & step.binds:
                same = step.imports.get(name) == self.imported(at, name)
                if first < at and not (name in step.imports and same):
                    return True
        return False

    def imported(self, at: int, name: str) -> str | None:
        """Return the statement that imports a name before step `at`, if one does."""
        _, number = self.owner(at, name)
        return self.steps[number].imports.get(name) if number >= 0 else None

    def student_names(self, at: int) -> set[str]:
        """The names that step `at` needs from the student."""
        step = self.steps[at]
        found = {n for n in step.uses - KNOWN if self.owner(at, n)[0] == "student"}
        bound = {n: self.owner(at, n) for n in step.binds - KNOWN}
        theirs = {
            n for n, (who, there) in bound.items() if who == "student" and there >= 0
        }
        return found | theirs

    def concealed(self, at: int) -> set[str]:
        """The names that only hidden parts of tests, up to step `at`, have bound."""
        steps = self.steps[: at + 1]
        seen = {n for s in steps for n in (s.shown if s.kind == "test" else s.binds)}
        return {name for step in steps for name in step.concealed} - seen

    def is_hidden(self, at: int) -> bool:
        """Does step `at` hold, or use, what students shall not read?"""
        return self.steps[at].hidden or bool(self.steps[at].uses & self.concealed(at))

    def imports(self, at: int) -> dict[str, str]:
        """The import statements of solution cells whose names step `at` needs."""
        found = {}
        for name in self.steps[at].uses:
            whose, number = self.owner(at, name)
            step = self.steps[number]
            if whose == "own" and number >= 0 and step.kind == "solution":
                found[name] = step.imports[name]
        return found

    @cached_property
    def words(self) -> set[str]:
        """The attributes that the model solutions use, e.g. `pad` of F.pad."""
        found = set()
        for step in self.steps:
            if step.kind == "solution":
                with contextlib.suppress(SyntaxError):
                    nodes = ast.walk(ast.parse(step.source))
                    found |= {n.attr for n in nodes if isinstance(n, ast.Attribute)}
                found |= set(step.imports)
        return found

    def work_out(self) -> Plan:
        """Work out what all submissions have in common."""
        _ = self.words, self.wanted, self.places
        return self

    @cached_property
    def places(self) -> dict[str, int]:
        """The number of each step by name."""
        return {step.name: number for number, step in enumerate(self.steps)}


KNOWN = set(dir(builtins)) | {"__name__", "get_ipython", "display", "In", "Out", "exit"}


def plan(lesson: Lesson) -> Plan:
    """Read the steps off the instructor's notebook, tests from the gradebook."""
    steps = []
    for number, cell in enumerate(lesson.solution.cells):
        if cell.cell_type != "code":
            continue
        name = grade_id(cell)
        known = lesson.cells.get(name)
        facts = known.metadata.nbgrader if known else {}
        source = known.source if known and not facts["solution"] else cell.source
        kind = "given"
        if facts.get("solution"):
            kind = "solution"
        elif facts.get("grade"):
            kind = "test"
        hidden = HIDDEN[0] in source
        found = Step(name or f"cell {number}", kind, python(source))
        found.points, found.hidden = facts.get("points") or 0.0, hidden
        steps.append(analysed(found))
        if kind == "test":
            parts = (Step(found.name, kind, text) for text in _halves(source))
            found.shown, found.concealed = (analysed(part).binds for part in parts)
    return Plan(steps)


def _halves(source: str) -> tuple[str, str]:
    """Split a test's source into what students can read and what is hidden."""
    halves: tuple[list, list] = ([], [])
    inside = False
    for line in source.splitlines():
        inside = inside or HIDDEN[0] in line
        halves[inside].append(line)
        inside = inside and HIDDEN[1] not in line
    return "\n".join(halves[0]), "\n".join(halves[1])


def python(source: str) -> str:
    """Translate magics and shell lines as IPython does."""
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except SyntaxError:
        return source


def modules(source: str) -> Iterator[str]:
    """Yield the modules that a cell imports, and names from them that may be some."""
    tree = ast.parse("")
    with contextlib.suppress(SyntaxError, ValueError, RecursionError):
        tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def analysed(step: Step) -> Step:
    """Fill in the names a step binds, uses and imports; none if it is no Python."""
    try:
        tree = ast.parse(step.source)
        table = symtable.symtable(step.source, step.name, "exec")
    except (SyntaxError, ValueError, RecursionError):
        return step
    top = table.get_symbols()
    step.binds = {s.get_name() for s in top if s.is_assigned() or s.is_imported()}
    step.uses = {s.get_name() for s in top if s.is_referenced()} - step.binds
    step.uses |= {
        symbol.get_name()
        for scope in _scopes(table)
        for symbol in scope.get_symbols()
        if symbol.is_global() and symbol.is_referenced()
    } - step.binds
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            step.uses.add(node.id)
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                step.imports[bound] = ast.unparse(node)
    return step


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _scopes(child)
