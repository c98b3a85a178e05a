"""What commands share: console, exit codes, JSON on request, common options."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from course_lib.commands import complete
from course_lib.console import Terminal
from course_lib.errors import CourseError, Finding
from course_lib.files import ROOT
from course_lib.terminal import printable

DONE, ERROR, USAGE, REFUSED = range(4)  # what a command ends with; README says so too
console = Terminal()


class Incomplete(CourseError):
    """Some were refused or not confirmed, and the rest is done: REFUSED, not ERROR."""


Assignment = Annotated[
    str, typer.Argument(help="e.g. a04_alexnet", autocompletion=complete.assignments)
]
Assignments = Annotated[
    list[str] | None,
    typer.Argument(help="default: all", autocompletion=complete.assignments),
]
Units = Annotated[
    list[str] | None,
    typer.Argument(help="default: all units", autocompletion=complete.units),
]
Course = Annotated[
    Path, typer.Option("--course", help="a folder with an nbgrader_config.py")
]
Section = Annotated[
    str, typer.Option(help="only this section's students: a group of Moodle's")
]
Json = Annotated[
    bool, typer.Option("--json", help="Plain JSON on stdout, and nothing else there.")
]


@contextmanager
def aside(as_json: bool) -> Iterator[None]:
    """Send what the block prints to stderr, where stdout is for JSON alone."""
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        yield


def print_json(value) -> None:
    """Print an answer as JSON in ASCII, which any terminal and pipe can take."""
    print(json.dumps(plain(value), indent=2, allow_nan=False))


def plain(value):
    """Return a value as JSON knows it.

    A record with named fields is an object and a path is text. NaN is null, and
    infinity is the text "Infinity".
    """
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value).replace("inf", "Infinity")
    return str(value) if isinstance(value, Path) else value


def shown(text: object) -> str:
    """Return what others wrote as rich may print it: one line, no markup."""
    return escape(printable(str(text)))


def line(text: str) -> None:
    """Print a line whole, whatever the terminal's width; markup is the caller's."""
    console.print(text, highlight=False, soft_wrap=True)


def command(words: str, course: Path) -> str:
    """Return a command as it is typed for this course, to be printed."""
    elsewhere = Path(course).resolve() != ROOT
    more = f" --course {shlex.quote(str(course))}" if elsewhere else ""
    return shown(f"course {words}{more}")


def at_a_time(workers: int) -> int:
    """Return how many workers are asked for; 0 is one a core that we may use here."""
    if workers:
        return workers
    from joblib import cpu_count

    return cpu_count()


def show_findings(findings: Iterable[Finding], as_json: bool = False) -> None:
    """Print findings with their advice; CourseError if one must be put right."""
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "wrong": "[red]wrong[/]"}
    seen = []
    for finding in findings:
        seen.append(finding)
        what, found, advice = map(shown, (finding.what, finding.found, finding.advice))
        with aside(as_json):
            line(f"{marks[finding.state]:<18} [bold]{what}[/]: {found}")
            if advice:
                line(f"         → {advice}")
    if as_json:
        print_json(seen)
    if wrong := sum(finding.state == "wrong" for finding in seen):
        raise CourseError(f"{wrong} of these must be put right first")
