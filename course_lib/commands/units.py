"""`course new-unit`: for authors."""

from __future__ import annotations

from typing import Annotated

import typer

from course_lib.commands.shared import line, shown


def new_unit(
    unit: Annotated[str, typer.Argument(help="number and name, as 16_demo")],
):
    """Lay out a unit that passes every test: rewrite it piece by piece.

    Written are the notebook and its twin, the solution and what students get, tests of
    both, a row in the queue of records, and a row in the README. CONTRIBUTING.md says
    the rules that the tests hold a unit to.

    Example: course new-unit 16_demo
    """
    from course_grader.assignment.new_unit import new_unit as write

    for path in write(unit):
        line(shown(path))
    line(f"Next: edit notebooks/{unit}.py, then course notebooks run {unit}")
