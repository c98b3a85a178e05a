"""`course read`: the written answers of a class, one a screen."""

from __future__ import annotations

import getpass
import re
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated

import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from course_lib.commands.shared import (
    Assignment,
    Course,
    Json,
    Section,
    command,
    console,
    line,
    print_json,
    shown,
)
from course_lib.errors import CourseError
from course_lib.files import ROOT

KEYS = "points [comment], c1, n(ext), b(ack), u(ndo), q(uit) > "


def read(
    assignment: Assignment,
    question: Annotated[str, typer.Option(help="only this cell's answers")] = "",
    section: Section = "",
    share: Annotated[
        str, typer.Option(help="2/3: the second of three readers' parts")
    ] = "1/1",
    reader: Annotated[str, typer.Option(help="who reads; default: your login")] = "",
    names: Annotated[bool, typer.Option("--names", help="Show whose it is.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what a person has read.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser", help="On a page of this machine alone.")
    ] = False,
    course: Course = ROOT,
    as_json: Json = False,
):
    """Read written answers, one a screen, with the marking scheme beside them.

    Type points, and after them a comment if you like: "1.5 Which layer?". Begin the
    comment with + to keep it in the bank, solutions/ASSIGNMENT.comments.csv; c2 gives
    the second comment of the bank with its points, and "c1 c3" both. Return leaves an
    answer for later, b goes back, u takes back what you gave last. Each answer is saved
    at once: stop when you like. --browser shows formulas and pictures, too.

    Example: course read a05_vgg

    Example: course read a05_vgg --browser

    Example: course read a05_vgg --question pretraining_why --share 1/3

    Example: course read a05_vgg --section "Group A"
    """
    from course_grader.reading.answers import Desk
    from course_grader.reading.sitting import Sitting

    mine = part(share)
    if browser and as_json:
        raise CourseError("--browser and --json: give one of them")
    with Desk(assignment, course, reader or login()) as desk:
        answers = desk.answers(question, mine, again, section)
        if as_json:
            print_json(listed(desk, answers, names))
            return
        sitting = Sitting(desk, answers, again)
        on_page(sitting, names) if browser else Screen(sitting, names).run()
        left = len(desk.answers(question, mine, section=section))
    line(f"{sitting.read} read, {left} left to read")
    if sitting.read:
        line(f"Next: {command(f'grade {assignment}', course)} counts the totals anew")


def part(share: str) -> tuple[int, int]:
    """Return (2, 3) for "2/3"."""
    match = re.fullmatch(r"(\d+)/(\d+)", share)
    number, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= parts:
        raise CourseError(f"--share is {share!r}: expected one like 1/3, 2/3 or 3/3")
    return number, parts


def login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise CourseError("this machine knows no login: say --reader NAME") from error


def listed(desk, answers: list, names: bool) -> dict:
    """Return questions and answers for --json; a student only if names are shown."""
    asked = {
        cell: {"notebook": notebook, **asdict(one)}
        for (notebook, cell), one in desk.questions.items()
        if any(answer.question == cell for answer in answers)
    }
    rows = [asdict(one) | {"text": desk.text(one)} for one in answers]
    for row in rows if not names else ():
        del row["student"]
    return {"assignment": desk.assignment, "questions": asked, "answers": rows}


def on_page(sitting, names: bool) -> None:
    """Read in a browser until the reader stops there or here."""
    from course_grader.reading import page

    def say(address: str) -> None:
        line(f"{shown(address)}\nStop with q on the page, or with Ctrl+C here.")

    with suppress(KeyboardInterrupt):
        page.serve(sitting, names, say)


class Screen:
    """Shows a sitting's answers in the terminal, and asks what to give."""

    def __init__(self, sitting, names: bool):
        self.sitting, self.names = sitting, names

    def run(self) -> None:
        """Ask until all is read or the reader stops."""
        try:
            while (answer := self.sitting.current()) is not None:
                self.show(answer)
                self.ask(answer)
        except (EOFError, KeyboardInterrupt):
            console.print()

    def ask(self, answer) -> None:
        """Ask until the reader says what can be done, and do it."""
        while True:
            said = console.input(Text(KEYS)).strip()
            if said == "q":
                raise EOFError
            try:
                return self.sitting.obey(answer, said)
            except CourseError as error:
                line(f"[red]{shown(error)}[/]")

    def show(self, answer) -> None:
        from rich.markdown import Markdown

        from course_grader.reading.answers import standing

        sitting = self.sitting
        asked = sitting.question(answer)
        console.clear()
        who = f" · {shown(answer.student)}" if self.names else ""
        place = f"{sitting.at + 1} of {len(sitting.answers)} · {shown(answer.question)}"
        console.rule(f"{place} · {asked.max_score:g} points{who}")
        console.print(Markdown(asked.text, hyperlinks=False))
        scheme = Markdown(asked.scheme, hyperlinks=False)
        console.print(Panel(scheme, title="Model answer and marking scheme"))
        text = Text(sitting.desk.text(answer).strip())
        console.print(Panel(text, title="Answer", border_style="bold"))
        table = Table(box=None, show_header=False)
        for number, one in enumerate(sitting.remarks(answer), 1):
            table.add_row(f"c{number}", f"{one.points:g}", shown(one.comment))
        console.print(table)
        if answer.points is not None:
            line(shown(standing(answer)))
