"""The instructor's half: release, grade, hand back. nbgrader does the work underneath.

`from course_grader import Course, build, release, grade, feedback, export, summarise`.
Nothing of nbgrader is imported before a function is asked for; no module of the
student's half imports this package.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

# jsonschema, which nbformat imports, builds a grammar of IRIs with it: 1.5 s, for a
# check that no notebook asks for, and that it leaves out where the package is missing
sys.modules.setdefault("rfc3987_syntax", None)

EXTENSIONS = "assignment_list", "course_list", "validate_assignment", "formgrader"
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


def _import_nbgrader() -> None:
    """Import nbgrader; what it adds to a Jupyter server comes when asked for: 1.2 s."""
    names = [f"nbgrader.server_extensions.{name}" for name in EXTENSIONS]
    sys.modules.update({name: _later(name) for name in names})
    try:
        import_module("nbgrader")
    finally:
        for name in names:
            del sys.modules[name]


def _later(name: str) -> ModuleType:
    """Return what stands for an extension until a server loads it."""
    found = ModuleType(name)
    found.load_jupyter_server_extension = lambda server: import_module(
        name
    ).load_jupyter_server_extension(server)
    return found


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"course_grader has no {name!r}")
    if "nbgrader" not in sys.modules:
        _import_nbgrader()
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
