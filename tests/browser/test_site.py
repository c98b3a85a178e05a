"""The web site as a visitor meets it: each page, without a network or a server."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from course_lib import notebook

ROOT = Path(__file__).resolve().parents[2]
BARE = "search.html", "genindex.html", "py-modindex.html"  # Sphinx makes them
PHONE = {"width": 390, "height": 800}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from this checkout; a warning of Sphinx fails it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, ROOT / "docs/site/build.py", "--to", folder]
    known = os.environ | {"COURSE_REPOSITORY": "https://github.com/example/course"}
    done = subprocess.run(command, capture_output=True, text=True, env=known)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def visit(browser, site):
    """Open a page and return it with what went wrong: console, requests outside."""
    context = browser.new_context(offline=True, reduced_motion="reduce")
    page, wrong = context.new_page(), []

    def said(message):
        if message.type in ("error", "warning"):
            wrong.append(f"console: {message.text}")

    def asked(request):
        if urlsplit(request.url).scheme not in ("file", "data", "blob"):
            wrong.append(f"asks for {request.url}")

    page.on("console", said)
    page.on("request", asked)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))

    def opened(path, viewport=None):
        wrong.clear()
        page.set_viewport_size(viewport or {"width": 1200, "height": 900})
        path, _, query = path.partition("?")
        page.goto(f"{(site / path).as_uri()}?{query}")
        return page, wrong

    yield opened
    context.close()


@pytest.mark.parametrize(
    "button", ["colab.research.google.com/github", "mybinder.org/v2/gh"]
)
def test_a_unit_opens_in_colab_and_binder_at_its_notebook(visit, button):
    page, _ = visit("notebooks/04_alexnet.html")
    links = page.eval_on_selector_all("a", "all => all.map(a => a.href)")
    (link,) = {link for link in links if button in link}
    assert "/example/course/" in link
    assert "/./" not in link
    assert unquote(link).endswith("notebooks/04_alexnet.ipynb")


def test_a_table_is_sorted_by_the_column_whose_head_is_pressed(visit):
    page, _ = visit("notebooks/15_comparison.html")
    table = page.locator("table:has(thead button)").first

    def first() -> str:
        return table.locator("tbody td").first.inner_text()

    by_top1 = table.get_by_role("button", name="top-1 (%)")
    by_top1.press("Enter")
    assert first() == "MobileNet 0.25"
    by_top1.press("Enter")
    assert first() == "EfficientNetV2 L"
    head = table.locator("th[aria-sort]")
    assert head.get_attribute("aria-sort") == "descending"
    table.get_by_role("button", name="CIFAR-10").press("Enter")
    assert table.locator("tr:last-child td").nth(9).inner_text() == ""


def pages(site):
    return sorted(
        str(path.relative_to(site))
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    )


def test_every_page_opens_without_a_network_or_a_complaint(site, visit):
    every = pages(site)
    assert len(every) > 20
    for path in every:
        page, wrong = visit(path)
        assert wrong == [], path
        assert page.locator(".bd-article h1").count() == 1 or path in BARE, path
        unread = page.evaluate("[...document.images].filter(i => !i.alt).length")
        assert unread == 0, f"{path}: {unread} pictures without a text"


def test_every_link_leads_somewhere(site, visit):
    anchors, links = {}, set()
    for path in pages(site):
        page, _ = visit(path)
        found = page.evaluate(
            "({ids: [...document.querySelectorAll('[id]')].map(e => e.id),"
            " links: [...document.querySelectorAll('a[href]')].map(e => e.href)})"
        )
        anchors[str(site / path)] = set(found["ids"])
        links |= {(path, link) for link in found["links"]}
    for path, link in sorted(links):
        target = urlsplit(link)
        if target.scheme == "file":
            file = unquote(target.path)
            assert Path(file).exists(), f"{path}: {link}"
            if target.fragment and file in anchors:
                assert unquote(target.fragment) in anchors[file], f"{path}: {link}"


def test_a_phone_shows_each_page_without_scrolling_sideways(site, visit):
    for path in pages(site):
        page, _ = visit(path, PHONE)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], f"{path}: {wide} pixels wide"


FRONT = ["index", "explore", "papers", "records", "grading", "reference/data"]
FRONT += [f"notebooks/{unit}" for unit in notebook.units()]


@pytest.mark.by_turns(5)
@pytest.mark.parametrize("name", FRONT)
def test_a_tool_for_accessibility_finds_nothing(visit, name):
    from axe_playwright_python.sync_playwright import Axe

    page, _ = visit(f"{name}.html")
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    found = Axe().run(page, options=options).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found] == []


def test_the_search_finds_a_word_without_a_server(visit):
    page, wrong = visit("search.html?q=depthwise")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").all_inner_texts()
    assert any("MobileNet" in text for text in found)
    page.wait_for_load_state("networkidle")
    assert wrong == []


def test_a_slider_moves_by_keys_and_says_what_it_shows(visit):
    page, wrong = visit("notebooks/11_mobilenet_v2.html")
    figure = page.locator("figure.frames").first
    slider, image = figure.locator("input"), figure.locator("img")
    before = image.get_attribute("src")
    slider.press("ArrowRight")
    assert image.get_attribute("src") != before
    shown = figure.locator("output").inner_text()
    assert image.get_attribute("alt").endswith(f"dimension n {shown}")
    assert wrong == []


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "phone"])
def test_a_click_on_a_picture_chooses_the_nearest_patch(visit, viewport):
    page, wrong = visit("notebooks/14_vit.html", viewport)
    figure = page.locator("figure[data-grid]")
    image, slider = figure.locator("img"), figure.locator("input")
    panels = json.loads(figure.get_attribute("data-grid"))["panels"]
    assert len(panels) == 4  # two photos, and what a patch of each holds
    box = image.bounding_box()

    def click(x: float, y: float) -> tuple[str, str]:
        image.click(position={"x": x * box["width"], "y": y * box["height"]})
        return figure.locator("output").inner_text(), image.get_attribute("alt")

    for left, top, width, height in panels:
        slider.press("Home")
        number, said = click(left + 6.5 / 8 * width, top + 1.5 / 8 * height)
        assert number == "15"  # row 1, column 6 of eight, counted from 1
        assert said.endswith("patch 15")
        number, _ = click(left + 7.5 / 8 * width, top + 0.5 / 8 * height)
        assert number == "15"  # patch 8 is not stored: 15 is nearer than 9, a row below
    assert click(0.002, 0.02)[0] == "15"  # beside the panels
    slider.press("ArrowRight")
    assert figure.locator("output").inner_text() == "18"
    assert wrong == []


MOVED = ["level", "layer", "kernel size K", "dimension n", "10·φ", "patch"]
MOVED += ["milliseconds"]  # what the lecture's figures are moved by


def test_each_figure_moves_on_one_page_without_a_kernel(visit):
    page, wrong = visit("explore.html", PHONE)
    names = page.locator("figure.frames label").all_inner_texts()
    assert {words.split("\n")[0].strip() for words in names} >= set(MOVED)
    for figure in page.locator("figure.frames").all():
        image, value = figure.locator("img"), figure.locator("output")
        before = image.get_attribute("src"), value.inner_text()
        figure.locator("input").press("ArrowRight")
        assert image.get_attribute("src") != before[0]
        assert value.inner_text() != before[1]
        assert image.evaluate("image => image.naturalWidth > 100")
    assert wrong == []


def test_dark_mode_is_the_visitor_s_choice(browser, site):
    page = browser.new_page(color_scheme="dark")
    page.goto((site / "index.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.close()
