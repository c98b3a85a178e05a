"""A limit for all processes of a box together, where a cgroup is delegated."""

from __future__ import annotations

import os
import time

import pytest

from course_grader import sandbox
from course_grader.sandbox import cgroup, machine

MISSING = cgroup.trouble()
here = pytest.mark.skipif(bool(MISSING), reason=MISSING or "there is one")
PART = 200 << 20  # bytes that each of four processes takes; one alone may


@pytest.fixture
def scope(tmp_path):
    """A folder that looks like a cgroup which systemd has left to a command."""
    own = tmp_path / "user.slice" / "run.scope"
    own.mkdir(parents=True)
    try:
        os.setxattr(own, "user.delegate", b"1")
    except (OSError, AttributeError):
        pytest.skip("this file system keeps no attributes of a user's")
    (own / "cgroup.procs").write_text("")
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    return tmp_path


def test_only_what_is_delegated_is_divided(scope):
    own = scope / "user.slice" / "run.scope"
    assert cgroup.delegated(scope, "/user.slice/run.scope") == own
    assert cgroup.delegated(scope, f"/user.slice/run.scope/{cgroup.OWN}") == own
    assert cgroup.trouble(scope, "/user.slice/run.scope") == ""
    assert cgroup.delegated(scope, "/user.slice") is None
    assert cgroup.delegated(scope, "/gone") is None
    assert "is delegated" in cgroup.trouble(scope, "/user.slice")
    os.setxattr(own, "user.delegate", b"0")
    assert cgroup.delegated(scope, "/user.slice/run.scope") is None


def test_without_the_controller_the_reason_is_told(scope):
    own = scope / "user.slice" / "run.scope"
    (own / "cgroup.controllers").write_text("cpu pids\n")
    assert cgroup.trouble(scope, "/user.slice/run.scope").endswith("memory controller")


def test_a_group_says_its_limits_and_what_became_of_them(tmp_path):
    group = cgroup.Group(tmp_path, 42, 1 << 30)
    said = {path.name: path.read_text() for path in group.path.iterdir()}
    assert said == {
        "memory.max": str(1 << 30),
        "memory.swap.max": "0",
        "memory.oom.group": "1",
        "cgroup.procs": "42",
    }
    assert not group.overdrew()
    (group.path / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    assert not group.overdrew()
    (group.path / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    assert group.overdrew()


def test_the_doctor_says_which_limit_holds():
    found = {finding.what: finding for finding in machine.findings()}
    memory = found["sandbox: memory of a whole box"]
    assert (memory.state == "ok") == (MISSING == "")
    assert MISSING in memory.found


def grow() -> None:
    """Be four processes that each take what one may take, and all wait."""
    for _ in range(3):
        if os.fork() == 0:
            break
    kept = bytearray(PART)
    kept[::4096] = b"x" * len(kept[::4096])
    time.sleep(20)


@here
def test_processes_that_take_too_much_together_end_and_nobody_is_to_blame():
    policy = sandbox.Policy(read=(), memory=2 * PART, scratch=1 << 20)
    with sandbox.start(policy, grow) as box:
        assert box.wait(15) == -9
    assert not box.usage().taken  # it is its own doing, and not graded again
    left = cgroup.parent().glob(cgroup.BOX.format("*"))
    assert not list(left)
