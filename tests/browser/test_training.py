"""A student in JupyterLab trains a network, moves a figure, and hands in."""

import json
import re
import zipfile

import nbformat
import pytest

from course_lib.notebook import KERNELSPEC

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
expect.set_options(timeout=60_000)  # milliseconds

NAME = "a12_efficientnet"
pytestmark = pytest.mark.slow
TRAINS = """from course_lib import data, notebook
from course_lib.train import Recipe, fit

size = {"size": 32, "channels": 3}
train, val = (data.load("digits", part, **size) for part in ("train", "val"))
net = notebook.load("04_alexnet").alexnet_small()
history = fit(net, train, val, Recipe(epochs=8, learning_rate=0.02))"""
MOVES = """from matplotlib import pyplot as plt
from course_lib import plot

def draw(number):
    plt.plot([0, number])

draw(1)
plt.show()
plot.slider(draw, "slope", (1, 9))"""
LIST = re.compile("/api/terminals")
DRAWN = """([...document.images].some(image => image.alt.includes("epoch 8 of 8")
  && image.complete && image.naturalWidth > 200))"""


def opened(page, path):
    """Open a notebook, and wait for its kernel."""
    page.goto(page.where.format(path.name))
    page.get_by_text("| Idle").wait_for()


def begun(page, path, code):
    """Write a notebook of one cell, open it, run the cell, and return the path."""
    cells = [nbformat.v4.new_code_cell(code)]
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})
    nbformat.write(book, path)
    opened(page, path)
    page.locator(".cm-content").first.click()
    page.keyboard.press("Control+Enter")
    return path


def test_curves_grow_while_a_network_trains_and_a_picture_stays(page, lab):
    path = begun(page, lab[0] / "train.ipynb", TRAINS)
    prompt = page.locator(".jp-InputPrompt").first
    expect(page.get_by_role("img", name=re.compile("epoch [1-7] of 8"))).to_be_visible()
    expect(prompt).to_have_text("[*]:")
    page.screenshot(path=path.with_name("trains.png"))
    expect(prompt).to_have_text("[1]:")
    page.wait_for_function(DRAWN)
    assert page.locator(".jp-OutputArea-output img").count() == 1  # drawn over
    assert page.locator("[data-mime-type*=stderr]").count() == 0
    saves = re.compile(r"/api/contents/train\.ipynb")
    with page.expect_request_finished(
        lambda asked: asked.method == "PUT" and saves.search(asked.url)
    ):
        page.keyboard.press("Control+s")

    opened(page, path)
    page.get_by_title("Notebook trusted").first.wait_for()
    page.wait_for_function(DRAWN)

    book = json.loads(path.read_text())
    book["cells"][0]["source"] += "\n"  # not by JupyterLab: as if downloaded
    path.write_text(json.dumps(book))
    opened(page, path)
    page.get_by_title("Notebook not trusted").first.wait_for()
    page.wait_for_function(DRAWN)


def test_a_slider_draws_its_figure_anew_beside_the_still_one(page, lab):
    begun(page, lab[0] / "move.ipynb", MOVES)
    pictures = page.locator(".jp-OutputArea-output img")
    expect(pictures).to_have_count(2)
    still, moved = (picture.get_attribute("src") for picture in pictures.all())
    page.locator(".widget-slider [role=slider]").press("ArrowRight")
    expect(page.locator(".widget-readout")).to_have_text("6")
    expect(pictures.nth(1)).not_to_have_attribute("src", moved)
    expect(pictures.nth(0)).to_have_attribute("src", still)


def hold_list_of_terminals(page):
    """Let a list of terminals arrive after the terminal that it does not name."""
    held = []

    def hold(route):
        if held or route.request.method != "GET":
            route.continue_()
        else:
            held.append((route, route.fetch()))

    def let_go(socket):
        if "/terminals/" in socket.url and held[0]:
            (route, answer), held[0] = held[0], None
            route.fulfill(response=answer)

    with page.expect_request(LIST):  # it asks every ten seconds
        page.route(LIST, hold)
    page.on("websocket", let_go)


def begin_terminal(page):
    """Open a terminal, and wait for its prompt.

    JupyterLab closes a new terminal if a list of terminals that it asked for before
    arrives after it; a student opens another one then, and so does this.
    """
    menu = page.locator(".lm-Menu-itemLabel")
    for last in (False, False, True):
        page.get_by_role("menuitem", name="File").click()
        menu.get_by_text("New", exact=True).click()
        with page.expect_websocket() as terminal:
            menu.get_by_text("Terminal", exact=True).click()
        try:
            socket = terminal.value
            socket.wait_for_event("framereceived", lambda text: "stdout" in str(text))
            page.locator(".jp-Terminal .xterm-screen").click(timeout=20_000)
            break
        except playwright.Error:
            if last:
                raise


@pytest.mark.parametrize(("student", "late"), [("Ada", False), ("Bo", True)])
def test_the_answers_are_handed_in_from_a_terminal(page, lab, student, late):
    folder, *_ = lab
    page.goto(page.where.format("START.md"))
    page.locator(".jp-RenderedMarkdown h1").wait_for()
    if late:
        hold_list_of_terminals(page)
    begin_terminal(page)
    expect(page.locator(".jp-Terminal .xterm-helper-textarea")).to_be_focused()
    options = f"--folder work/{NAME} --student {student} --out ."
    page.keyboard.type(f"course submit {NAME} {options}\n")
    path = folder / f"{NAME}_{student}.zip"
    page.locator(".jp-DirListing-itemText", has_text=path.name).wait_for()
    with zipfile.ZipFile(path) as made:
        assert f"{student}/{NAME}/{NAME}.ipynb" in made.namelist()
