"""One reader's way through the answers; the terminal and the page both ask it."""

from __future__ import annotations

import re
from typing import NamedTuple

from course_grader.reading import comments
from course_grader.reading.answers import Answer, Desk, Question
from course_lib.errors import CourseError

POINTS = re.compile(r"(\d+(?:[.,]\d*)?|[.,]\d+)(?:\s+(\+?)\s*(.*\S))?")
PICKED = re.compile(r"c\d+(\s+c\d+)*")
STEPS = {"": 1, "n": 1, "b": -1}


class Given(NamedTuple):
    """What a reader gives for an answer."""

    points: float
    comment: str  # Markdown
    plus: bool  # keep the comment in the bank


class Sitting:
    """Answers one at a time, forwards and back; what is given is saved at once."""

    def __init__(self, desk: Desk, answers: list[Answer], again: bool = False):
        self.desk, self.answers, self.again = desk, answers, again
        self.at = 0  # the place of the answer that is read
        self.done: list[tuple[Answer, Answer]] = []  # before and after, for undo

    @property
    def read(self) -> int:
        """How many answers were read in this sitting."""
        return len({before.id for before, _ in self.done})

    def current(self) -> Answer | None:
        """Return the answer at this place as it is now; None at the end.

        One that another reader was faster with is passed over.
        """
        if self.at < len(self.answers) and not self._mine(self.at):
            self.go(1)
        return self._mine(self.at) if self.at < len(self.answers) else None

    def _mine(self, place: int) -> Answer | None:
        answer = self.desk.now(self.answers[place])
        known = any(answer and answer.id == before.id for before, _ in self.done)
        return answer if answer and (answer.waits or self.again or known) else None

    def go(self, step: int) -> None:
        """Go on (1) or back (-1) to the next answer of this reader."""
        last = len(self.answers)
        after, before = range(self.at + 1, last), range(self.at - 1, -1, -1)
        places = filter(self._mine, after if step > 0 else before)
        self.at = next(places, last if step > 0 else self.at)

    def question(self, answer: Answer) -> Question:
        return self.desk.questions[answer.notebook, answer.question]

    def remarks(self, answer: Answer) -> list[comments.Remark]:
        """Return the bank's comments for an answer's question: c1, c2 and so on."""
        kept = comments.bank(self.desk.assignment, self.desk.course)
        return [one for one in kept if one.question == answer.question]

    def obey(
        self, answer: Answer | None, said: str, more: str = "", keep: bool = False
    ) -> None:
        """Do what a reader says of the answer as it was shown.

        said: "1.5 comment", "1.5 +comment", "c1 c2", "n" or "" (next), "b" (back) or
        "u" (undo). more: a further paragraph of the comment. keep: as + does.
        """
        if said == "u":
            self.undo()
        elif said in STEPS and not more:
            self.go(STEPS[said])
        elif answer is not None:
            self.give(answer, said, more, keep)
            self.go(1)

    def give(self, answer: Answer, said: str, more: str, keep: bool) -> None:
        points, comment, plus = understood(said, self.remarks(answer))
        comment = "\n\n".join(filter(None, (comment, more)))
        self.done.append((answer, self.desk.give(answer, points, comment)))
        if comment and (keep or plus):
            remark = comments.Remark(answer.question, points, comment)
            comments.add(remark, self.desk.assignment, self.desk.course)

    def undo(self) -> None:
        """Put the last answer back as it was before it was read, and go there."""
        if not self.done:
            raise CourseError("nothing was read in this sitting")
        before, after = self.done.pop()
        self.desk.change(after, before)
        self.at = [one.id for one in self.answers].index(before.id)


def understood(said: str, remarks: list[comments.Remark]) -> Given:
    """Return what "1.5 comment", "1.5 +comment" or "c1 c2" gives."""
    if PICKED.fullmatch(said):
        return Given(*picked(said, remarks), plus=False)
    if match := POINTS.fullmatch(said):
        return Given(float(match[1].replace(",", ".")), match[3] or "", bool(match[2]))
    raise CourseError(f"{said!r}: expected points, c1, n, b, u or q")


def picked(said: str, remarks: list[comments.Remark]) -> tuple[float, str]:
    """Return the sum of the points of "c1 c3", and their comments as paragraphs."""
    numbers = [int(word[1:]) for word in said.split()]
    for number in numbers:
        if not 1 <= number <= len(remarks):
            raise CourseError(f"c{number}: the bank has {len(remarks)} comments")
    chosen = [remarks[number - 1] for number in numbers]
    return sum(r.points for r in chosen), "\n\n".join(r.comment for r in chosen)
