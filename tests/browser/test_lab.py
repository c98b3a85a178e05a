"""A student's way through JupyterLab: the map, an assignment, a mistake repaired."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from course_lib import landing

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)  # milliseconds

ROOT = Path(__file__).resolve().parents[2]
NAME = "a12_efficientnet"
pytestmark = pytest.mark.slow
ANSWER = """def shared_blocks(blocks, depth):
if depth < 1 or min(blocks) < 1: raise ValueError
wishes = [round(100 * depth) * count for count in blocks]
given = [wish // 100 for wish in wishes]
left = (sum(wishes) + 50) // 100 - sum(given)
order = sorted(range(len(blocks)), key=lambda i: given[i] * 100 - wishes[i])
return [count + (i in order[:left]) for i, count in enumerate(given)]"""


def test_the_map_of_the_units_is_what_a_newcomer_sees(page, lab):
    page.goto(page.where.format("START.md"))
    heading = page.locator(".jp-RenderedMarkdown h1")
    heading.wait_for()
    assert heading.inner_text().startswith("Image classification, from SIFT")
    assert page.locator(".jp-RenderedMarkdown h2").count() == len(landing.units())
    drawn = "[...document.querySelectorAll('.jp-RenderedMarkdown img')]"
    assert page.evaluate(f"{drawn}.every(image => image.naturalWidth > 100)")
    assert page.locator(".jp-Dialog").count() == 0
    assert page.get_by_text("Formgrader").count() == 0
    page.get_by_role("link", name="04 · AlexNet").click()
    page.locator(".jp-Notebook").wait_for()
    names = page.locator(".jp-DirListing-itemText").all_inner_texts()
    assert not [name for name in names if re.match(r"a?\d\d_.*\.py$", name)]


def test_a_click_on_an_assignment_begins_its_copy_whose_last_cell_checks(page, lab):
    folder, *_ = lab
    assert not (folder / "work/a06_googlenet").exists()
    page.goto(page.where.format("START.md"))
    page.get_by_role("link", name="a06_googlenet").click()
    page.locator(".jp-Notebook").wait_for()
    expect(page.get_by_text("What is right so far?")).to_be_attached()
    assert (folder / "work/a06_googlenet/a06_googlenet.ipynb").is_file()
    assert page.locator(".jp-Dialog").count() == 0
    page.get_by_text("| Idle").wait_for()
    cell(page, "What is right").locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    row = re.compile("✗ +cost_visible: not answered yet")
    expect(said(page, "What is right")).to_contain_text(row, timeout=300_000)


def cell(page, words):
    return page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=words).first


def written(page, words, text):
    """Replace the source of the cell that holds these words, and run it."""
    cell(page, words).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)
    run(page, text.splitlines()[0])


def run(page, words):
    """Run the cell that holds these words; wait until it has been run once more."""
    chosen = cell(page, words)
    prompt = chosen.locator(".jp-InputPrompt")
    before = prompt.inner_text()
    chosen.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    expect(prompt).not_to_have_text(before)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]"))


def said(page, words):
    """Return the output of the cell that holds these words."""
    return cell(page, words).locator(".jp-OutputArea")


def test_a_mistake_is_explained_and_mended(page, lab):
    folder, *_ = lab
    page.goto(page.where.format(f"work/{NAME}/{NAME}.ipynb"))
    page.locator(".jp-Notebook").wait_for()
    page.get_by_text("| Idle").wait_for()  # before, JupyterLab drops what is run
    for words in ("import math", "def shared_blocks"):
        run(page, words)
        expect(said(page, words)).not_to_contain_text("Error")
    test = "B0 = [stage.blocks for stage in efficientnet.STAGES]"
    run(page, test)
    expect(said(page, test)).to_contain_text("NotImplementedError")

    lines = ANSWER.replace("\n", "\n    ")
    first, *_ = lines.splitlines()
    wrong = "    return [math.ceil(depth * count) for count in blocks]"
    written(page, "def shared_blocks", f"{first}\n{wrong}")
    run(page, test)
    excess = "each stage is rounded up, which is the excess"
    expect(said(page, test)).to_contain_text(excess)
    assert page.locator(".jp-Dialog").count() == 0

    written(page, "def shared_blocks", lines)
    run(page, test)
    expect(said(page, test)).not_to_contain_text("Error")
    saves = re.compile(rf"/api/contents/.*{NAME}\.ipynb")  # not the workspace
    with page.expect_response(
        lambda got: got.request.method == "PUT" and saves.search(got.url)
    ):
        page.keyboard.press("Control+s")
    path = folder / f"work/{NAME}/{NAME}.ipynb"
    assert "wishes = [round(100 * depth)" in path.read_text()
    check = [sys.executable, "-m", "course_lib", "check", NAME, "--folder", path.parent]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 3  # the other exercises are open
    assert re.search(r"✓.*shared_visible|shared_visible.*✓", done.stdout), done.stdout


def test_no_warning_of_a_server_or_a_kernel_greets_a_newcomer(lab):
    """After the tests above: Lab has opened, and a kernel has run.

    That a notebook is not trusted is true until its reader has run it. Jupyter's server
    trips over kernel_ws_protocol where a page closes before its kernel's socket opens.
    """
    *_, said = lab
    assert any("Kernel started" in line for line in said)
    warned = [line for line in said if re.search(r"WARN|\[W |Error", line)]
    known = "is not trusted", "kernel_ws_protocol"
    assert not [line for line in warned if not any(word in line for word in known)]
