"""Files that a submission brings or writes, and that a test or the grader reads."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from . import Case, right

EVIL = "import os\nos.system('touch /tmp/shadowed')\nraise SystemExit\n"


class Runs:
    """A pickle that runs a program when it is loaded."""

    def __reduce__(self):
        return os.system, ("touch /tmp/unpickled",)


def as_answer(code: str) -> str:
    """Return an answer that writes files."""
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    return f"def hand_in(path):\n    import os, json\n{body}\n"


def writer(name: str, what: str, code: str, *keeps: str) -> Case:
    """A case whose `hand_in` writes what is no training record; `best` is right."""
    answers = {"hand_in": as_answer(code)} | right("best")
    return Case(name, what, answers, deserves=right("best", *keeps))


HONEST = """
network = alexnet.alexnet_small()
facts = {"unit": "04_alexnet", "network": "alexnet_small"}
results.save(path, network, History([]), Recipe(1, 16, 1e-3), TRAIN, TEST, **facts)
"""
PICKLES = """
import pickle, numpy as np
class Runs:
    def __reduce__(self):
        return os.system, ("touch /tmp/unpickled",)
Path(path).write_bytes(pickle.dumps(Runs()))
torch.save({"weights": Runs()}, Path(path).with_suffix(".safetensors"))
np.savez("record.npz", np.array([Runs()], dtype=object))
"""
SIZES = (
    HONEST
    + """
import hashlib, struct
for head in ({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
        {"x": {"dtype": "F32", "shape": [-1], "data_offsets": [8, 0]}}):
    text = json.dumps(head).encode()
    data = struct.pack("<Q", len(text)) + text
    Path("record.safetensors").write_bytes(data)
    record = json.loads(Path(path).read_text())
    record["weights"] = hashlib.sha256(data).hexdigest()
    Path(path).write_text(json.dumps(record))
"""
)
HUGE_HEAD = """
Path(path).write_text('{"a":' * 50_000 + "1" + "}" * 50_000)
Path("record.safetensors").write_bytes(b"\\xff" * 8)
"""
LIES = (
    HONEST
    + """
record = json.loads(Path(path).read_text())
record |= {"test_top1": float("nan"), "test_loss": float("nan"), "note": "\\ud800"}
record["arguments"] = {"__class__": "\x1b[2J"}
Path(path).write_text(json.dumps(record))
"""
)
LINKS = """
os.symlink("/etc/passwd", "record.json")
os.symlink("COURSE_PATH/solutions", "solutions")
os.symlink("/proc/self/root", "root")
os.symlink("record.safetensors", "record.safetensors")
"""
DEVICES = """
import socket, stat
os.mkfifo("record.json")
try:
    os.mknod("null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
except OSError:
    pass
try:
    socket.socket(socket.AF_UNIX).bind("record.safetensors")
except OSError:
    pass
os.mkdir("x", 0)
"""
SPARSE = """
with open("record.json", "wb") as file:
    try:
        file.truncate(10 << 30)
    except OSError:
        file.truncate(100 << 20)
"""
MANY = """
for number in range(100_000):
    try:
        os.close(os.open(f"f{number}", os.O_CREAT | os.O_WRONLY))
    except OSError:
        break
"""
NAMES = """
for name in ("a\\nb.json", "x" * 200, "\\x1b[2J", "..;", "a\\\\b", "-rf", "'; drop",
        b"\\xff\\xfe.json", "con", "\\u202e.json", "__pycache__"):
    try:
        os.mkdir(name)
        place = os.path.join(name, "x" if isinstance(name, str) else b"x")
        os.close(os.open(place, os.O_CREAT))
    except OSError:
        pass
deep = "d"
for _ in range(40):
    os.makedirs(deep, exist_ok=True)
    deep += "/d"
Path("record.json").mkdir()
"""
SHADOWS = """
import shutil
text = "import os; os.system('touch /tmp/shadowed'); raise SystemExit"
for name in "torch json safetensors numpy sklearn course_lib random".split():
    Path(name).mkdir(exist_ok=True)
    Path(name, "__init__.py").write_text(text)
    Path(f"{name}.py").write_text(text)
for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "x.pth"):
    Path(name).write_text(text)
Path("matplotlibrc").write_text("backend: module://shadowed")
Path("__pycache__").mkdir(exist_ok=True)
Path("__pycache__/torch.cpython-311.pyc").write_bytes(b"x")
Path("ipython_config.py").write_text(text)
"""


def links(notebook, folder: Path) -> None:
    """Hand in links to what is not the student's, and a pipe."""
    course = folder.parents[2]
    (folder / "record.json").symlink_to(course / "gradebook.db")
    (folder / "all").symlink_to(course / "solutions")
    os.mkfifo(folder / "record.safetensors")


CASES = [
    Case(
        "record",
        "An honest student trains and hands in a record",
        answers=right("hand_in", "best"),
        deserves=right("hand_in", "best"),
    ),
    writer("pickles", "Pickles in the place of a record and its weights", PICKLES),
    Case(
        "sizes",
        "Weights whose header announces more than there is, in a record that is true",
        answers={"hand_in": as_answer(SIZES)},
        deserves={"hand_in": {"hand_in_visible": 1}},
    ),
    writer("deep_json", "A record that is nested 50,000 deep", HUGE_HEAD),
    writer("lying_record", "A record of numbers that are none", LIES),
    writer("links", "Links in the place of files", LINKS),
    writer("devices", "A pipe, a device and a socket in the place of files", DEVICES),
    writer("sparse", "A file of ten gigabytes of nothing", SPARSE),
    writer("many_files", "A hundred thousand files", MANY),
    writer("names", "Names of files that are commands, or no text", NAMES),
    writer(
        "shadows",
        "Modules called as those that a test imports, written by the answer",
        HONEST + SHADOWS,
        "hand_in",
    ),
    Case(
        "shadows_handed_in",
        "The same, beside the notebook",
        answers=right("best", "hand_in"),
        files={
            f"{name}.py": EVIL.encode()
            for name in ("torch", "safetensors", "sitecustomize", "course_lib", "glob")
        }
        | {"numpy/__init__.py": EVIL.encode(), "x.pth": b"import os; os.abort()"},
        deserves=right("best", "hand_in"),
        said=("tampered: own files hide the module",),
    ),
    Case(
        "linked",
        "What is handed in are links and a pipe",
        answers=right("best"),
        deserves=right("best"),
        change=links,
        said=("is a link", "is no regular file"),
    ),
    Case(
        "pickles_handed_in",
        "Pickles beside the notebook, in the place of a record",
        answers=right("best"),
        files={
            "record.json": pickle.dumps(Runs()),
            "record.safetensors": pickle.dumps(Runs()),
        },
        deserves=right("best"),
    ),
]
