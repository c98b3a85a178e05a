"""What all tests share: who runs where and when, and skips that say why.

One worker runs a file of tests, or a notebook, from its first line to its last; of a
file that asks every assignment, those of one assignment. Long ones come first, so that
no core idles behind the last one.
"""

import gc
import os
import re
import shutil
import sys
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import typer.main

from course_lib import __main__, notebook

# for nbval only our own notebooks are tests: the hostile ones are for the grader's box
collect_ignore_glob = ["*.ipynb"]

# one day for all workers, also over midnight: they inherit the environment
os.environ.setdefault("COURSE_TESTS_DAY", str(date.today().toordinal()))

# one command line for all calls: thirty commands take longer to build than one to run
typer.main.get_command = cache(typer.main.get_command)

# a test that calls `make` meets the same under `make test`, which adds lines of its own
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

# what a run begins with: seconds here, minutes there
LONG_FIRST = ("notebooks/", "tests/assignments/", "tests/notebooks/", "tests/grading/")
CHROMIUM = "chromium", "chromium-browser", "google-chrome"


@cache
def unchanged() -> list[str]:
    """Return the notebooks whose numbers held when nothing was otherwise than now."""
    return [unit for unit in notebook.units() if notebook.is_verified(unit)]


def pytest_report_header(config):
    if config.getoption("nbval", False) and unchanged():
        same = ", ".join(unchanged())
        return f"notebooks unchanged since their numbers held, `thorough`: {same}"


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage meanwhile, nor later among what lasts as long as the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure():
    """What was left out is garbage in the end, or Triton complains of a leak."""
    gc.unfreeze()


@pytest.hookimpl(tryfirst=True)  # before -m reads the markers
def pytest_collection_modifyitems(items):
    import torch  # here, for the process that only hands out tests needs none

    data = os.environ.get("COURSE_DATA")
    reasons = {
        "gpu": None if torch.cuda.is_available() else "no CUDA device here",
        "real_data": None
        if data and Path(data).is_dir()
        else "COURSE_DATA names no folder of real images",
    }
    for item in items:
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
        if item.path.suffix == ".ipynb" and item.path.stem in unchanged():
            item.add_marker(pytest.mark.thorough)
    take_turns(items, int(os.environ["COURSE_TESTS_DAY"]))
    items.sort(key=place)  # stable: within a file nothing moves


def take_turns(items, day: int) -> None:
    """Of a test marked `by_turns(n)`, a push runs one n-th of the cases, the day's."""
    seen: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("by_turns")
        if marker is None:
            continue
        test = item.nodeid.split("[")[0]
        if (seen[test] + day) % marker.args[0]:
            item.add_marker(pytest.mark.thorough)
        seen[test] += 1


def place(item) -> tuple[int, str]:
    """Return where a file comes: quick ones last."""
    path = item.nodeid.split("::")[0]
    order = [i for i, start in enumerate(LONG_FIRST) if path.startswith(start)]
    return (order or [len(LONG_FIRST)])[0], path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a worker a file, or one assignment's tests of a file that asks them all."""
    from xdist.scheduler import LoadFileScheduling  # not where only GPU tests run

    class ByAssignment(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            asked = re.search(r"\[(a\d\d_[a-z0-9_]+)", nodeid)
            return nodeid.split("::")[0] + (asked[1] if asked else "")

    if config.getoption("dist") == "loadfile":
        return ByAssignment(config, log)


@pytest.fixture
def one_thread():
    """Start from seed 0, on one thread: two test processes have two cores."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright; skipped where none is installed."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("no Chromium here: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield started
        started.close()


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_course(monkeypatch, capsys):
    """run_course("data", "list"): the command, in this process, which has torch."""

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["course", *words])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as stop:
            __main__.main()
        return Done(stop.value.code or 0, *capsys.readouterr())

    return run


def pytest_terminal_summary(terminalreporter, config):
    """With --durations, say which files took the time, all workers added up."""
    if config.getoption("durations") is None:
        return
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                file = report.nodeid.split("::")[0]
                seconds[file] = seconds.get(file, 0) + report.duration
    terminalreporter.section("seconds by file, of all workers")
    for file, total in sorted(seconds.items(), key=lambda row: -row[1])[:25]:
        terminalreporter.line(f"{total:7.0f}  {file}")
