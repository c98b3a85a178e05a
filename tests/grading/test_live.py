"""What a run shows: a table in a terminal, plain lines in a pipe."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from course_grader.live import EVERY, Live, span
from course_grader.store.outcomes import Result
from course_lib.console import Terminal
from course_lib.errors import CourseError
from course_lib.terminal import printable

RUN = """
from course_grader.live import Live
from course_grader.store.outcomes import Result
from course_lib.terminal import printable

name = "\\x1b]0;title\\x07bo"
with Live("tiny", 2, already=3) as live:
    live.started("ada")
    live.started(name)
    live.finished(Result("ada", "graded", 7.0, 9.0))
    live.finished(Result(name, "refused", 0.0, 9.0, "no [b]notebook[/b]"))
    {end}
"""


class Clock:
    """Seconds that pass when the test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines(total: int, clock: Clock, results, seconds: float) -> list[str]:
    """Return what is printed to a pipe, `seconds` from one result to the next."""
    text = io.StringIO()
    with Live("tiny", total, console=Console(file=text), clock=clock) as live:
        for result in results:
            live.started(result.student)
            clock.now += seconds
            live.finished(result)
    return text.getvalue().splitlines()


def results(number: int, status: str = "graded") -> list[Result]:
    return [Result(f"s{n}", status, 4.0, 9.0, "x") for n in range(number)]


def test_a_line_for_each_tenth(clock):
    said = lines(200, clock, results(200), 0.25)
    assert len(said) == 10
    assert said[4] == (
        "tiny: graded 100 of 200, graded before 0, refused 0, mean points 4.0 of 9, "
        "a minute 240, time left 25 s"
    )


def test_a_line_for_each_half_minute_when_it_is_slow(clock):
    said = lines(1000, clock, results(10), EVERY / 2)
    assert len(said) == 5 + 1  # and one for a run that ends early
    assert said[0].endswith("a minute 4, time left 4:09 h")


def test_each_refused_one_is_named_with_the_reason(clock):
    said = lines(100, clock, results(3, "refused"), 1)
    assert said[:3] == [f"s{n}: refused: x" for n in range(3)]
    assert "mean points" not in said[3]


def test_an_empty_run_says_nothing(clock):
    assert lines(0, clock, [], 1) == []


def test_the_table_names_the_longest_running_ones(clock):
    live = Live("tiny", 20, already=5, console=Console(file=io.StringIO()), clock=clock)
    for n in range(9):
        live.started(f"s{n}")
        clock.now += 10
    live.finished(Result("s0", "graded", 3.0, 9.0))
    text = io.StringIO()
    Console(file=text, width=80).print(live.table())
    shown = text.getvalue()
    assert "s1 1:20 min" in shown
    assert "s7" not in shown
    assert "and 2 more" in shown
    assert "3.0 of 9" in shown


def test_a_pipe_gets_no_control_codes():
    ran = subprocess.run(
        [sys.executable, "-c", RUN.format(end="pass")], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert all(letter.isprintable() or letter == "\n" for letter in ran.stdout)
    assert "?]0;title?bo: refused: no [b]notebook[/b]" in ran.stdout


@pytest.mark.parametrize("end", ["pass", "raise KeyboardInterrupt"])
def test_a_terminal_is_left_as_it_was(end):
    said = in_terminal(RUN.format(end=end))
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") > 0  # the cursor
    assert "\x1b]0;title" not in said
    assert "graded before" in said


def in_terminal(program: str) -> str:
    """Return what a program writes to a terminal."""
    ours, its = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=its,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(its)
    said = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            part = b""
        if not part:
            break
        said += part
    child.wait()
    os.close(ours)
    return said.decode()


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.2, "8 s"), (185, "3:05 min"), (7800, "2:10 h")]
)
def test_times_are_short(seconds, text):
    assert span(seconds) == text


def test_text_for_a_terminal_holds_no_codes():
    assert printable("a\x1b[31mb\nc\u202ed é") == "a?[31mb?c?d é"


ORDERS = {
    "title": "\x1b]0;all right\x07",
    "colour": "\x1b[32mgraded",
    "one byte": "\x9b2J",
    "up": "\x1b[1A\x1b[2K",
    "link": "\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\",
    "direction": "\u202egraded\u2066",
    "back": "refused\rgraded\b\b",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_no_text_gives_a_terminal_orders(order):
    """The console takes them out: whoever prints a name need not think of it."""
    shown = io.StringIO()
    console = Terminal(file=shown, force_terminal=True, width=60, _environ={})
    table = Table(order, title=order)
    table.add_row(order)
    for thing in (order, table, Text(f"Ada {order} Byron"), [order], "[red]red[/]"):
        console.print(thing)
    console.rule(order)
    ours = re.sub(r"\x1b\[[\d;]*m", "", shown.getvalue())  # rich's colours
    assert "red" in ours
    assert all(line.isprintable() for line in ours.split("\n"))


def test_an_error_gives_a_terminal_no_orders(run_course, monkeypatch):
    def fails(*_, **__):
        raise CourseError("x".join(ORDERS.values()))

    monkeypatch.setattr("course_grader.export", fails)
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, _, said = run_course("export")
    assert status == 1
    ours = re.sub(r"\x1b\[[\d;]*m", "", said)
    assert ours.startswith("error: ")
    assert all(line.isprintable() for line in ours.split("\n"))


def test_of_the_last_ones_it_is_said_since_when_they_run(clock):
    """The rate of those who are done says nothing of them."""
    live = Live("tiny", 11, console=Console(file=io.StringIO()), clock=clock)
    for n in range(11):
        live.started(f"s{n}")
    for n in range(10):
        clock.now += 1
        live.finished(Result(f"s{n}", "graded", 4.0, 9.0))
    clock.now += 110
    assert live.left is None
    assert "time left" not in live.facts()
    assert live.line().endswith("a minute 5, running s10 2:00 min")


def test_the_time_left_is_measured_from_the_moment_the_workers_are_warm(clock):
    live = Live("tiny", 5, console=Console(file=io.StringIO()), clock=clock)
    live.finished(Result("unread", "refused", 0.0, 9.0, "x"))
    live.started("(the model solution)")
    clock.now += 1000
    live.ready()
    assert live.left is None
    assert live.running == {}
    clock.now += 6
    live.finished(Result("ada", "graded", 4.0, 9.0))
    assert live.left == 18
    assert live.facts()["a minute"] == "10"
