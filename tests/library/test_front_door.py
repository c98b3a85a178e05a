"""What a repository's visitor meets: licence, citation, containers, workflows."""

import re
import shutil
import subprocess
from pathlib import Path

import course_lib
from course_lib import landing

ROOT = Path(__file__).resolve().parents[2]


def make_targets() -> list[str]:
    text = (ROOT / "Makefile").read_text() + (ROOT / "tests/targets.mk").read_text()
    return re.findall(r"^([a-z-]+):", text, re.M)


def test_each_command_of_the_contributing_guide_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)
    commands = re.findall(r"^make (\w+) ", block, re.M)
    targets = make_targets()
    assert len(commands) == 5
    assert set(commands) <= set(targets)


def test_make_lab_works_in_a_folder_with_a_space(tmp_path):
    """With stand-ins for Python and Jupyter, which say how they were called."""
    folder = tmp_path / "my course"
    tools = folder / ".venv/bin"
    tools.mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv/.made").touch()
    for name in ("python", "jupyter"):
        (tools / name).write_text('#!/bin/sh\necho "$JUPYTER_CONFIG_PATH" "$@"\n')
        (tools / name).chmod(0o755)
    done = subprocess.run(["make", "lab"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{folder}/.jupyter lab START.md\n"


def test_links_between_the_front_pages_lead_somewhere():
    pages = set(ROOT.glob("*.md")) - {landing.START}
    for page in [*pages, ROOT / "course_grader/sandbox/README.md"]:
        for link in re.findall(r"\]\(([^)#]+)[)#]", page.read_text()):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text()
    assert f"version: {course_lib.__version__}\n" in text


def test_an_image_is_made_of_files_that_exist():
    for line in re.findall(r"^COPY (.*)$", (ROOT / "Dockerfile").read_text(), re.M):
        *sources, _ = line.split()
        for source in sources:
            assert source == "." or list(ROOT.glob(source)), source


def test_binder_takes_the_course_s_own_environment():
    link = ROOT / ".binder/environment.yml"
    assert link.resolve() == ROOT / "environment.yml"
    assert (ROOT / ".binder/postBuild").stat().st_mode & 0o111


def test_workflows_call_commands_of_the_makefile():
    targets = make_targets()
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        called = re.findall(r"run: make ([\w-]+)", path.read_text())
        assert set(called) <= set(targets), path.name


def test_both_licences_go_with_the_package():
    text = (ROOT / "pyproject.toml").read_text()
    assert 'license = "BSD-3-Clause AND CC-BY-4.0"' in text
    assert (ROOT / "LICENSE").read_text().startswith("BSD 3-Clause License")
    assert "Attribution 4.0 International" in (ROOT / "LICENSE-TEXT").read_text()
