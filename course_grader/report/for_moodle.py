"""Feedback as Moodle takes it back: one zip, a folder a student, named as it came.

Source: Moodle, "Upload multiple feedback files in a zip" (mod/assign/feedback/file)
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import NamedTuple

from course_grader.assignment.course import Course
from course_grader.intake.owners import Owner
from course_lib.errors import CourseError
from course_lib.files import replacing


class Zip(NamedTuple):
    """What was written."""

    path: Path
    left_out: list[str]  # students that came without a number


def write(pages: list[Path], assignment: str, course: Course | Path) -> Zip:
    """Write reports/<assignment>/feedback_moodle.zip of these pages of feedback.

    Moodle finds a student by the number that `course collect` kept from its download,
    and passes over those of another LMS. CourseError if no student has a number.
    """
    course = Course.open(course)
    path = course.root / "reports" / assignment / "feedback_moodle.zip"
    names, left_out = {}, []
    for page in pages:
        student = page.parent.parent.name
        owner = Owner.of(course.submitted(student, assignment).parent)
        number = owner.numbers.get(assignment, "")
        if number:
            person = owner.name.removesuffix(f"_{number}")  # of blind marking
            names[page] = f"{person}_{number}_assignsubmission_file_/{page.name}"
        else:
            left_out.append(student)
    if not names:
        raise CourseError(
            f"no student of {assignment} came with a number of Moodle: put Moodle's "
            "download in place with course collect, which keeps these numbers"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, zipfile.ZipFile(part, "w") as archive:
        for page, name in sorted(names.items(), key=lambda one: one[1]):
            archive.write(page, name, zipfile.ZIP_DEFLATED)
    return Zip(path, left_out)
