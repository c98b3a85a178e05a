"""The rules of CONTRIBUTING.md, as the message of the test that holds a unit to one."""

from __future__ import annotations

from course_lib.files import ROOT


def rule(text: str) -> str:
    """Return a rule's words and the heading that they stand under.

    LookupError if CONTRIBUTING.md does not say it in these words.
    """
    for section in (ROOT / "CONTRIBUTING.md").read_text("utf-8").split("\n#"):
        if text in " ".join(section.split()):
            heading = section.partition("\n")[0].strip("# ")
            return f'{text} (CONTRIBUTING.md, "{heading}")'
    raise LookupError(f"CONTRIBUTING.md does not say: {text}")
