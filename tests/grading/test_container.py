"""Grading in a real container: what a machine does whose kernel has no sandbox.

The image is empty. What Python needs of this machine is mounted read-only into it, by a
program named podman that is first on PATH and hands on to the real one.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from course_grader.engine.launcher import Engine

from .attacks import ends, honest, objects, surroundings
from .attacks.run import check, tree, watched

IMAGE = "localhost/course-grader"
PODMAN = shutil.which("podman")
HONEST = ("everything", "untidy", "lambdas", "process")
CASES = [
    *surroundings.CASES,
    *ends.CASES,
    *(case for case in (*honest.CASES, *objects.CASES) if case.name in HONEST),
]
WRAPPER = """#!{python}
import os, sys
first, *rest = sys.argv[1:]
os.environ["CONTAINERS_STORAGE_CONF"] = {storage!r}
general = ["--runtime", {runtime!r}, "--cgroup-manager", "cgroupfs"]
options = {options!r} if first == "run" else []
os.execv({podman!r}, ["podman", *general, first, *options, *rest])
"""


def empty_image() -> bytes:
    """Return a tar of the folders without which nothing starts."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("tmp", "proc", "sys", "dev", "etc"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        for name in ("bin", "lib", "lib64", "sbin"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(entry)
    return file.getvalue()


def wrapper(folder: Path, runtime: str) -> Path:
    """Write the program that is called podman; return its path."""
    storage = folder / "storage.conf"
    places = f'graphroot = "{folder / "graph"}"\nrunroot = "{folder / "run"}"\n'
    storage.write_text(f'[storage]\ndriver = "vfs"\n{places}')
    mounted = {"/usr", "/etc/fonts", sys.base_prefix, sys.prefix}
    options = [f"--volume={p}:{p}:ro" for p in sorted(mounted) if os.path.isdir(p)]
    options += [f"--env=PATH={Path(sys.executable).parent}:/usr/bin"]
    options += ["--ulimit=nproc=4096"]  # podman's own may be more than is allowed
    facts = {"python": sys.executable, "podman": PODMAN, "storage": str(storage)}
    program = folder / "bin" / "podman"
    program.parent.mkdir(exist_ok=True)
    program.write_text(WRAPPER.format(**facts, runtime=runtime, options=options))
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def podman(tmp_path_factory):
    """Put a podman on PATH that runs IMAGE, whichever runtime that takes here."""
    if PODMAN is None:
        pytest.skip("podman is not on PATH")
    folder, said = tmp_path_factory.mktemp("podman"), "neither runc nor crun is here"
    for runtime in filter(shutil.which, ("crun", "runc")):
        program = wrapper(folder, runtime)
        load = [program, "import", "-", IMAGE]
        tried = subprocess.run(load, input=empty_image(), capture_output=True)
        if tried.returncode == 0:
            run = [program, "run", "--rm", "--ulimit=nofile=256", IMAGE, "true"]
            tried = subprocess.run(run, capture_output=True)
        if tried.returncode == 0:
            break
        said = tried.stderr.decode(errors="replace").strip()[-200:]
    else:
        pytest.skip(f"podman starts no container here: {said}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        yield program
    subprocess.run([program, "rmi", IMAGE], capture_output=True)


@pytest.fixture(scope="module")
def run(podman, tmp_path_factory):
    folders = (tmp_path_factory.mktemp(name) for name in ("boxed", "temporary"))
    config = f"c.CourseGrade.image = {IMAGE!r}\n"
    return watched(CASES, *folders, config, level="container")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_everybody_gets_what_they_deserve(run, case):
    check(run, case)


@pytest.mark.slow
def test_nothing_is_changed_nobody_is_called_and_no_container_is_left(run, podman):
    assert tree(run.course) == run.before
    assert run.callers == []
    assert containers(podman) == ""


@pytest.mark.slow
def test_a_container_whose_program_is_killed_is_removed(podman, bundle):
    engine = Engine(replace(bundle, options={"image": IMAGE}), level="container")
    with engine:
        assert containers(podman).count("\n") == 1
        engine.process.kill()
    assert containers(podman) == ""


def containers(podman: Path) -> str:
    """Return a line for each container that there is."""
    listing = [podman, "ps", "--all", "--quiet"]
    return subprocess.run(listing, capture_output=True, text=True, check=True).stdout
