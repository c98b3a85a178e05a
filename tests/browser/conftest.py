"""JupyterLab as a student has it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from course_lib import landing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def lab(request, tmp_path_factory):
    """JupyterLab as `make lab` starts it; the module's assignment, NAME, is begun.

    Yields the folder, the address and the lines that the server says.
    """
    name = request.module.NAME
    folder = tmp_path_factory.mktemp("student")
    home = tmp_path_factory.mktemp("home")
    landing.write(folder / "START.md")
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "assignments" / name, folder / "work" / name)
    environment = os.environ | {
        "JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter"),
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    options = ["--no-browser", "--port=0", "--IdentityProvider.token=student"]
    options += ["--allow-root"] if os.geteuid() == 0 else []
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options, "START.md"],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said: list[str] = []
    try:
        yield folder, address(server, said), said
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def address(server, said: list[str]) -> str:
    """Return where the server answers, once it says so; gather all that it says."""
    for line in server.stderr:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            threading.Thread(target=said.extend, args=[server.stderr]).start()
            return found[0]
    raise AssertionError("".join(said))


@pytest.fixture
def page(browser, lab):
    """A window of JupyterLab; what a test showed last is kept as a picture."""
    folder, where, _ = lab
    window = browser.new_page(viewport={"width": 1300, "height": 900})
    window.set_default_timeout(60_000)
    window.where = f"{where}lab/tree/{{}}?reset&token=student"
    yield window
    window.screenshot(path=folder / "last.png")
    window.close()
