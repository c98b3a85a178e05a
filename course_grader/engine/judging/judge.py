"""The process that runs the tests. No line of a student's is executed here.

It walks through the student's notebook in order. Cells that are no tests are sent to
the student's process; a test runs here, with the student's names bound to what that
process has for them.
"""

from __future__ import annotations

import faulthandler
import socket
import time
from collections.abc import Callable
from pathlib import Path

import torch
from nbformat import NotebookNode

from course_grader.assignment.cells import grade_id
from course_grader.engine.common.folder import Folder
from course_grader.engine.common.shell import Shell, TimeIsUp, captured, time_limit
from course_grader.engine.common.warm import installed
from course_grader.engine.common.wire import Channel, Gone
from course_grader.engine.plan import Plan, Step
from course_lib.check import forbidden

from .line import GRACE
from .link import Link
from .oracles import oracles
from .outputs import as_stdout, checked, explain, failed, stopped
from .patience import Patience
from .raised import MESSAGE, Stopped, reading
from .terms import Terms

RESTARTS = 12  # times that a student's process may end before it gets no new one
START = 120  # seconds within which there is a new one
ROOM = 50_000_000  # characters that all cells of a student's may show


class Judge:
    """Grades one notebook: `run` fills in the outputs of its cells."""

    def __init__(
        self,
        plan: Plan,
        shell: Shell,
        connect: Callable[[], tuple[socket.socket, int | None]],
        *,
        cell_seconds: float,
        seconds: float = float("inf"),
        files: dict[str, bytes],
        released: frozenset[str] = frozenset(),
        fair: dict[str, dict] | None = None,
        rules: dict[str, list[str]] | None = None,
        warm: set[int] = frozenset(),
        secret: bytes = b"",
    ):
        self.plan, self.shell, self.connect = plan, shell, connect
        self.cell_seconds, self.fair, self.stated = cell_seconds, fair, rules or {}
        self.handed_in, self.secret = files, secret
        self.folder = Folder(Path.cwd(), released)
        self.done: set[int] = set(warm)  # given steps that ran here
        self.seconds: dict[str, float] = {}
        self.notes: list[str] = []
        self.used: dict[str, list[str]] = {}
        self.ran: list[str] = []  # sources of the student's, for a new process
        self.restarts, self.position = 0, -1  # the step that it is at
        self.patience = Patience(cell_seconds, seconds)
        self.room = ROOM
        self.link: Link | None = None
        self.attach()

    def attach(self) -> None:
        """Connect to a fresh process of the student's."""
        watchdog(START)
        end, schedule = self.connect()
        space = self.shell.user_ns
        self.link = Link(Channel(end), self.folder, space, self.patience, self.secret)
        self.link.line.schedule, self.link.line.extended = schedule, self.watch
        self.link.place(self.handed_in)
        for number in self.done:
            self.know_given(self.plan.steps[number])

    def run(self, notebook: NotebookNode) -> NotebookNode:
        """Execute a notebook's code cells, each where it belongs."""
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            name = grade_id(cell)
            at = self.plan.places.get(name)
            self.position = self.position if at is None else at
            test = at is not None and self.plan.steps[at].kind == "test"
            start = time.perf_counter()
            outputs = self.patience.outputs_over() or (
                self.test(at, cell) if test else self.student_cell(cell.source)
            )
            cell.outputs = [NotebookNode(output) for output in outputs]
            cell.execution_count = number + 1
            self.seconds[name or f"cell {number}"] = time.perf_counter() - start
            self.patience.add(self.link.line.added)
        return notebook

    def start_clock(self) -> None:
        """Give what follows the time of one cell, on both sides."""
        self.link.line.give(self.cell_seconds)
        self.watch()

    def watch(self) -> None:
        """End this process some time after the present deadline."""
        watchdog(max(self.link.line.left, 0) + 5 * GRACE)

    def modules(self) -> list[list[str]]:
        """Return what each side has imported now: the next ones begin with it."""
        self.start_clock()
        answer, _ = self.link.line.request("modules")
        return [installed(), answer.get("modules", [])]

    # --- cells of the student's -------------------------------------------------------

    def student_cell(self, source: str) -> list[dict]:
        """Run a cell of the student's; one that ends the process is not run again."""
        self.start_clock()
        try:
            answer, _ = self.link.run(source)
            with reading():
                outputs = checked(answer.get("outputs", []))
                if "error" in answer:
                    outputs.append(stopped(str(answer["error"]["text"])[:MESSAGE]))
                elif answer.get("failed") and not failed(outputs):
                    outputs.append(stopped("it failed, and shows nothing"))
        except Stopped as stop:
            self.restart()
            return [stopped(str(stop))]
        self.ran.append(source)
        self.follow(str(answer.get("dtype")))
        self.room -= outputs.size
        if self.room < 0:
            note = "… left out: the cells before have shown more than is kept\n"
            return [{"output_type": "stream", "name": "stdout", "text": note}]
        return outputs

    def follow(self, dtype: str) -> None:
        """Compute in float64 from here on if the student does; given cells, too."""
        new = torch.float64 if dtype == "float64" else torch.float32
        if new != torch.get_default_dtype():
            torch.set_default_dtype(new)
            self.done = {number for number in self.done if number <= self.position}

    def restart(self) -> None:
        """Give the student a new process, in which the cells so far are run again.

        After RESTARTS there is none, and what asks it fails.
        """
        self.restarts += 1
        self.link.line.lost = True
        if self.restarts > RESTARTS:
            return None
        self.attach()
        for source in list(self.ran):
            self.start_clock()
            try:
                self.link.run(source)
            except Stopped:
                self.ran.remove(source)
                return self.restart()
        return None

    # --- tests ------------------------------------------------------------------------

    def test(self, at: int, cell: NotebookNode) -> list[dict]:
        """Run a test cell here; return its outputs."""
        step, link = self.plan.steps[at], self.link
        self.start_clock()
        fair = None if self.fair is None else self.fair.get(step.name, {})
        if fair and fair.get("alone"):
            return self.alone(step, cell)
        allowed = None if fair is None else set(fair.get("used", ()))
        terms = Terms(allowed, concealed=self.plan.concealed(at))
        link.terms = terms
        try:
            self.prepare(at)
            outputs = self.execute(step)
        except Stopped as stop:
            outputs = [stopped(str(stop))]
        self.used[step.name] = sorted(terms.used)
        cell.metadata["course"] = {"remote": is_remote(outputs, terms)}
        if terms.unread:
            explain(outputs)
        if terms.broken:
            self.notes.append(f"rule: {step.name}: {terms.broken[0]} was called")
        if self.ended(outputs):
            self.restart()
        else:
            self.hand_over(at)
        return outputs

    def alone(self, step: Step, cell: NotebookNode) -> list[dict]:
        """Run a test where the answer can see it: it passes in no other way."""
        self.used[step.name] = []
        at = self.plan.places[step.name]
        names = {n: self.plan.owner(at, n) for n in step.uses}
        tests = {n for n, s in enumerate(self.plan.steps) if s.kind == "test"}
        self.lend({n for n, (_, number) in names.items() if number in tests})
        cell.metadata["course"] = {"remote": True}
        return as_stdout(self.student_cell(step.source))

    def prepare(self, at: int) -> None:
        """Run the given cells that the test needs, and bind the student's names."""
        for number in sorted(self.plan.wanted - self.done):
            if number < at:
                self.done.add(number)
                self.bind(number)
                self.execute(self.plan.steps[number])
                self.know_given(self.plan.steps[number])
        self.bind(at)
        self.link.terms.rules = self.rules_of(at)

    def bind(self, at: int) -> None:
        """Bind what a step needs: imports of solution cells, the student's names."""
        for statement in self.plan.imports(at).values():
            exec(statement, self.shell.user_ns)
        wanted = self.plan.student_names(at)
        found = self.link.values(sorted(wanted)) if wanted else {}
        self.link.names.bind(wanted, found)

    def execute(self, step: Step) -> list[dict]:
        """Run a step here within its time; return its outputs, stderr as stdout."""
        line = self.link.line
        seconds = max(line.left, 0) + 2 * GRACE

        def more() -> float:
            self.watch()
            return line.waited()

        forbidden.ACTIVE.clear()
        forbidden.HERE[0] = False
        with captured(self.shell) as outputs:
            try:
                with time_limit(seconds, line.limit, more):
                    result = self.shell.run_cell(step.source, store_history=False)
                    self.failure = result.error_before_exec or result.error_in_exec
            except TimeIsUp as late:
                self.failure = late
        torch.set_grad_enabled(True)
        broken = self.link.terms.broken if step.kind == "test" else []
        if not failed(outputs):
            if self.failure is not None:
                outputs.append(stopped(str(self.failure)))
            if broken:
                words = f"{broken[0]} was called: solve this without it"
                outputs.append(stopped(words))
        return as_stdout(list(outputs))

    def ended(self, outputs: list[dict]) -> bool:
        """Must the student get a new process, since this one is late or gone?"""
        said = [o for o in outputs if o.get("ename") == "Stopped"]
        return bool(said) and not self.alive()

    def alive(self) -> bool:
        self.link.line.give(GRACE)
        try:
            self.link.line.request("names", names=[], given=[])
        except (Stopped, Gone):
            return False
        return True

    def know_given(self, step: Step) -> None:
        """Functions and classes of a given cell are on both sides: send their names."""
        for name in step.binds:
            value = self.shell.user_ns.get(name)
            if callable(value) and getattr(value, "__module__", None) == "__main__":
                self.link.held.know(name, value)

    def hand_over(self, at: int) -> None:
        """Let the student have what a test's visible part bound, for later cells."""
        step = self.plan.steps[at]
        later = {
            n for s in self.plan.steps[at + 1 :] if s.kind != "test" for n in s.uses
        }
        self.lend((step.shown - step.concealed) & later)

    def lend(self, names: set[str]) -> None:
        """Bind names of ours on the student's side, those that can go there."""
        space = self.shell.user_ns
        for name in sorted(names & set(space)):
            self.start_clock()
            try:
                self.link.bind({name: space[name]})
            except TypeError:
                continue
            except Stopped:
                return

    def rules_of(self, at: int) -> dict[str, list[str]]:
        """Return what the answers that a test calls must not call, by their names.

        What the model solution uses, everybody may, as a layer or as a function.
        """
        step, names = self.plan.steps[at], self.plan.student_names(at)
        found = oracles(step, names, self.shell.user_ns)
        words = {_flat(word) for word in self.plan.words}
        for name, rules in found.items():
            found[name] = [r for r in rules if _flat(r.rpartition(".")[2]) not in words]
        for name, rules in self.stated.items():  # an object may come from before
            found[name] = [*found.get(name, []), *rules]
        return found


def _flat(word: str) -> str:
    """Return what max_pool2d and MaxPool2d, or cross_entropy and its Loss, share."""
    return word.replace("_", "").lower().removesuffix("loss")


def watchdog(seconds: float) -> None:
    """End this process after so long, if it is not set anew before.

    A time limit waits for the next line of Python. `answer in found` is one line, and
    an answer may be such that it takes a year.
    """
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)


def is_remote(outputs: list[dict], terms: Terms) -> bool:
    """Came the error's text out of the student's code?"""
    texts = [o["evalue"] for o in outputs if o["output_type"] == "error"]
    said = {line for text in terms.said for line in text.splitlines()} - {""}
    return any(line in shown for shown in texts for line in said)
