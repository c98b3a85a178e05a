"""Time a newcomer: from an empty folder to a network that trains in an open notebook.

The README's commands run in a folder of its own, with nothing in pip's and uv's caches;
then Chromium opens a unit from the map and runs its cells until the curves show.

    python tests/browser/first_minutes.py
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
NAMES = "chromium", "chromium-browser", "google-chrome"
LIVE = re.compile(r"epoch (\d+) of (?!\1\b)\d+")  # stored outputs show the last epoch


def commands() -> list[str]:
    """Return the README's commands for the first minutes; they clone this checkout."""
    block = re.search(r"^```\n(git clone .+?)^```$", README, re.M | re.S)
    lines = [line.split("  #")[0].strip() for line in block[1].splitlines()]
    return [re.sub(r"(?<=git clone )\S+", str(ROOT), line) for line in lines]


def environment(folder: Path) -> dict[str, str]:
    """Return a newcomer's: no virtual environment, empty caches, no window opened."""
    settings = {"allow_root": os.geteuid() == 0, "open_browser": False, "port": 0}
    config = folder / "config"
    config.mkdir()
    server = {"ServerApp": settings, "ExtensionApp": {"open_browser": False}}
    (config / "jupyter_server_config.json").write_text(json.dumps(server))
    own = {"JUPYTER_CONFIG_DIR": config, "HOME": folder / "home"}
    own |= {"PIP_CACHE_DIR": folder / "pip", "UV_CACHE_DIR": folder / "uv"}
    outside = [p for p in os.environ["PATH"].split(":") if ".venv" not in p]
    kept = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    return kept | {k: str(v) for k, v in own.items()} | {"PATH": ":".join(outside)}


def address(server: subprocess.Popen) -> str:
    """Return where JupyterLab shows the map, once it says so."""
    for line in server.stdout:
        print(line, end="", file=sys.stderr)
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S+token=\S+", line):
            threading.Thread(target=server.stdout.read, daemon=True).start()
            return found[0].replace("/lab?", "/lab/tree/START.md?")
    raise SystemExit("JupyterLab did not start")


def train(where: str, unit: str, picture: Path | None) -> None:
    """Open a unit from the map, run all its cells, wait for the curves."""
    program = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(where)
        page.get_by_role("link", name=unit).click()
        page.get_by_text("| Idle").wait_for()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        curves = page.get_by_role("img", name=LIVE)
        curves.first.wait_for(state="attached")
        page.get_by_text("| Busy").wait_for()
        curves.first.scroll_into_view_if_needed()
        if picture:
            page.screenshot(path=picture)
        browser.close()


def measured(given: list[str], unit: str, picture: Path | None) -> tuple[float, float]:
    """Return seconds until JupyterLab answers, and until the network trains."""
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        server = subprocess.Popen(
            ["bash", "-ec", "\n".join(given)],
            cwd=name,
            env=environment(Path(name)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            where = address(server)
            ready = time.perf_counter() - started
            train(where, unit, picture)
            return ready, time.perf_counter() - started
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unit", default="04 · AlexNet", help="as the map calls it")
    parser.add_argument("--picture", type=Path, help="where to keep what it showed")
    options = parser.parse_args()
    given = commands()
    ready, seconds = measured(given, options.unit, options.picture)
    print(
        f"{len(given)} commands; JupyterLab after {ready:.0f} seconds, "
        f"a network of {options.unit} trains after {seconds:.0f}"
    )
    stated = re.search(r"(\d+) commands and less than (\d+) minutes", README)
    holds = len(given) == int(stated[1]) and seconds < 60 * int(stated[2])
    print(f"the README says {stated[0]}: {'it holds' if holds else 'it does not hold'}")
    return not holds


if __name__ == "__main__":
    sys.exit(main())
