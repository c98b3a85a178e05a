"""A student trains a network in JupyterLab, finds its curves again, and hands in."""

import json
import re
import zipfile

import nbformat
import pytest

from course_lib.notebook import KERNELSPEC

expect = pytest.importorskip("playwright.sync_api").expect

NAME = "a12_efficientnet"
pytestmark = pytest.mark.slow
TRAINS = """from course_lib import data, notebook
from course_lib.train import Recipe, fit

size = {"size": 32, "channels": 3}
train, val = (data.load("digits", part, **size) for part in ("train", "val"))
net = notebook.load("04_alexnet").alexnet_small()
history = fit(net, train, val, Recipe(epochs=8, learning_rate=0.02))"""
DRAWN = "image => image.complete && image.naturalWidth > 200"


def opened(page, path):
    """Open a notebook, and wait for its kernel."""
    page.goto(page.where.format(path.name))
    page.get_by_text("| Idle").wait_for()


def curves(page, epoch):
    """Return the picture of the curves after an epoch of the eight."""
    return page.get_by_role("img", name=re.compile(rf"epoch {epoch} of 8\b"))


def test_curves_grow_while_a_network_trains_and_a_picture_stays(page, lab):
    path = lab[0] / "train.ipynb"
    cells = [nbformat.v4.new_code_cell(TRAINS)]
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})
    nbformat.write(book, path)
    opened(page, path)
    prompt = page.locator(".jp-InputPrompt").first
    page.locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")
    expect(curves(page, "[1-7]")).to_be_visible(timeout=60_000)
    expect(prompt).to_have_text("[*]:")
    page.screenshot(path=path.with_name("trains.png"))
    expect(prompt).to_have_text("[1]:", timeout=60_000)
    assert curves(page, 8).evaluate(DRAWN)
    assert page.locator(".jp-OutputArea-output img").count() == 1  # drawn over
    assert page.locator("[data-mime-type*=stderr]").count() == 0
    with page.expect_response(lambda got: got.request.method == "PUT"):
        page.keyboard.press("Control+s")

    opened(page, path)
    page.get_by_title("Notebook trusted").first.wait_for()
    assert curves(page, 8).evaluate(DRAWN)

    book = json.loads(path.read_text())
    book["cells"][0]["source"] += "\n"  # not by JupyterLab: as if downloaded
    path.write_text(json.dumps(book))
    opened(page, path)
    page.get_by_title("Notebook not trusted").first.wait_for()
    assert curves(page, 8).evaluate(DRAWN)


def test_the_answers_are_handed_in_from_a_terminal(page, lab):
    folder, _ = lab
    page.goto(page.where.format("START.md"))
    page.locator(".jp-RenderedMarkdown h1").wait_for()
    page.get_by_role("menuitem", name="File").click()
    menu = page.locator(".lm-Menu-itemLabel")
    menu.get_by_text("New", exact=True).click()
    with page.expect_websocket() as terminal:
        menu.get_by_text("Terminal", exact=True).click()
    terminal.value.wait_for_event("framereceived", lambda text: "stdout" in str(text))
    options = f"--folder work/{NAME} --student Ada --out ."
    page.keyboard.type(f"course submit {NAME} {options}\n")
    path = folder / f"{NAME}_Ada.zip"
    page.locator(".jp-DirListing-itemText", has_text=path.name).wait_for()
    with zipfile.ZipFile(path) as made:
        assert f"Ada/{NAME}/{NAME}.ipynb" in made.namelist()
