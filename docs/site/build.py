"""Build the web site: `make site`. Offline, from the executed notebooks.

COURSE_REPOSITORY (the address of the repository) adds the buttons for Colab, Binder and
the sources; COURSE_BRANCH, COURSE_BINDER and COURSE_COLAB say what they lead to.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import nbformat
import pages
import papers
from sphinx.cmd.build import main as sphinx

from course_lib import landing
from course_lib.files import ROOT

DOCS = ROOT / "docs"
COPIED = ["grading_scale.svg", "grading_scale.csv", "speed.svg"]
PAGES = {  # on the site: in the repository
    "one_week": DOCS / "one_week.md",
    "grading": DOCS / "grading.md",
    "grading_figures": DOCS / "grading_figures.md",
    "security": ROOT / "course_grader/sandbox/README.md",
    "speed": DOCS / "speed.md",
    "scaling": DOCS / "scaling.md",
    "exercises": DOCS / "exercises.md",
    "data": ROOT / "data/README.md",
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
}


def assemble(source: Path) -> None:
    """Write all that Sphinx reads into a folder, anew."""
    shutil.rmtree(source, ignore_errors=True)
    for room in ("notebooks", "pictures", "reference"):
        (source / room).mkdir(parents=True)
    every = landing.units()
    for one in every:
        nbformat.write(pages.unit(one), source / "notebooks" / f"{one.name}.ipynb")
        image = landing.picture(one.name)
        (source / "pictures" / f"{one.name}.png").write_bytes(image)
    repository = os.environ.get("COURSE_REPOSITORY", "").rstrip("/")
    for name, path in PAGES.items():
        (source / f"{name}.md").write_text(pages.page(path, repository), "utf-8")
    for name in COPIED:
        shutil.copy(DOCS / name, source)
    for name, text in pages.reference().items():
        (source / "reference" / f"{name}.rst").write_text(text, "utf-8")
    (source / "records.md").write_text(pages.records(), "utf-8")
    (source / "reproduced.md").write_text(pages.reproduced(every), "utf-8")
    (source / "papers.md").write_text(papers.page(), "utf-8")
    (source / "explore.md").write_text(pages.explored(every), "utf-8")
    front = (DOCS / "site/index.md").read_text("utf-8")
    units = "\n".join(f"notebooks/{one.name}" for one in every)
    rooms = "\n".join(f"reference/{name}" for name in pages.ROOMS)
    parts = {"cards": pages.cards(every), "units": units, "reference": rooms}
    for name, text in parts.items():
        front = front.replace(f"<!-- {name} -->", text)
    (source / "index.md").write_text(front, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=DOCS / "_build")
    to = parser.parse_args().to
    assemble(to / "source")
    status = sphinx(
        [
            *("-b", "html", "-c", str(DOCS / "site"), "-j", "2", "-q"),
            *("-W", "--keep-going", "-d", str(to / "doctrees")),
            *(str(to / "source"), str(to / "html")),
        ]
    )
    if not status:
        print(f"The site: {to / 'html' / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
