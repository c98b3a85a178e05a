"""What the model solution's run says of an assignment's tests, for the instructor."""

from __future__ import annotations

from collections.abc import Iterable

from course_lib.errors import CourseError

from .judging.terms import deciding, shipped


def remarks(
    unfit: dict[str, str],
    fair: dict[str, dict],
    alone: dict[str, str],
    late: list[str],
    named: Iterable[str],
) -> list[str]:
    """Say what should be known before a class is graded.

    unfit: by test, what the model solution raised; fair: what each test did with the
    student's objects; alone: by test that runs on the student's side, why; late: cells
    that took too long; named: the tests that the course lets run there.
    """
    said = [
        f"the model solution fails the test {name} ({error}): repair one of the two"
        for name, error in unfit.items()
    ]
    for name, facts in fair.items():
        asked, along = deciding(facts["used"]), shipped(facts["used"])
        if asked and name not in unfit and name not in alone:
            said.append(
                f"the test {name} lets the student's own objects decide "
                f"({', '.join(asked)}), and a hostile answer could say what it "
                "likes: compare numbers, texts, tensors or objects of your classes"
            )
        if along and name not in alone:
            said.append(
                f"the test {name} hands the answer a function that takes along "
                f"{', '.join(along)}, which only hidden tests hold: a hostile answer "
                "could read it. Work it out before the call, or hand in numbers"
            )
    said += [f"the model solution's cell {name} took too long" for name in late]
    return said + [
        f"the test {name} needs the student's own objects ({error}), so it runs in "
        "the student's process, where a hostile answer could read or fake it"
        for name, error in alone.items()
        if name not in named
    ]


def refuse_hidden(hidden: list[str], alone: dict[str, str]) -> None:
    """Raise CourseError where hidden tests would go to the student's process unsaid."""
    if hidden:
        raise CourseError(
            f"nobody was graded: of the hidden tests, {', '.join(hidden)} can only run "
            f"in the student's process ({alone[hidden[0]]}), where a hostile answer "
            "could read them. Let them compare values, or allow it in "
            f"nbgrader_config.py: c.CourseGrade.beside = {hidden!r}"
        )
