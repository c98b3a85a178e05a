"""Written answers on a page of this machine alone, for one reader's browser.

The address holds a secret. A student's markup is cleaned, and the page's policy lets a
browser run the page's own script only.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import webbrowser
from collections.abc import Callable
from functools import lru_cache
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from jinja2 import Environment, FileSystemLoader
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler
from traitlets.config import Config

from course_grader.reading.answers import Answer, Question, standing
from course_grader.reading.sitting import Sitting
from course_grader.report.feedback import Harmless, Page
from course_lib.errors import CourseError

TEMPLATES = Path(__file__).parent / "templates"
HERE = "127.0.0.1"
HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]+)?")
LARGEST = 100_000  # bytes of what a browser sends
POLICY = (
    "default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; "
    "style-src-attr 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def serve(sitting: Sitting, names: bool, say: Callable[[str], None]) -> None:
    """Show a sitting in a browser until its reader stops.

    names: show whose answer it is. say: called once with the address.
    """
    asyncio.run(_serve(sitting, names, say))


async def _serve(sitting: Sitting, names: bool, say: Callable[[str], None]) -> None:
    token, stop = secrets.token_urlsafe(32), asyncio.Event()
    shared = {"sitting": sitting, "names": names, "token": token, "stop": stop}
    rules = [(r"/([^/]+)/(\d{0,9})", Reading, shared | {"seen": {}})]
    sockets = bind_sockets(0, HERE)
    server = HTTPServer(
        Application(rules, log_function=lambda handler: None), max_body_size=LARGEST
    )
    server.add_sockets(sockets)
    address = f"http://{HERE}:{sockets[0].getsockname()[1]}/{token}/"
    reports = sitting.desk.course.root / "reports"
    reports.mkdir(exist_ok=True)
    try:
        say(address)
        with TemporaryDirectory(prefix="read-", dir=reports) as ours:
            # by a file that leads on: others can list a program's arguments
            door = Path(ours) / "open.html"
            door.write_text(f'<meta http-equiv="refresh" content="0;url={address}">')
            door_address = door.resolve().as_uri()
            loop = (
                asyncio.get_running_loop()
            )  # goes on beside a browser in the terminal
            opening = loop.run_in_executor(None, webbrowser.open, door_address)
            await stop.wait()
            await opening
    finally:
        server.stop()
        await server.close_all_connections()


class Reading(RequestHandler):
    """GET shows the answer at a place; POST does what its reader says."""

    def initialize(self, sitting, names, token, stop, seen) -> None:
        self.sitting, self.names, self.token = sitting, names, token
        self.stop, self.seen = stop, seen  # seen: answers as they were shown, by id

    def set_default_headers(self) -> None:
        self.nonce = secrets.token_urlsafe(16)
        self.set_header("Content-Security-Policy", POLICY.format(self.nonce))
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")
        self.set_header("Cache-Control", "no-store")
        self.clear_header("Server")

    def prepare(self) -> None:
        host = self.request.headers.get("Host", "")
        if not HOST.fullmatch(host):  # another name that leads here
            raise HTTPError(403)
        if not secrets.compare_digest(self.path_args[0].encode(), self.token.encode()):
            raise HTTPError(404)
        origin = self.request.headers.get("Origin")  # browsers send it with a POST
        if self.request.method == "POST" and origin != f"http://{host}":
            raise HTTPError(403)
        if place := self.path_args[1]:
            self.sitting.at = min(int(place), len(self.sitting.answers))

    def get(self, token: str, place: str) -> None:
        self.show()

    def post(self, token: str, place: str) -> None:
        names = "button", "line", "comment", "keep", "answer"
        sent = {name: self.get_body_argument(name, "") for name in names}
        said, more = sent["button"] or sent["line"], sent["comment"]
        if sent["button"]:  # one that gives no points
            more = ""
        if said == "q":
            self.draw("stopped.html.j2")
            self.stop.set()
            return
        answer, keep = self.seen.get(sent["answer"]), bool(sent["keep"])
        try:
            self.sitting.obey(answer, said, more.replace("\r\n", "\n"), keep)
        except CourseError as error:
            self.show(str(error), sent)
        else:
            self.redirect(f"/{self.token}/{self.sitting.at}", status=303)

    def show(self, error: str = "", sent: dict[str, str] | None = None) -> None:
        """Draw the answer at the sitting's place, or that all is read.

        sent: a form that could not be obeyed, to be repaired if it is of this answer.
        """
        sitting, answer = self.sitting, self.sitting.current()
        if answer is None:
            self.draw("all_read.html.j2", error=error)
            return
        typed = sent if sent and sent["answer"] == answer.id else given(answer)
        self.seen[answer.id] = answer
        asked = sitting.question(answer)
        self.draw(
            "answer.html.j2",
            answer=answer,
            asked=asked,
            texts=_texts(asked),
            written=markup(sitting.desk.cells(answer)),
            standing=standing(answer) if answer.points is not None else "",
            bank=sitting.remarks(answer),
            chips=chips(asked.max_score),
            names=self.names,
            error=error,
            line=typed["line"],
            comment=typed["comment"],
        )

    def draw(self, template: str, **facts) -> None:
        page = _templates().get_template(template)
        shared = {"sitting": self.sitting, "nonce": self.nonce, "token": self.token}
        self.finish(page.render(shared | facts))


def given(answer: Answer) -> dict[str, str]:
    """Return what the form holds at first: what was given for this very answer."""
    old = answer.points is not None and not answer.waits
    points = f"{answer.points:g}" if old else ""
    return {"line": points, "comment": answer.comment if old else ""}


def chips(most: float) -> list[float]:
    """Return points for buttons, up to eleven: half ones, or whole, or fewer."""
    step = 0.5 if most <= 3 else max(1, ceil(most / 10))
    found = [number * step for number in range(int(most / step) + 1)]
    return found if most in found else [*found, most]


@lru_cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)


@lru_cache
def _exporter() -> Page:
    config = Config()
    config.HTMLExporter.template_name = "basic"
    config.HTMLExporter.exclude_anchor_links = True
    config.TemplateExporter.exclude_input_prompt = True
    config.TemplateExporter.exclude_output_prompt = True
    return Page(config=config)


@lru_cache
def _texts(asked: Question) -> tuple[str, str]:
    """Return a question and its scheme as HTML."""
    text, scheme = (
        markup([new_markdown_cell(source)]) for source in (asked.text, asked.scheme)
    )
    return text, scheme


def markup(cells: list[NotebookNode]) -> str:
    """Return cells as clean HTML: pictures in it, formulas as MathML, no script."""
    clean, _ = Harmless().preprocess(new_notebook(cells=cells), {})
    return _exporter().from_notebook_node(clean)[0]
