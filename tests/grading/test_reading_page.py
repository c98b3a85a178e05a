"""Answers read in a real browser with the network closed, and who may not read them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import nbformat
import psutil
import pytest

from course_grader import feedback, release
from course_grader.assignment.bundle import load
from course_grader.assignment.course import Course
from course_grader.reading.answers import Desk
from course_grader.store.gradebook import Writer
from course_lib.files import ROOT

from .conftest import TINY

QUESTION = "**Why** is $2x$ even for each $x \\in \\mathbb{Z}$? Two to four sentences."
SCHEME = """### BEGIN SOLUTION
By definition $n$ is even if $n = 2k$, and here $k = x$:

$$\\frac{2x}{2} = x \\in \\mathbb{Z}$$

| points | for |
|---|---|
| 3 | the definition |
| 2 | that $k = x$ is whole |
### END SOLUTION"""
PICTURE = (  # one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5E"
    "rkJggg=="
)
WRITTEN = """Two times $x$ is **even** by definition: a number $n$ is even if some $k$
gives $n = 2k$, and here $k = x$.

1. For $x = 0$ it is 0, which is even.
2. For a negative $x$ nothing changes.

$$\\sum_{i=1}^{x} 2 = 2x$$

So says {0}. ![a dot](attachment:dot.png)"""
ATTACK = """<script>document.title = "taken"</script>
<img src="x" onerror="document.title = 'taken'">
<a href="javascript:document.title='taken'">one</a> [two](javascript:alert(1))
<form action="https://example.org"><button>Stop</button></form>
<style>body { display: none }</style>
<iframe src="https://example.org"></iframe> $\\href{javascript:alert(2)}{x}$
So says {0}."""
CLASS = "ada", "bo", "cy", "di"
pytestmark = pytest.mark.slow


@pytest.fixture
def course(tiny, verdict) -> Path:
    """Four answers with formulas and a picture, of which the last one attacks."""
    path = tiny / "solutions" / TINY / f"{TINY}.ipynb"
    book = nbformat.read(path, as_version=4)
    number = next(i for i, c in enumerate(book.cells) if c.source.startswith("###"))
    book.cells[number].source = SCHEME
    book.cells.insert(number, nbformat.v4.new_markdown_cell(QUESTION))
    nbformat.write(book, path)
    release([TINY], tiny)
    bundle = load(TINY, tiny)
    with Writer(tiny, TINY, bundle) as writer:
        for student in CLASS:
            notebook = nbformat.from_dict(bundle.lessons[TINY].released)
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("grade_id") == "why":
                    text = ATTACK if student == "di" else WRITTEN
                    cell.source = text.replace("{0}", student)
                    cell.attachments = {"dot.png": {"image/png": PICTURE}}
            writer.write(verdict(student, notebook=notebook))
    return tiny


@pytest.fixture
def reading(course):
    """`course read tiny --browser`, running: the process and the page's address."""
    words = ["-m", "course_lib", "read", TINY, "--course", str(course)]
    words += ["--browser", "--question", "why", "--reader", "kim"]
    env = os.environ | {"BROWSER": "true", "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    pipe = subprocess.PIPE
    command = [sys.executable, *words]
    with subprocess.Popen(command, env=env, stdout=pipe, text=True) as process:
        try:
            yield process, next(process.stdout).strip()
        finally:
            process.terminate()


@pytest.fixture
def page(browser, reading, tmp_path):
    """A window whose network is closed but for the page; `wrong` gathers complaints.

    What a test shows last is kept as pictures, wide and narrow.
    """
    _, address = reading
    context = browser.new_context(viewport={"width": 1200, "height": 850})
    window = context.new_page()
    window.wrong = []

    def closed(route):
        window.wrong.append(f"asks for {route.request.url}")
        route.abort()

    context.route(lambda url: not url.startswith((address, "file:", "data:")), closed)
    window.on("console", lambda message: window.wrong.append(message.text))
    window.on("pageerror", lambda error: window.wrong.append(f"script: {error}"))
    window.goto(address)
    yield window
    pictured(window, tmp_path / "last")
    context.close()


def pictured(page, path: Path) -> None:
    """Keep the page as it looks wide and narrow, light and dark."""
    for scheme in "light", "dark":
        page.emulate_media(color_scheme=scheme)
        for width in 1200, 400:
            page.set_viewport_size({"width": width, "height": 850})
            page.screenshot(path=f"{path}_{scheme}_{width}.png")
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path.name} is {wide} pixels wide"
    page.set_viewport_size({"width": 1200, "height": 850})


def given(course: Path) -> list[tuple]:
    """Points, comment and reader of each answer, in the order of reading."""
    with Desk(TINY, course, "kim") as desk:
        found = desk.answers(question="why", again=True)
    return [(one.points, one.comment, one.reader) for one in found]


def at(page, number: int):
    """Wait until this answer is shown."""
    page.get_by_text(f"{number} of 4").wait_for()


def press(page, name: str):
    page.get_by_role("button", name=name).click()


def test_answers_are_read_by_keyboard_and_mouse_and_handed_back(
    course, reading, page, tmp_path
):
    process, _ = reading
    at(page, 1)
    assert page.locator(".scheme math").count() >= 3
    assert not any(name in page.locator("header").inner_text() for name in CLASS)
    pictured(page, tmp_path / "first")
    page.keyboard.type("6")  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("6 points: expected 0 to 5").wait_for()
    page.keyboard.type("4 Which $k$?")
    page.keyboard.press("Enter")
    at(page, 2)
    press(page, "3")
    page.keyboard.type("An *example*")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("is no proof.")
    page.get_by_label("keep the comment").check()
    press(page, "Give")
    at(page, 3)
    press(page, "c1")
    press(page, "Give")
    at(page, 4)
    kept = (3, "An *example*\nis no proof.", "kim")
    assert given(course) == [(4, "Which $k$?", "kim"), kept, kept, (None, "", "")]

    press(page, "Back")
    page.get_by_text("read by kim: 3 An *example*").wait_for()
    press(page, "Undo")
    page.get_by_text("2 read").wait_for()
    assert given(course)[2] == (None, "", "")
    page.keyboard.type("c1")
    page.keyboard.press("Tab")
    for _ in range(6):  # points
        page.keyboard.press("Tab")
    page.keyboard.type("And $x = 0$?")
    page.keyboard.press("Enter")
    at(page, 4)
    assert given(course)[2] == (3, f"{kept[1]}\n\nAnd $x = 0$?", "kim")
    page.keyboard.type("q")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Stopped").wait_for()
    assert "3 read, 1 left to read" in process.communicate(timeout=60)[0]
    assert process.returncode == 0

    with Desk(TINY, course, "kim") as desk:
        student = desk.answers(question="why", again=True)[2].student
    (path,) = [one for one in feedback(TINY, course) if student in one.parts]
    page.goto(path.as_uri())
    page.locator("em", has_text="example").wait_for()
    comment = page.locator("p", has_text=re.compile(r"^And\s"))
    assert comment.locator("math").count() == 1
    assert page.wrong == []


def test_what_a_reader_in_a_terminal_gave_meanwhile_is_not_written_over(course, page):
    at(page, 1)
    with Desk(TINY, course, "lee") as desk:
        first, second = desk.answers(question="why")[:2]
        desk.give(first, 2)
        page.keyboard.type("5")
        page.keyboard.press("Enter")
        said = "meanwhile it is read by lee: 2"
        page.get_by_role("alert").get_by_text(said).wait_for()
        at(page, 2)  # the first is read
        assert page.locator("#line").input_value() == ""  # 5 was for the first
        page.keyboard.type("5")
        desk.give(second, 1)
    page.keyboard.press("Enter")
    at(page, 3)
    assert [row[0] for row in given(course)] == [2, 1, None, None]


def test_an_answer_runs_nothing(course, page):
    path = course / "autograded/di" / TINY / f"{TINY}.ipynb"
    cleaned = path.read_text()
    assert "```text" in cleaned
    book = nbformat.read(path, as_version=4)
    for raw in (False, True):  # as `course grade` keeps it; as it was handed in
        if raw:
            why = next(c for c in book.cells if "So says di." in c.source)
            why.source = ATTACK.replace("{0}", "di")
            nbformat.write(book, path)
        page.goto(page.url)
        while "So says di." not in page.locator(".answer").inner_text():
            press(page, "Later")
        page.locator(".answer").evaluate(
            "answer => answer.querySelectorAll('*').forEach(one => "
            "one.dispatchEvent(new MouseEvent('click', {bubbles: true})))"
        )
        made = page.locator(
            ".answer :is(script, style, iframe, form, button, [onerror])"
        )
        assert made.count() == 0
        links = page.eval_on_selector_all(".answer a", "all => all.map(a => a.href)")
        assert not [link for link in links if link.startswith("javascript")]
        assert page.title().endswith(TINY)
    assert page.wrong == []

    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'taken'";
          document.body.append(script);
          document.body.insertAdjacentHTML("beforeend", "<img src=x onerror=title=1>");
        }"""
    )
    assert page.title().endswith(TINY)
    assert any("Content Security Policy" in said for said in page.wrong)


def asked(address: str, method: str = "GET", path: str = "", **headers: str) -> int:
    """Ask the page's server as anybody could, and return the status."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=30)
    body = "line=5&answer=1" if method == "POST" else None
    form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
    connection.request(method, path or parts.path, body, form | headers)
    answer = connection.getresponse()
    assert answer.getheader("Access-Control-Allow-Origin") is None
    return answer.status


def test_nobody_else_reads_or_gives_points(course, reading):
    process, address = reading
    here = urlsplit(address)
    ours, port = f"http://{here.netloc}", here.port
    token = here.path.strip("/")
    assert asked(address) == 200
    assert asked(address, Host=f"localhost:{port}") == 200
    assert asked(address, "POST", Origin=ours) == 303
    for path in ("/", "/0", f"/{token[:-1]}/", f"/{token}x/0", f"/{token}", "//0"):
        assert asked(address, path=path) == 404, path
        assert asked(address, "POST", path=path, Origin=ours) in (404, 405), path
    for name in ("read.js", "..%2f..%2fetc/passwd", "../answer.html.j2", "0/x", "-1"):
        assert asked(address, path=f"{here.path}{name}") == 404, name
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
        assert asked(address, Host=host) in (400, 403), host
        assert asked(address, "POST", Host=host, Origin=f"http://{host}") in (400, 403)
    assert asked(address, "POST") == 403
    for origin in ("null", "http://evil.example", f"http://localhost:{port}", ""):
        assert asked(address, "POST", Origin=origin) == 403, origin
    assert {row[0] for row in given(course)} == {None}
    open_to = psutil.Process(process.pid).net_connections("inet")
    assert {one.laddr.ip for one in open_to if one.status == "LISTEN"} == {"127.0.0.1"}
    assert token not in " ".join(psutil.Process(process.pid).cmdline())


def fetched(address: str) -> str:
    """Return a page of a server that says where it is, and listens a little later."""
    for _ in range(300):
        try:
            with urlopen(address, timeout=60) as answer:
                return answer.read().decode()
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


def test_formgrader_draws_formulas_without_a_network(course, tmp_path):
    with Course.open(course).gradebook() as book:
        (number,) = (one.id for one in book.find_submission(TINY, "ada").notebooks)
    words = ["-m", "jupyter_server", "--no-browser", "--port=0", "--allow-root"]
    words += ["--IdentityProvider.token=t"]
    env = os.environ | {"JUPYTER_CONFIG_PATH": str(ROOT / ".jupyter")}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    ends = {"cwd": course, "env": env, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, *words], **ends) as server:
        try:
            found = (re.search(r"http://127\.0\.0\.1:\d+/", s) for s in server.stderr)
            where = next(filter(None, found))[0]
            address = f"{where}formgrader/submissions/{number}/?token=t"
            page = fetched(address)
        finally:
            server.terminate()
    assert page.count("<math") >= 5
    assert "$" not in "".join(re.findall(r"<p>(.*?)</p>", page, re.S))
    assert 'src="data:image/png;base64,' in page  # attached
