"""For instructors: what changes during a term, and who is in the class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from typer.core import TyperGroup

from course_lib.commands.shared import (
    Assignment,
    Course,
    Json,
    Section,
    console,
    line,
    print_json,
    shown,
)
from course_lib.files import ROOT


class Roster(TyperGroup):
    """What is no command is a file: `import` need not be written."""

    def resolve_command(self, ctx, args):
        if args[0] not in self.commands:
            args = ["import", *args]
        return super().resolve_command(ctx, args)


roster = typer.Typer(cls=Roster, invoke_without_command=True)


@roster.callback()
def roster_shown(ctx: typer.Context, course: Course = ROOT):
    """Show the class; `import` takes it from the LMS.

    Example: course roster import participants.csv

    Example: course roster list --section "Group A"
    """
    if ctx.invoked_subcommand is None:
        roster_list(course=course)


@roster.command("list")
def roster_list(section: Section = "", course: Course = ROOT, as_json: Json = False):
    """Show the class: names, e-mail, the LMS's number, section.

    Example: course roster list --section "Group A"
    """
    from course_grader.intake.roster import roster as everybody

    people = everybody(course, section)
    if as_json:
        print_json(people)
        return
    table = Table("student", "name", "e-mail", "number", "section")
    for one in people:
        name = f"{one.first_name} {one.last_name}".strip()
        more = one.email, one.lms_user_id, one.section
        table.add_row(*map(shown, (one.id, name, *more)))
    console.print(table)
    line(f"{len(people)} students")


@roster.command("import")
def roster_import(
    file: Annotated[Path, typer.Argument(help="CSV of Moodle, of Canvas, or with ids")],
    course: Course = ROOT,
):
    """Put a class list into the gradebook: names, e-mail, the LMS's number, section.

    Take Moodle's list of participants, Canvas's export of grades, or any CSV with the
    columns id, first_name, last_name, email, lms_user_id, section. Moodle's groups and
    Canvas's sections are the section. Nobody is removed.

    Example: course roster import participants.csv
    """
    from course_grader.intake.roster import import_roster

    found = import_roster(file, course)
    for student, status in found:
        if status == "not on the list":
            line(f"not on the list, and kept: {shown(student)} (course remove)")
    counts = Counter(status for _, status in found)
    line(", ".join(f"{count} {status}" for status, count in counts.items()))


def deadline(
    assignment: Assignment,
    when: Annotated[
        str | None, typer.Argument(help="'2026-12-01 23:59', or none; left out: show")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Europe/Berlin, say; default: this machine's")
    ] = None,
    course: Course = ROOT,
):
    """Set or show until when an assignment can be handed in.

    Example: course deadline a04_alexnet "2026-12-01 23:59" --zone Europe/Berlin
    """
    from course_grader.store import term

    due = term.deadline(assignment, when, zone, course)
    line(f"{assignment}: {due:%Y-%m-%d %H:%M %Z}" if due else f"{assignment}: none")


def extend(
    assignment: Assignment,
    student: Annotated[str, typer.Argument(help="as the folder in submitted/")],
    time: Annotated[str, typer.Argument(help="90m, 12h, 3d or 1w; 0 takes it back")],
    course: Course = ROOT,
):
    """Give a student more time than the deadline, before or after the work comes in.

    Example: course extend a04_alexnet ada 3d
    """
    from course_grader.store import term

    more = term.extend(assignment, student, time, course)
    line(
        f"{shown(student)}, {assignment}: {f'{time} more' if more else 'no extension'}"
    )


def remove(
    student: Annotated[str, typer.Argument(help="as the folder in submitted/")],
    course: Course = ROOT,
):
    """Take a student out of the class: grades go, files move to removed/.

    Example: course remove ada
    """
    from course_grader.store import term

    kept = term.remove(student, course)
    where = f"the files are in {shown(kept)}" if any(kept.iterdir()) else "no files"
    line(f"{shown(student)} is removed; {where}")
