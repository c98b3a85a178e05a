"""JupyterLab as the course has it.

Threads of its kernels wait as `course_lib.waiting` has it. A terminal
finds `course`; a login shell would set PATH anew. A click on an assignment begins its
working copy. formgrader draws formulas offline: it fetches MathJax from another host.
"""

import os
import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

from course_lib import waiting
from course_lib.errors import CourseError
from course_lib.hand_in import work

MINE = re.compile(r"/?work/(\w+)/\1\.ipynb")


class Beginning(AsyncLargeFileManager):
    """Opens work/NAME/NAME.ipynb; `course start NAME` makes it if it is not there."""

    async def get(self, path, *args, **more):
        if match := MINE.fullmatch(path):
            with suppress(CourseError, OSError):  # then Lab says that it is missing
                work.start(match[1], to=Path(self.root_dir, "work"))
        return await super().get(path, *args, **more)


waiting.briefly()
c.ServerApp.contents_manager_class = Beginning  # noqa: F821
if os.name != "nt":
    shell = os.environ.get("SHELL", "sh")
    c.ServerApp.terminado_settings = {"shell_command": [shell]}  # noqa: F821
if find_spec("course_grader"):  # the students' edition has none
    drawn = "course_grader.report.formulas.from_markdown"
    c.HTMLExporter.filters = {"markdown2html": drawn}  # noqa: F821
