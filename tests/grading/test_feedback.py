"""Nothing of a student's runs in another's browser, and hidden tests stay hidden."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from base64 import b64encode
from html import unescape
from pathlib import Path
from typing import NamedTuple

import nbformat
import nh3
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    new_raw_cell,
)
from nbgrader.converters import GenerateFeedback
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config

from course_grader import feedback
from course_grader.assignment.course import Course
from course_grader.report import sanitise
from course_grader.report.feedback import POLICY, SCRIPT, message
from course_grader.report.formulas import FORMULA, drawn
from course_grader.report.opening import exercise_titles
from course_grader.store.gradebook import Writer
from course_lib.files import ROOT

NAME = "tiny"
JS = "top.document.title='hit'"
URL = "http://127.0.0.1:9/hit"
FRAME = b64encode(f"<script>{JS}</script>".encode()).decode()
SPACE = "xmlns='http://www.w3.org/2000/svg'"
SVG = f'<svg {SPACE} onload="{JS}"><script>{JS}</script></svg>'
PICTURE = b64encode(SVG.encode()).decode()
HTML = [
    f"<script>{JS}</script>",
    f"<script src={URL}></script>",
    f"<scr<script>ipt>{JS}</script>",
    f"<script type='text/x-mathjax-config'>{JS}</script>",
    f'<img src=x onerror="{JS}">',
    f"<img src={URL}>",
    f'<img srcset="{URL} 1x">',
    f"<picture><source srcset={URL}><img></picture>",
    f'<svg onload="{JS}"></svg>',
    f"<svg><script>{JS}</script></svg>",
    f'<svg><animate onbegin="{JS}" attributeName=x dur=1s></svg>',
    f"<svg><image href={URL} /></svg>",
    f'<svg><a xlink:href="javascript:void({JS})"><text y=20>click</text></a></svg>',
    f'<svg><foreignObject><body onload="{JS}"></foreignObject></svg>',
    f"<svg><style><img src=x onerror={JS}></style></svg>",
    f'<iframe src="javascript:void({JS})"></iframe>',
    f'<iframe srcdoc="<script>{JS}</script>"></iframe>',
    f"<iframe src={URL}></iframe>",
    f"<iframe src='data:text/html;base64,{FRAME}'></iframe>",
    f"<object data={URL}></object>",
    f"<object data='data:text/html;base64,{FRAME}'></object>",
    f"<embed src={URL}>",
    f'<a href="javascript:void({JS})">click</a>',
    f'<a href="  jav&#x09;ascript:void({JS})">click</a>',
    f'<a href="&#106;avascript:void({JS})">click</a>',
    f"<a href='data:text/html;base64,{FRAME}'>click</a>",
    f'<a href="#top" ping="{URL}">click</a>',
    f'<form action={URL}><input autofocus onfocus="{JS}"><button>go</button></form>',
    f'<form><button formaction="javascript:void({JS})">go</button></form>',
    f'<form action="javascript:void({JS})"><input type=submit value=go></form>',
    f'<button onclick="{JS}">click</button>',
    f'<b onmouseover="{JS}">here</b>',
    f'<meta http-equiv=refresh content="0;url={URL}">',
    f"<link rel=stylesheet href={URL}>",
    f"<style>@import '{URL}'; body {{ background: url({URL}) }}</style>",
    f'<div style="background: url({URL})">styled</div>',
    f'<div style="width: expression({JS})">styled</div>',
    f"<base href='{URL}/'>",
    f'<video src={URL} poster={URL} onerror="{JS}"></video>',
    f'<audio src=x onerror="{JS}"></audio>',
    f'<details open ontoggle="{JS}">open</details>',
    f'<body onload="{JS}">',
    f'<marquee onstart="{JS}">roll</marquee>',
    f'<input type=image src={URL} onerror="{JS}">',
    f"<table background={URL}><tr><td>cell</table>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={JS}></style></math>",
    f'<noscript><p title="</noscript><img src=x onerror={JS}>"></noscript>',
    f"</title></head></pre></div><script>{JS}</script>",
    f"<template><script>{JS}</script></template><script>{JS}</script>",
    f"<!--><img src=x onerror={JS}>-->",
    '<p class="modal" id="MathJax" style="position: fixed">over the page</p>',
    f'<textarea autofocus onfocus="{JS}"></textarea>',
    rf"$\href{{javascript:void({JS})}}{{x}}$",
    rf"$\hre<!-- -->f{{javascript:void({JS})}}{{x}}$",
]
MARKDOWN = [
    *HTML,
    f"[click](javascript:void({JS}))",
    f"[click](JaVaScRiPt:void({JS}))",
    f"[click][there]\n\n[there]: javascript:void({JS})",
    f"<javascript:void({JS})>",
    f"![picture]({URL})",
    f"![picture](javascript:void({JS}))",
    f"![picture](data:image/svg+xml;base64,{PICTURE})",
    f"[click](data:text/html;base64,{FRAME})",
    "![missing](attachment:missing.png)",
    "![attached](attachment:evil.svg)",
    f"```mermaid\n<img src=x onerror={JS}>\n```",
    f"```<img src=x onerror={JS}>\nx\n```",
    f"# heading <img src=x onerror={JS}>",
    f"| a |\n|---|\n| <img src=x onerror={JS}> |",
    f"$$</script><script>{JS}</script>$$",
    rf"\begin{{x}}<script>{JS}</script>\end{{x}}",
    f"`</code><script>{JS}</script>`",
    "> " * 2000 + "deep",
]


def hostile() -> nbformat.NotebookNode:
    """A notebook that carries everything above, everywhere that a page shows."""
    cells = [new_markdown_cell(text) for text in MARKDOWN]
    for cell in cells:
        cell.attachments = {
            "evil.svg": {"image/svg+xml": PICTURE, f'a"><script>{JS}</script>': "x"}
        }
    cells += [new_raw_cell(text, metadata={"format": "text/html"}) for text in HTML]
    outputs = [new_output("display_data", data={"text/html": text}) for text in HTML]
    outputs += [
        new_output("display_data", data={"text/markdown": text}) for text in MARKDOWN
    ]
    outputs += [
        new_output("display_data", data={kind: text})
        for kind, text in {
            "image/svg+xml": SVG,
            "application/javascript": JS,
            "text/latex": rf"$\href{{javascript:void({JS})}}{{x}}$" + HTML[0],
            "text/vnd.mermaid": f"<script>{JS}</script>",
            "application/vnd.jupyter.widget-view+json": {"model_id": f"<script>{JS}"},
            "image/png": f'"><script>{JS}</script>',
            "text/plain": f"\x1b[31m<script>{JS}</script>\x1b[0m",
        }.items()
    ]
    framed = {"text/html": {"isolated": True}, "filenames": {"image/png": URL}}
    outputs += [new_output("display_data", {"text/html": HTML[0]}, metadata=framed)]
    script = f"<script>{JS}</script>"
    lines = [f"\x1b[0;31m{script}\x1b[0m", script]
    outputs += [
        new_output("stream", name="stdout", text=script),
        new_output("stream", name="stderr", text=f"\x1b]8;;javascript:void({JS})\x07x"),
        new_output("error", ename=script, evalue=script, traceback=lines),
    ]
    source = f"'</script><script>{JS}</script>'"
    facts = {"tags": [f'"><script>{JS}</script>'], "magics_language": f'"{script}'}
    cells.append(new_code_cell(source, outputs=outputs, metadata=facts))
    fake = {"grade_id": f'"><script>{JS}</script>', "grade": False, "solution": False}
    cells.append(new_code_cell("1", metadata={"nbgrader": fake}))
    notebook = new_notebook(cells=cells)
    notebook.metadata = nbformat.from_dict(
        {
            "title": f"</title><script>{JS}</script>",
            "language_info": {"name": f'x"><script>{JS}</script>'},
            "kernelspec": {"name": script, "display_name": script},
            "widgets": {
                "application/vnd.jupyter.widget-state+json": {
                    "state": {"x": f"</script><script>{JS}</script>"}
                }
            },
        }
    )
    return notebook


@pytest.fixture
def handed_in(submission):
    """An answer to the assignment, and all that is hostile after it."""
    notebook, more = submission(), hostile()
    notebook.cells += more.cells
    notebook.metadata = more.metadata
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "why":
            cell.source = "\n\n".join(MARKDOWN[:10])
    return notebook


def page_of(course: Path, bundle, verdict) -> Path:
    with Writer(course, NAME, bundle) as writer:
        assert writer.write(verdict).status == "graded"
    (page,) = feedback(NAME, course)
    return page


class Seen(NamedTuple):
    """What a browser did with a page, after a click on everything."""

    title: str
    dialogs: int
    requests: list[str]
    links: list[str]


CLICKS = """
addEventListener('click', event => {
  const link = event.target.closest && event.target.closest('a');
  if (link && /^https?:/.test(link.protocol)) event.preventDefault();
}, true);
for (const one of document.querySelectorAll('body *'))
  for (const kind of ['mouseover', 'focus', 'click'])
    one.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true}));
"""
LINKS = "[...document.querySelectorAll('[href], [src]')].map(e => e.href || e.src)"


async def visit(binary: str, page: Path, folder: Path) -> Seen:
    """Open a page in Chromium, by the protocol of its own developer tools."""
    from tornado.websocket import websocket_connect

    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    options += ["--remote-debugging-port=0", f"--user-data-dir={folder}"]
    options += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    browser = await asyncio.create_subprocess_exec(
        binary, *options, "about:blank", stderr=asyncio.subprocess.PIPE
    )
    try:
        line = b""
        while b"DevTools listening on " not in line:
            line = await browser.stderr.readline()
        address = line.decode().split()[-1]
        tools = Tools(await websocket_connect(address, max_message_size=2**26))
        return await tools.visit(page)
    finally:
        browser.kill()
        await browser.wait()


class Tools:
    """A connection to Chromium's developer tools; events are kept."""

    def __init__(self, socket):
        self.socket, self.number, self.events, self.session = socket, 0, [], {}

    async def ask(self, method: str, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        await self.socket.write_message(json.dumps(message | self.session))
        while True:
            answer = json.loads(await self.socket.read_message())
            if answer.get("id") == self.number:
                return answer["result"]
            self.events.append(answer)
            if answer.get("method") == "Page.javascriptDialogOpening":
                close = {"id": -1, "method": "Page.handleJavaScriptDialog"}
                close["params"] = {"accept": True}
                await self.socket.write_message(json.dumps(close | self.session))

    async def evaluate(self, script: str):
        found = await self.ask(
            "Runtime.evaluate", expression=script, returnByValue=True
        )
        return found["result"].get("value")

    async def visit(self, page: Path) -> Seen:
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", flatten=True, **target)
        self.session = attached
        for part in ("Page", "Network", "Runtime"):
            await self.ask(f"{part}.enable")
        await self.ask("Page.navigate", url=page.as_uri())
        for _ in range(200):  # until all is loaded, or known not to be there
            await asyncio.sleep(0.1)
            if await self.evaluate("document.readyState") == "complete":
                break
        await asyncio.sleep(1)
        await self.evaluate(CLICKS)
        await asyncio.sleep(1)
        links = await self.evaluate(LINKS)
        title = await self.evaluate("document.title")
        kinds = [event.get("method") for event in self.events]
        asked = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return Seen(title, kinds.count("Page.javascriptDialogOpening"), asked, links)


@pytest.fixture(scope="session")
def chromium() -> str:
    names = "chromium", "chromium-browser", "google-chrome"
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip("no Chromium is installed here to open a page")


@pytest.mark.slow
def test_a_browser_runs_nothing_of_a_hostile_page(
    tiny, bundle, verdict, handed_in, chromium, tmp_path
):
    page = page_of(tiny, bundle, verdict(notebook=handed_in))
    seen = asyncio.run(visit(chromium, page, tmp_path / "profile"))
    assert (seen.title, seen.dialogs) == (NAME, 0)
    ours = page.as_uri(), "data:image/"
    fonts = page.parents[1].as_uri() + "/fonts/glyphicons"  # of Bootstrap's sheet
    asked = [url for url in seen.requests if not url.startswith((*ours, fonts))]
    assert asked == []
    allowed = *ours, "http://127.0.0.1:9/hit"
    assert [url for url in seen.links if url and not url.startswith(allowed)] == []


def stays(text: str) -> bool:
    """Does nbgrader make a page of it, which does not send the browser elsewhere?"""
    away = "refresh", "<form", "<base", "<isindex", "attachment:"
    return not any(word in text for word in away)


@pytest.mark.slow
def test_nbgraders_own_page_of_it_runs(
    tiny, bundle, verdict, handed_in, chromium, tmp_path
):
    """Or the test above would prove nothing."""
    page = page_of(tiny, bundle, verdict(notebook=handed_in))
    kept = tiny / "autograded" / "ada" / NAME / f"{NAME}.ipynb"
    kept.chmod(0o644)
    for cell in handed_in.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if stays(str(o))]
    handed_in.cells = [cell for cell in handed_in.cells if stays(cell.source)]
    nbformat.write(handed_in, kept)
    force = Config({"GenerateFeedback": {"force": True}})
    Course.open(tiny).convert(GenerateFeedback, NAME, config=force)
    seen = asyncio.run(visit(chromium, page, tmp_path / "profile"))
    assert seen.title == "hit"
    assert URL in seen.requests


@pytest.mark.slow
def test_formgrader_runs_nothing_either(
    tiny, bundle, verdict, handed_in, chromium, tmp_path
):
    """Its page has no policy of ours: what is kept in autograded/ is clean."""
    page_of(tiny, bundle, verdict(notebook=handed_in))
    kept = tiny / "autograded" / "ada" / NAME / f"{NAME}.ipynb"
    config = Config()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    facts = {"base_url": "https://127.0.0.1:9/formgrader", "index": 0, "total": 1}
    html, _ = HTMLExporter(config=config).from_filename(str(kept), resources=facts)
    page = tmp_path / "page.html"
    page.write_text(html.replace("<title></title>", f"<title>{NAME}</title>"))
    seen = asyncio.run(visit(chromium, page, tmp_path / "profile"))
    assert (seen.title, seen.dialogs) == (NAME, 0)
    asked = [url for url in seen.requests if "/hit" in url or "data:text" in url]
    assert asked == []
    assert not [link for link in seen.links if link.startswith("javascript:")]


def text_of(page: Path) -> str:
    return unescape(
        re.sub(r"<[^>]*>", "", page.read_text("utf-8").partition("<body")[2])
    )


def said_in_hidden_test(notebook, *outputs, **facts) -> None:
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "double_hidden":
            cell.outputs = list(outputs)
            cell.metadata.update(facts)


def failure(name: str, text: str, **more):
    lines = ["Traceback", "----> 4 assert double(secret) == 24690", f"{name}: {text}"]
    made = new_output("error", ename=name, evalue=text, traceback=lines)
    made.update(more)
    return made


def test_a_hidden_test_says_its_message_and_no_more(tiny, bundle, verdict, submission):
    notebook = submission()
    printed = new_output("stream", name="stdout", text="secret is 12345")
    shown = new_output("display_data", data={"text/plain": "12345 was shown"})
    ended = failure("AssertionError", "a larger one\n\nx: array([12345])")
    said_in_hidden_test(notebook, printed, shown, ended)
    text = text_of(page_of(tiny, bundle, verdict(notebook=notebook)))
    assert "AssertionError: a larger one" in text
    assert "assert double(2) == 4, 'two doubled is four'" in text  # the visible part
    for hidden in ("12345", "secret", "24690", "HIDDEN", "Traceback"):
        assert hidden not in text


@pytest.mark.parametrize("where", ["output", "cell"])
def test_an_exception_of_the_students_own_could_carry_the_question(
    tiny, bundle, verdict, submission, where
):
    notebook, mark = submission(), {"course": {"remote": True}}
    more = {"metadata": mark} if where == "output" else {}
    ended = failure("AssertionError", "I was asked for 12345", **more)
    said_in_hidden_test(notebook, ended, **({} if more else mark))
    page = page_of(tiny, bundle, verdict(notebook=notebook))
    text = text_of(page)
    assert "AssertionError, raised in a hidden test" in text
    assert "12345" not in text
    kept = tiny / "autograded" / "ada" / NAME / f"{NAME}.ipynb"
    notebook = nbformat.read(kept, as_version=4)
    nbformat.validate(notebook)
    assert "I was asked for 12345" in str(notebook)  # the instructor may know


@pytest.mark.parametrize(
    ("name", "text", "remote", "said"),
    [
        ("AssertionError", "three", False, "AssertionError: three"),
        ("CheckFailed", "one\ntwo\n\nthree", False, "CheckFailed: one\ntwo"),
        ("AssertionError", "three", True, "AssertionError, raised in a hidden test"),
        ("KeyError", "'hidden'", False, "KeyError, raised in a hidden test"),
        ("E12345", "x", True, "an exception, raised in a hidden test"),
    ],
)
def test_what_is_told_of_an_error(name, text, remote, said):
    assert message(failure(name, text), remote) == said


def test_a_student_may_write_the_words_that_mark_a_hidden_test(
    tiny, bundle, verdict, submission
):
    notebook = submission("def double(x):\n    # BEGIN HIDDEN TESTS\n    return 2 * x")
    assert "BEGIN HIDDEN" in text_of(page_of(tiny, bundle, verdict(notebook=notebook)))


PNG = b64encode(b"\x89PNG\r\n" + bytes(range(256))).decode()
HONEST = [
    "# A *title* with `a < b`, **x** and $x < y$",
    "1 < 2 and 3 > 2, Tom & Jerry, <b>bold</b> and H<sub>2</sub>O",
    "[docs](https://pytorch.org), [mail](mailto:a@b.org), [above](#top)",
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = '<script>'\n```",
    "![my plot](plot.png)",
    f"![inside](data:image/png;base64,{PNG})",
    "$$\n\\begin{aligned} a &= b \\\\ c &< d \\end{aligned}\n$$",
    "- [ ] to do\n- [x] done\n\n> quoted",
]


@pytest.mark.parametrize("source", HONEST, ids=range(len(HONEST)))
def test_honest_markdown_is_kept_letter_by_letter(source):
    assert sanitise.markdown(source) == source


REACHING = [
    r"\href{javascript:alert(1)}{x}",
    r"\mmlToken{mi}[href=javascript:alert(1)]{x}",
    r"\mmlToken{mi}[style=position:fixed]{x}",
    r"\style{position:fixed}{x}",
    r"\class{modal}{x}",
    r"\cssId{MathJax}{x}",
    r"\unicode[x;color:red]{65}",
    r"\bbox[background:url(https://example.org/x.png)]{x}",
    r"\enclose{circle}[style=position:fixed]{x}",
    r"\require{html}\def\a{\href}\a{x}{y}",
    r"\texttip{x}{y}",
    r"\toggle{x}{y}\endtoggle",
    r"\data{a=b}{x}",
    r"\htmlData{a=b}{x}",
    r"\href1{x}",
    "\\href\u00e9{x}",
]
HIDDEN = [  # the same, as markup hides it
    "$ &#92;href{javascript:alert(1)}{x} $",
    "$ \\hr&#101;f{javascript:alert(1)}{x} $",
    "$ \\\\href{javascript:alert(1)}{x} $",
    "$ \\hr<wbr>ef{javascript:alert(1)}{x} $",
    "$ \\hr<foo></foo>ef{javascript:alert(1)}{x} $",
]
MACRO = re.compile(
    r"\\(href|mmlToken|style|class|cssId|unicode|bbox|enclose|require|texttip|toggle"
    r"|data|htmlData)(?![A-Za-z])"
)


@pytest.mark.parametrize("formula", [*(f"${one}$" for one in REACHING), *HIDDEN])
def test_no_formula_reaches_out_of_itself(formula):
    """Whatever MathJax's own filter lets through: it never sees such a macro."""
    for page in (sanitise.html(formula), sanitise.rendered(formula)):
        assert not MACRO.search(unescape(nh3.clean(page, tags=set())))
    split = "<" in formula  # which Markdown takes for letters of the formula
    as_text = formula if split else sanitise.as_text(formula)
    assert sanitise.markdown(formula) == as_text
    kept = sanitise.outputs([new_output("display_data", {"text/latex": formula})])
    assert not MACRO.search(kept[0].data["text/latex"])


def test_formulas_that_only_look_alike_stay():
    source = r"$\stylex + \frac{a}{b} \hreflike \classical \tag{1}$ and `\href`"
    assert sanitise.formulas(source).startswith(source[:40])
    assert sanitise.markdown(source) == source


def test_a_page_shows_honest_markdown(tiny, bundle, verdict, submission):
    notebook = submission(why="\n\n".join(HONEST))
    page = page_of(tiny, bundle, verdict(notebook=notebook)).read_text("utf-8")
    assert 'src="plot.png"' in page
    assert f"data:image/png;base64,{PNG}" in page
    assert "H<sub>2</sub>O" in page
    assert 'href="https://pytorch.org"' in page
    assert "<details>of ours</details>" in page  # the instructor's markup


@pytest.mark.parametrize("source", MARKDOWN, ids=range(len(MARKDOWN)))
def test_hostile_markdown_is_shown_as_text(source):
    kept = sanitise.markdown(source)
    if kept != source:
        assert kept.startswith("```")
        assert source in kept
    page = sanitise.rendered(kept)
    assert sanitise.html(page) == page
    assert not re.search(r"<(script|iframe|svg|form|style)|<[^>]* (on|href=.j)", page)
    assert sanitise.markdown(kept) == kept


def test_text_and_pictures_of_outputs_are_kept_exactly():
    text = "\x1b[31mred\x1b[0m <b>&amp;</b>\r\n\u202e"
    kept = [
        new_output("stream", name="stderr", text=text),
        new_output("error", ename="E", evalue=text, traceback=[text]),
        new_output("display_data", data={"text/plain": text, "image/png": PNG}),
        new_output("execute_result", data={"image/jpeg": PNG}, execution_count=3),
    ]
    sizes = {"image/png": {"width": 300, "height": 200}}
    kept.append(new_output("display_data", data={"image/png": PNG}, metadata=sizes))
    assert sanitise.outputs(kept) == kept


def test_a_table_of_pandas_stays_a_table():
    table = (
        '<div>\n<style scoped>.x { color: red }</style>\n<table border="1" '
        'class="dataframe"><tbody><tr><th>0</th><td>1.5</td></tr></tbody></table></div>'
    )
    (kept,) = sanitise.outputs([new_output("display_data", {"text/html": table})])
    assert '<table border="1" class="dataframe">' in kept.data["text/html"]
    assert "<td>1.5</td>" in kept.data["text/html"]
    assert "style" not in kept.data["text/html"]


def test_what_cannot_be_shown_is_named():
    (kept,) = sanitise.outputs([new_output("display_data", {"application/pdf": "x"})])
    assert kept.data == {"text/plain": "(not shown here: application/pdf)"}


SLOW = [  # seconds to minutes each, were it not cut
    "&" * 2_000_000,
    "<div>" * 300_000,
    "<b></p>" * 30_000,
    "[" * 90_000,
    "*a " * 30_000,
    "\\begin{a}" * 40_000,
]


@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_markup_made_to_keep_the_grader_does_not(text):
    start = time.process_time()
    sanitise.html(text)
    sanitise.markdown(text)
    sanitise.rendered(text)
    assert time.process_time() - start < 5


def test_nor_does_much_of_it(writer, verdict, submission, tiny):
    notebook = submission()
    piece = "<div>" * 19_000
    data = {"text/html": piece, "text/plain": "a table"}
    notebook.cells[1].outputs = [new_output("display_data", data) for _ in range(200)]
    start = time.process_time()
    assert writer.write(verdict(notebook=notebook)).status == "graded"
    assert time.process_time() - start < 5
    kept = nbformat.read(tiny / "autograded" / "ada" / NAME / f"{NAME}.ipynb", 4)
    assert kept.cells[1].outputs[0].data == {"text/plain": "a table"}


def test_the_page_has_no_script_and_its_policy_allows_none(tiny, bundle, verdict):
    page = page_of(tiny, bundle, verdict()).read_text("utf-8")
    assert POLICY.strip() in page
    assert "script-src" not in POLICY  # so default-src 'none' holds for it
    assert not SCRIPT.search(page)
    assert "http" not in page.partition("<body")[2]


def rows_of(page: Path) -> list[list[str]]:
    """The page's first table, as text."""
    rows = page.read_text("utf-8").partition('id="exercises">')[2].split("</table>")[0]
    cells = [re.findall("<td>(.*?)</td>", row, re.S) for row in rows.split("</tr>")]
    return [[unescape(re.sub("<[^>]*>", "", c)) for c in row] for row in cells if row]


def test_a_page_opens_with_points_by_exercise_and_why_some_were_lost(
    tiny, bundle, verdict
):
    with Course.open(tiny).gradebook() as gradebook:
        gradebook.update_or_create_student("ada", first_name="Ada", last_name="<b>Bo")
    page = page_of(tiny, bundle, verdict(failed=("double_visible", "double_hidden")))
    said = " ".join(text_of(page).split())
    assert said.startswith("> tiny Ada <b>Bo (ada): 4 of 20 points Exercise")
    why = "two doubled is four"
    tests = f"double_visible: {why}double_hidden: {why}"
    waits = "why: not read yetdrawing: not read yet"
    title = "Doubling <details>of ours</details>"
    assert rows_of(page) == [[title, "4 of 20", tests + waits]]
    assert 'href="#double_hidden"' in page.read_text("utf-8")


def test_exercises_are_named_by_the_headings_as_they_were_released(tmp_path):
    cells = [new_markdown_cell("Hello.\n## 1 · Twice (3 points)\nText"), graded("a")]
    cells += [new_markdown_cell("No heading."), graded("b"), new_markdown_cell("# 2")]
    nbformat.write(new_notebook(cells=[*cells, graded("c")]), tmp_path / "x.ipynb")
    assert exercise_titles(tmp_path) == {
        "x": {"a": "1 · Twice", "b": "1 · Twice", "c": "2"}
    }


def graded(name: str):
    return new_code_cell("1", metadata={"nbgrader": {"grade_id": name}})


@pytest.mark.parametrize(
    ("html", "there", "gone"),
    [
        ("<p>$x &lt; y$</p>", "<mo>&lt;</mo>", "$"),
        ("$$\\frac{a}{b}$$", '<math display="block">', "$"),
        (r"\begin{matrix} a \\ b \end{matrix}", "<mtable>", "begin"),
        (r"$\mathbb{R}^{H\times W}$", "<mi>ℝ</mi>", "mathbb"),
        ("costs $5, and then $6", "costs $5, and then $6", "<math"),
        ("<code>$x$</code> and <pre>$y$</pre>", "$x$", "<math"),
        ("$a_{$", "$a_{$", "<math"),
        (r"$\text{&lt;img src=x onerror=alert(1)&gt;}$", "&lt;img", "<img"),
        (r"$\text{&amp;lt;b&amp;gt;}$", "&lt;b", "<b"),
        (r"$\color{red;background:url(x)}{x}$", "<mi>x</mi>", "url"),
        (r"$\href{javascript:alert(1)}{x}$", "", "href"),
        (r"$\class{modal}{x}$", "", "class="),
        (r"$\style{position:fixed}{x}$", "", "style="),
        ('<a title="$x$">a</a>', 'title="$x$"', "<math"),
    ],
)
def test_formulas_are_drawn_without_a_script(html, there, gone):
    found = drawn(sanitise.html(html))
    assert there in found
    assert gone not in found


def test_every_formula_of_the_assignments_can_be_drawn():
    for path in (ROOT / "assignments").glob("*/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown" and "$" in cell.source:
                page = drawn(sanitise.rendered(cell.source))
                assert not FORMULA.search(re.sub(r"<code.*?</code>", "", page)), path


ODD = "[ab]", "a", "ada*", "one\ntwo", "?", "{x}", "!", "**", "\x1b[2Jred", "‮ab"


@pytest.mark.slow
def test_no_name_brings_a_notebook_and_none_ends_it_for_others(tiny, bundle, verdict):
    files = {"helper.py": b"x = 1\n", "old/Tiny.IPYNB": b"{}", "x.pyc": b"0"}
    with Writer(tiny, NAME, bundle) as writer:
        for student in ODD:
            assert writer.write(verdict(student, files=files)).status == "graded"
    pages = feedback(NAME, tiny)
    assert pages == [tiny / "feedback" / s / NAME / f"{NAME}.html" for s in sorted(ODD)]
    there = {path.name for path in (tiny / "feedback").rglob("*") if path.is_file()}
    assert there == {f"{NAME}.html", "helper.py", "timestamp.txt"}
    for page in pages:
        assert "24690" not in text_of(page)
        assert "assert double(2) == 4" in text_of(page)
