"""The instructor's half: release, grade, hand back. nbgrader does the work underneath.

`from course_grader import Course, build, release, grade, feedback, export, summarise`.
Nothing of nbgrader is imported before a function is asked for; no module of the
student's half imports this package.
"""

from __future__ import annotations

import sys
from importlib import import_module

# jsonschema, which nbformat imports, builds a grammar of IRIs with it: 1.5 s, for a
# check that no notebook asks for, and that it leaves out where the package is missing
sys.modules.setdefault("rfc3987_syntax", None)

_HOME = {
    "Course": "assignment.course",
    "build": "assignment.release",
    "new_course": "assignment.release",
    "release": "assignment.release",
    "sample_class": "assignment.sample",
    "grade": "autograde",
    "preview": "dry_run",
    "tried": "dry_run",
    "feedback": "report.feedback",
    "export": "report.grades",
    "summarise": "report.summary",
    "findings": "sandbox.machine",
    "UNPROTECTED": "sandbox.machine",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"course_grader has no {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
