"""What strangers send, made up by the thousand: a process's bytes, a class's files."""

from __future__ import annotations

import io
import json
import shutil
import socket
import tempfile
import threading
import time
import unicodedata
import zipfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat import writes
from nbformat.v4 import new_notebook

from course_grader.engine.common import kinds, plain
from course_grader.engine.common.folder import Folder
from course_grader.engine.common.plain import Decoder
from course_grader.engine.common.wire import HEADER, Channel, Gone, Malformed
from course_grader.engine.judging.link import Link
from course_grader.engine.judging.outputs import checked
from course_grader.engine.judging.patience import Patience
from course_grader.engine.judging.raised import Stopped
from course_grader.intake.collect import collect
from course_grader.intake.owners import RECORD

pytestmark = pytest.mark.slow
# few on each push, and always the same; many, and new ones, where there is time
TRIES = [20, pytest.param(1000, marks=pytest.mark.thorough)]


def tried(examples: int, **strategies):
    """Run the function below on so many made-up cases; it takes them by name."""

    def now(holds):
        few = examples <= 100
        limits = {"max_examples": examples, "deadline": None, "derandomize": few}
        limits["suppress_health_check"] = list(HealthCheck)
        settings(database=None, **limits)(given(**strategies)(holds))()

    return now


# --- bytes of a student's process -----------------------------------------------------

WORDS = [
    *plain.READERS,
    *kinds.READERS,
    *("handle", "own", "yours", "module", "callback", "error", "value", "changed"),
    *("sync", "files", "warnings", "out", "inputs", "rule", "text", "class", "module"),
    *("builtin", "bases", "late", "lines", "outputs", "output_type", "data", "name"),
    *("BaseException", "Exception", "StopIteration", "__import__", "eval", "float32"),
    *("stream", "error", "display_data", "__class__", "training", "os.system"),
]
ATOMS = st.none() | st.booleans() | st.integers(-3, 2**64) | st.floats()
ATOMS |= st.sampled_from(WORDS) | st.text(max_size=5)
FIELDS = "k i v b h t c f g dtype shape name fields class odd children attributes"
FIELDS += " parameters buffers unsaved training swapped most param grad out bases"
FIELDS += " m fill t whole one by_name data"
NODES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=4)
        | st.fixed_dictionaries(
            {"k": st.sampled_from(WORDS), "i": st.integers(0, 3), "v": inner},
            optional={
                "b": st.integers(-1, 2),
                "h": st.integers(0, 3),
                "dtype": st.sampled_from([*plain.DTYPES, *plain.ARRAYS, "<U4", "O"]),
                "shape": st.lists(st.sampled_from([0, 1, 2, 2**39, -1]), max_size=3),
                "c": st.sampled_from([*plain.DICTS, "x"]),
                "class": st.sampled_from([["torch.nn.modules.linear", "Linear"], "X"]),
            },
        )
    ),
    max_leaves=12,
)
BLOBS = st.lists(st.binary(max_size=16), max_size=3)
KEYS = [*"value error changed sync files warnings out inputs rule callback".split()]
KEYS += ["values", "grads", "grad", "others", "keep", "outputs", "failed"]
ANSWERS = st.dictionaries(st.sampled_from(KEYS), NODES, max_size=6)
ANSWERS |= st.fixed_dictionaries(
    {
        "value": NODES,
        "changed": st.just([]) | NODES,
        "sync": st.just([]) | NODES,
        "files": st.just([{}, []]) | NODES,
        "warnings": st.just([]) | NODES,
        "out": st.just([]) | NODES,
    },
    optional={"error": NODES, "rule": NODES, "inputs": NODES},
)


def sent(data: bytes) -> Channel:
    """A channel on which all of this has come in, and nothing else will."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(data)
    return Channel(ours)


@pytest.mark.parametrize("examples", TRIES)
def test_any_bytes_are_a_message_or_a_clear_error(examples):
    heads = st.tuples(*[st.integers(0, 40)] * 3).map(lambda t: HEADER.pack(*t))

    @tried(examples, head=st.binary(max_size=20) | heads, rest=st.binary(max_size=80))
    def holds(head, rest):
        channel = sent(head + rest)
        with channel.end:
            with suppress(Gone, Malformed):
                message, blobs = channel.receive(time.monotonic() + 60)
                assert isinstance(message, dict)
                assert all(isinstance(blob, memoryview) for blob in blobs)


@pytest.mark.parametrize("examples", TRIES)
def test_any_tree_is_a_value_or_malformed(examples):
    @tried(examples * 5, node=NODES, blobs=BLOBS)
    def holds(node, blobs):
        with suppress(Malformed):
            Decoder([memoryview(blob) for blob in blobs]).value(node)


@pytest.mark.parametrize("examples", TRIES)
def test_any_outputs_are_a_notebook_s_or_left_out(examples):
    @tried(examples * 5, outputs=NODES)
    def holds(outputs):
        for output in checked(outputs):
            assert output["output_type"] in (
                *("stream", "display_data", "execute_result", "error"),
            )


@pytest.mark.parametrize("examples", TRIES)
def test_any_answer_stops_the_test_or_is_a_value_of_the_students(examples, tmp_path):
    """Nothing that an answer says ends the judge or is taken for its own error."""

    @tried(examples * 2, answers=st.lists(ANSWERS, min_size=1, max_size=3), blobs=BLOBS)
    def holds(answers, blobs):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            link = Link(Channel(ours), Folder(tmp_path), {}, Patience(60))
            link.line.give(60)
            student = threading.Thread(target=answer, args=(theirs, answers, blobs))
            student.start()
            raised = None
            try:
                found = link.values(["f"]) if "values" in answers[0] else None
                link.invoke("call", found, [1], {"a": (2,)})
            except (Exception, Stopped) as error:
                raised = error
            ours.shutdown(socket.SHUT_RDWR)
            student.join()
        if not getattr(raised, "_course_remote", raised is None):
            raise raised


def answer(end: socket.socket, answers: list, blobs: list) -> None:
    """Be a student's process that answers what it likes, and then hangs up."""
    channel = Channel(end)
    with suppress(Gone, OSError):
        for one in answers:
            channel.receive()
            channel.send(one, blobs)
        end.shutdown(socket.SHUT_RDWR)


# --- what a learning management system sends ------------------------------------------

NOTEBOOK = writes(new_notebook())
CONFIG = "c = get_config()\nc.CourseDirectory.release_directory = 'assignments'\n"
STEPS = [
    *("a01", "a02", "Ada", "Bo", "x", "Ada:B", "Ada\\B", "Zoe\u0308", "Zo\u00eb"),
    *("Ada.", "submitted", "Ada_1_assignsubmission_file_", "timestamp.txt"),
    *("Participant_7_assignsubmission_file_", "1-2 - Bo - Jan 5, 2026 930 AM"),
]
FILES = [
    *("a01.ipynb", "a01 (1).ipynb", "A01.ipynb", "a02.ipynb", "ada.ipynb", "notes.md"),
    *("Ada - a01.ipynb", "Ada - a01 (1).ipynb", "Bo - a01.ipynb", "timestamp.txt"),
    *("ada_1_2_a01.ipynb", "bo_LATE_3_4_a01.ipynb", "ada_1_5_a01-1.ipynb"),
    "A8_ada_attempt_2026-01-15-10-30-00_a01.ipynb",
    "A8_ada_attempt_2026-01-16-10-30-00_a01.ipynb",
    "A8_bo_attempt_2026-01-16-10-30-00_a01.ipynb",
    "1-2 - Ada - Jan 5, 2026 930 AM - a01.ipynb",
    "Bo_4_assignsubmission_file_a01.ipynb",
]
PATHS = st.tuples(
    st.lists(st.sampled_from(STEPS), max_size=3), st.sampled_from(FILES)
).map(lambda both: "/".join([*both[0], both[1]]))
TREES = st.lists(PATHS, min_size=1, max_size=6, unique=True)
LETTERS = st.sampled_from([*"ab:\\ ._-\u200e\u0308e\u00eb(1)[]\n", "Zo", "Ada"])
PEOPLE = (
    st.lists(LETTERS, min_size=1, max_size=5)
    .map("".join)
    .filter(lambda name: name.strip(". ") and not name.startswith((".", "\\")))
)
LAYOUTS = {
    "folders": "{name}/a01.ipynb",
    "nbgrader": "{name}/a01/a01.ipynb",
    "Moodle": "{name}_{number}_assignsubmission_file_/a01.ipynb",
    "Brightspace": "{number}-1 - {name} - Jan 5, 2026 930 AM/a01.ipynb",
    "zips": "{name}.zip",
}


def notebook(mark: str) -> bytes:
    """A notebook that says whose it is."""
    made = new_notebook()
    made.metadata["mark"] = mark
    return writes(made).encode()


def mark(path: Path) -> str:
    return json.loads(path.read_bytes())["metadata"].get("mark", "")


def zipped(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 15, 12, 0, 0)), data)
    return whole.getvalue()


@pytest.fixture
def course(tmp_path) -> Path:
    for name in ("a01", "a02"):
        (tmp_path / "assignments" / name).mkdir(parents=True)
        (tmp_path / "assignments" / name / f"{name}.ipynb").write_text(NOTEBOOK)
    (tmp_path / "nbgrader_config.py").write_text(CONFIG)
    return tmp_path


class Inbox:
    """A fresh download, and a course that nobody has handed in to yet."""

    def __init__(self, course: Path):
        self.course, self.submitted = course, course / "submitted"
        shutil.rmtree(self.submitted, ignore_errors=True)

    def rows(self, sources: list[dict], assignment=None, as_zip=False) -> list:
        """Collect these downloads, a command each."""
        found = []
        with tempfile.TemporaryDirectory(dir=self.course) as folder:
            for number, files in enumerate(sources):
                source = Path(folder) / f"in{number}"
                if as_zip:
                    source = source.with_suffix(".zip")
                    source.write_bytes(zipped(files))
                for name, data in files.items() if not as_zip else ():
                    (source / name).parent.mkdir(parents=True, exist_ok=True)
                    (source / name).write_bytes(data)
                found += collect([source], assignment, self.course)
        return found

    def marks(self) -> dict[str, set[str]]:
        """Return the marks of the notebooks in each person's folder."""
        found = defaultdict(set)
        for path in self.submitted.rglob("*"):
            if path.is_file() and path.name.lower().endswith(".ipynb"):
                found[path.relative_to(self.submitted).parts[0]].add(mark(path))
        return found


@pytest.mark.parametrize("examples", TRIES)
def test_no_notebook_of_a_download_is_lost_unsaid(examples, course):
    """It is in place, or a row says why not: whatever the download looks like."""

    @tried(examples * 2, tree=TREES, assignment=st.sampled_from([None, "a01"]))
    def holds(tree, assignment):
        files = {name: notebook(name) for name in tree}
        inbox = Inbox(course)
        rows = inbox.rows([files], assignment, as_zip=True)
        there = set().union(*inbox.marks().values())
        assert all(row.reason for row in rows if row.status == "refused")
        others = {"a01", "a02"} - {assignment} if assignment else set()
        wanted = {
            name
            for name in tree
            if name.endswith(".ipynb") and not others & set(name.split("/"))
        }
        assert wanted <= there or any(row.reason for row in rows), rows
        assert len(inbox.marks()) <= len(rows)

    assert not list(course.rglob("*.part"))


@pytest.mark.parametrize("examples", TRIES)
def test_no_two_people_get_one_folder(examples, course):
    people = st.lists(PEOPLE, min_size=1, max_size=5, unique=True)

    @tried(
        examples * 2,
        people=people,
        layout=st.sampled_from([*LAYOUTS]),
        apart=st.booleans(),
    )
    def holds(people, layout, apart):
        files = {}
        for number, name in enumerate(people):
            name = name.replace("\\", "") + "x" if layout == "zips" else name
            path = LAYOUTS[layout].format(name=name, number=number)
            data = notebook(unicodedata.normalize("NFC", name))
            if layout == "zips":
                data = zipped({f"{name}/a01/a01.ipynb": data})
            files[path] = data
        inbox = Inbox(course)
        rows = inbox.rows([{k: v} for k, v in files.items()] if apart else [files])
        assert len(rows) == len(people) or not apart
        marks = inbox.marks()
        assert all(len(some) == 1 for some in marks.values()), marks
        collected = [row for row in rows if row.status in ("collected", "unchanged")]
        assert len(collected) >= len(marks)
        for row in collected:
            assert len(list(row.path.glob("*.ipynb"))) == 1
        assert all(path.name == RECORD for path in inbox.submitted.glob("*/.*"))
