"""The command line: `course …`. Each command lies in `course_lib.commands`."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Annotated

import typer
from rich.text import Text

from course_lib import __version__, waiting
from course_lib.commands import instructor, student, term, training
from course_lib.commands.classify import classify
from course_lib.commands.mutate import mutate
from course_lib.commands.notebooks import notebooks
from course_lib.commands.reading import read
from course_lib.commands.shared import ERROR, REFUSED, Incomplete, line
from course_lib.commands.statistics import statistics
from course_lib.commands.units import new_unit
from course_lib.console import Terminal
from course_lib.errors import CourseError
from course_lib.files import ROOT

STUDENTS, AUTHORS, INSTRUCTORS = "Everyone", "Authors", "Instructors"
HELP = """Image classification from SIFT to the Vision Transformer: the tools.

Example: course demo

Example: course train 04_alexnet --data cifar10

Example: course check a04_alexnet
"""
EXITS = (
    "Exit status: 0 done; 1 error; 2 wrong usage; 3 the rest is done, but some "
    "submissions were refused or some records not confirmed."
    "\n\n"
    "Examples of each command: course COMMAND --help"
)

app = typer.Typer(
    help=HELP,
    epilog=EXITS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (student.doctor, student.data, student.shards):
    app.command(rich_help_panel=STUDENTS)(command)
for command in (training.train, training.cost, classify):
    app.command(rich_help_panel=STUDENTS)(command)
app.add_typer(training.results, name="results", rich_help_panel=STUDENTS)
for command in (student.demo, student.start, student.check):
    app.command(rich_help_panel=STUDENTS)(command)
for command in (student.progress, student.submit):
    app.command(rich_help_panel=STUDENTS)(command)
app.add_typer(notebooks, name="notebooks", rich_help_panel=AUTHORS)
app.command(rich_help_panel=AUTHORS)(training.records)
if find_spec("course_grader"):  # the students' edition has none
    app.command(rich_help_panel=AUTHORS)(instructor.release)
    app.command(rich_help_panel=AUTHORS)(mutate)
    app.command(rich_help_panel=AUTHORS)(new_unit)
    app.command(rich_help_panel=INSTRUCTORS)(instructor.publish)
    app.add_typer(term.roster, name="roster", rich_help_panel=INSTRUCTORS)
    for command in (term.deadline, term.extend, term.remove):
        app.command(rich_help_panel=INSTRUCTORS)(command)
    for command in (instructor.collect, instructor.grade, read):
        app.command(rich_help_panel=INSTRUCTORS)(command)
    for command in (statistics, instructor.feedback, instructor.export):
        app.command(rich_help_panel=INSTRUCTORS)(command)


def show_version(wanted: bool) -> None:
    """Print the versions that a bug report needs, without importing torch."""
    if not wanted:
        return
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "not installed"
    line(f"course {__version__}, torch {torch}, Python {platform.python_version()}")
    raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show versions.", callback=show_version, is_eager=True
        ),
    ] = False,
):
    """Set what holds for every command; `main` reads --debug itself."""


def main() -> None:
    """Run a command; an error is one sentence, a traceback needs --debug."""
    waiting.briefly()
    words = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(words) < len(sys.argv) - 1
    try:
        app(words, prog_name="course")
    except (CourseError, OSError, ModuleNotFoundError) as error:
        if debug:
            raise
        plain = Text.from_ansi(sentence(error)).plain  # of a kernel's, without colours
        text = Text.assemble(("error:", "red"), " ", plain)
        Terminal(stderr=True).print(text, soft_wrap=True)
        sys.exit(REFUSED if isinstance(error, Incomplete) else ERROR)


def sentence(error: Exception) -> str:
    """Say what is wrong and, where no CourseError knows it, what to do."""
    if isinstance(error, ModuleNotFoundError):
        name = (error.name or str(error)).partition(".")[0]
        return (
            f"this needs {name}, which is not installed: "
            f"pip install --editable '{ROOT}[grade,test]'"
        )
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


if __name__ == "__main__":
    main()
