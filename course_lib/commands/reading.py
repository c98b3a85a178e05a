"""`course read`: the written answers of a class, one a screen."""

from __future__ import annotations

import getpass
import re
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from course_lib.commands.shared import (
    Assignment,
    Course,
    Json,
    command,
    console,
    line,
    print_json,
    shown,
)
from course_lib.errors import CourseError
from course_lib.files import ROOT

POINTS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:\s+(\+?)\s*(.*\S))?")
PICKED = re.compile(r"c\d+(\s+c\d+)*")
KEYS = "points [comment], c1, n(ext), b(ack), q(uit) > "


def read(
    assignment: Assignment,
    question: Annotated[str, typer.Option(help="only this cell's answers")] = "",
    share: Annotated[
        str, typer.Option(help="2/3: the second of three readers' parts")
    ] = "1/1",
    reader: Annotated[str, typer.Option(help="who reads; default: your login")] = "",
    names: Annotated[bool, typer.Option("--names", help="Show whose it is.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Also what a person has read.")
    ] = False,
    course: Course = ROOT,
    as_json: Json = False,
):
    """Read written answers in the terminal, with the marking scheme beside them.

    Type points, and after them a comment if you like: "1.5 Which layer?". Begin the
    comment with + to keep it in the bank, solutions/ASSIGNMENT.comments.csv; c2 gives
    the second comment of the bank with its points, and "c1 c3" both. Return leaves an
    answer for later. Each answer is saved at once: stop when you like.

    Example: course read a05_vgg

    Example: course read a05_vgg --question pretraining_why --share 1/3
    """
    from course_grader.reading.answers import Desk

    mine = part(share)
    with Desk(assignment, course, reader or login()) as desk:
        answers = desk.answers(question, mine, again)
        if as_json:
            print_json(listed(desk, answers, names))
            return
        given = Screen(desk, answers, names, again).run()
        left = len(desk.answers(question, mine))
    line(f"{given} read, {left} left to read")
    if given:
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


class Screen:
    """One answer at a time, forwards and back; what is given is saved at once."""

    def __init__(self, desk, answers: list, names: bool, again: bool):
        self.desk, self.answers, self.names = desk, answers, names
        self.again = again
        self.given: set[str] = set()  # answers read in this sitting

    def run(self) -> int:
        """Ask until all is read or the reader stops; return how many were read."""
        at = 0
        try:
            while at < len(self.answers):
                answer = self.desk.now(self.answers[at])
                mine = self.again or answer.id in self.given
                if not answer.waits and not mine:  # another reader was faster
                    at += 1
                    continue
                self.show(answer, at)
                at = max(0, at + self.ask(answer))
        except (EOFError, KeyboardInterrupt):
            console.print()
        return len(self.given)

    def ask(self, answer) -> int:
        """Do what the reader says; return how many answers to go on."""
        while True:
            said = console.input(Text(KEYS)).strip()
            if said == "q":
                raise EOFError
            if said in ("", "n", "b"):
                return -1 if said == "b" else 1
            try:
                self.give(answer, said)
                return 1
            except CourseError as error:
                line(f"[red]{shown(error)}[/]")

    def give(self, answer, said: str) -> None:
        """Write what "1.5 comment", "1.5 +comment" or "c1 c2" says."""
        from course_grader.reading import comments

        if PICKED.fullmatch(said):
            points, comment = picked(said, self.remarks(answer))
            keep = ""
        elif match := POINTS.fullmatch(said):
            points, keep, comment = float(match[1]), match[2], match[3] or ""
        else:
            raise CourseError(f"{said!r}: expected points, c1, n, b or q")
        self.desk.give(answer, points, comment)
        self.given.add(answer.id)
        if keep:
            remark = comments.Remark(answer.question, points, comment)
            comments.add(remark, self.desk.assignment, self.desk.course)

    def remarks(self, answer) -> list:
        from course_grader.reading import comments

        kept = comments.bank(self.desk.assignment, self.desk.course)
        return [one for one in kept if one.question == answer.question]

    def show(self, answer, at: int) -> None:
        asked = self.desk.questions[answer.notebook, answer.question]
        console.clear()
        who = f" · {shown(answer.student)}" if self.names else ""
        place = f"{at + 1} of {len(self.answers)} · {shown(answer.question)}"
        console.rule(f"{place} · {asked.max_score:g} points{who}")
        console.print(Markdown(asked.text, hyperlinks=False))
        scheme = Markdown(asked.scheme, hyperlinks=False)
        console.print(Panel(scheme, title="Model answer and marking scheme"))
        text = Text(self.desk.text(answer).strip())
        console.print(Panel(text, title="Answer", border_style="bold"))
        table = Table(box=None, show_header=False)
        for number, one in enumerate(self.remarks(answer), 1):
            table.add_row(f"c{number}", f"{one.points:g}", shown(one.comment))
        console.print(table)
        if answer.points is not None:
            said = f"{answer.points:g} {shown(answer.comment)}".strip()
            since = ", and handed in again" if answer.waits else ""
            line(f"read by {shown(answer.reader or 'formgrader')}{since}: {said}")


def picked(said: str, remarks: list) -> tuple[float, str]:
    """Return the sum of the points of "c1 c3", and their comments as paragraphs."""
    numbers = [int(word[1:]) for word in said.split()]
    for number in numbers:
        if not 1 <= number <= len(remarks):
            raise CourseError(f"c{number}: the bank has {len(remarks)} comments")
    chosen = [remarks[number - 1] for number in numbers]
    return sum(r.points for r in chosen), "\n\n".join(r.comment for r in chosen)
