"""The queue of records: what it computes, what it leaves alone, how it is shown."""

import csv
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch
from filelock import FileLock

try:
    import resource
except ImportError:  # Windows
    resource = None

from course_lib import checkpoints, identity, notebook, results
from course_lib.errors import CourseError
from course_lib.files import ROOT
from course_lib.records import queue as records
from course_lib.records import trained
from course_lib.records.rows import ROWS, Row
from course_lib.records.view import rows, table

pytestmark = pytest.mark.slow

TINY = Row(
    "04_alexnet-tiny",
    "04_alexnet",
    "race_network",
    {"epochs": 2, "batch_size": 32, "learning_rate": 0.02, "channels_last": True},
    {"activation": "ReLU"},
    data="digits32",
    images=64,
    bar=0.05,
    seeds=(0, 1),
)


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A queue of one row on a small set of images, in folders of its own."""
    import numpy as np

    from course_lib import data

    sets = {s: data.load("digits", s, size=32, channels=3) for s in ("train", "test")}
    arrays = {"classes": np.array(sets["test"].classes)}
    for name, images in sets.items():
        arrays[f"{name}_images"] = images.images.permute(0, 2, 3, 1).numpy()
        arrays[f"{name}_labels"] = images.labels.numpy()
    path = tmp_path / "digits32.npz"
    np.savez(path, **arrays)
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(records, "ROWS", [TINY._replace(data=str(path))])
    monkeypatch.setattr(records, "give_way", lambda: None)  # this process tests on
    threads = torch.get_num_threads()
    yield records.jobs()
    torch.set_num_threads(threads)
    records.everything.cache_clear()
    records.images.cache_clear()


def words() -> list[str]:
    return [records.state(job).word for job in records.jobs()]


def test_a_queue_computes_what_is_missing_and_nothing_twice(queue):
    said = []
    assert words() == ["missing", "missing"]
    assert records.run(["04_alexnet-tiny-seed1"], say=said.append) == 1
    assert words() == ["missing", "done"]
    assert records.run(say=said.append) == 1
    assert words() == ["done", "done"]
    before = queue[0].record.read_bytes()
    assert records.run(say=said.append) == 0
    assert queue[0].record.read_bytes() == before
    assert results.verify(queue[0].record, test=records.images(*at(queue[0]))[1]).ok
    assert not list(checkpoints.folder().glob("*.pt"))
    with (results.RESULTS / records.TABLE).open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["record"] for line in lines] == [job.name for job in queue]
    assert {line["epochs"] for line in lines} == {"2"}
    assert {line["precision"] for line in lines} <= {"float32", "bfloat16"}


def at(job) -> tuple:
    return job.row.data, job.row.images, job.row.size


def test_a_record_is_stale_when_recipe_or_code_is_another(queue, monkeypatch):
    records.run(say=lambda text: None)
    slower = TINY.recipe | {"learning_rate": 0.01}
    row = queue[0].row
    monkeypatch.setattr(records, "ROWS", [row._replace(recipe=slower)])
    state = records.state(records.jobs()[0])
    assert (state.word, state.why) == ("stale", "recipe")
    monkeypatch.setattr(records, "ROWS", [row._replace(images=65)])
    assert records.state(records.jobs()[0]).why == "images"
    monkeypatch.setattr(records, "ROWS", [row._replace(size=16)])
    assert records.state(records.jobs()[0]).why == "images"
    monkeypatch.setattr(records, "ROWS", [row])
    monkeypatch.setattr(identity, "of_code", lambda unit, name: "other code")
    assert records.state(records.jobs()[0]).why == "code"


def test_one_that_fails_does_not_stop_the_others(queue, monkeypatch):
    wild = TINY.recipe | {"learning_rate": 1e9, "momentum": 0.99}
    row = queue[0].row
    rows = [row._replace(name="wild", recipe=wild, seeds=(0,)), row]
    monkeypatch.setattr(records, "ROWS", rows)
    said, message = [], "^2 records made, but not wild-seed0$"
    with pytest.raises(records.Unfinished, match=message):
        records.run(say=said.append)
    assert words()[0] != "done"
    assert words()[1:] == ["done", "done"]
    assert any("wild-seed0: the loss is" in text for text in said)


def test_one_that_the_device_has_no_memory_for_stops_no_other(queue, monkeypatch):
    first, real = queue[0].name, records.Job.build

    def build(job):
        if job.name == first:
            raise torch.OutOfMemoryError("CUDA out of memory.\nSee documentation")
        return real(job)

    monkeypatch.setattr(records.Job, "build", build)
    said = []
    with pytest.raises(records.Unfinished, match=f"^1 records made, but not {first}$"):
        records.run(say=said.append)
    assert words() == ["missing", "done"]
    assert f"{first}: CUDA out of memory." in said


def test_a_damaged_record_is_named_kept_and_stops_no_other(queue):
    """A person edited it: every other one is shown and made, and it can be repaired."""
    records.run(say=lambda text: None)
    path = queue[0].record
    whole = path.read_text()
    path.write_text(whole[:300])
    queue[1].record.unlink()
    assert words() == ["damaged", "missing"]
    damaged, _ = rows(queue)
    assert (damaged["state"], damaged["seconds_left"]) == ("damaged", None)
    assert f"{path.name} is no training record" in damaged["why"]
    said = []
    with pytest.raises(records.Unfinished, match="1 records made, but not 04_alexnet"):
        records.run(say=said.append)
    assert [text for text in said if f"{path} is no training record" in text]
    assert path.read_text() == whole[:300]
    path.write_text(whole)
    assert words() == ["done", "done"]


@pytest.mark.skipif(resource is None, reason="Windows knows no largest file")
def test_a_full_disk_is_said_and_what_was_there_stays(queue):
    """No file may grow beyond 20 kB, the same as a full disk; then there is room."""
    records.run([queue[0].name], say=lambda text: None)
    before, said = queue[0].record.read_bytes(), []
    free = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, free[1]))
    try:
        with pytest.raises(records.Unfinished, match=f"^0 .* not {queue[1].name}$"):
            records.run(say=said.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, free)
    assert "cannot be written" in said[-1]
    assert "make room there" in said[-1]
    assert queue[0].record.read_bytes() == before
    assert records.run(say=said.append) == 1


def test_what_a_kill_left_beside_a_finished_record_is_removed(queue):
    records.run([queue[0].name], say=lambda text: None)
    half = queue[0].checkpoint.with_name(f"{queue[0].checkpoint.name}.123.part")
    for path in (queue[0].checkpoint, half):
        path.write_bytes(b"left")
    records.run([queue[0].name], say=lambda text: None)
    assert not queue[0].checkpoint.exists()
    assert not half.exists()


def test_nothing_is_at_work_where_the_queue_has_not_begun_with_one(queue):
    """The lock is held as the queue looks for what to do, or was left by a kill."""
    folder = checkpoints.folder()
    folder.mkdir()
    with FileLock(folder / "lock"):
        assert records.at_work() is None
    (folder / "at_work").write_text(queue[0].name)
    assert records.at_work() is None
    with FileLock(folder / "lock"):
        assert records.at_work() == queue[0].name


KILLED = """
import sys, time
import torch
from course_lib import results, train
from course_lib.files import ROOT
from course_lib.records import queue as records
from course_lib.records import trained
sys.path.insert(0, {here!r})
from test_records import TINY
from pathlib import Path
train.CHECKPOINT_SECONDS = 0
step = train.train_step
def slow_step(*args):
    time.sleep(0.5)
    return step(*args)
train.train_step = slow_step
results.RESULTS = Path({results!r})
records.ROWS = [TINY._replace(data={data!r})]
records.run(["04_alexnet-tiny-seed0"], say=print)
"""


@pytest.mark.slow
def test_a_killed_queue_goes_on_and_two_do_not_work_at_once(queue, tmp_path):
    """SIGKILL in the middle; a second one meanwhile is refused; the first resumes."""
    code = KILLED.format(
        here=os.path.dirname(__file__),
        results=str(results.RESULTS),
        data=queue[0].row.data,
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while process.poll() is None and not queue[0].checkpoint.exists():
        time.sleep(0.01)
    assert records.at_work() == queue[0].name
    assert records.state(queue[0], records.at_work()).word == "running"
    with pytest.raises(CourseError, match="another process computes records"):
        records.run(say=print)
    if hasattr(os, "SCHED_IDLE"):
        assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert records.at_work() is None
    assert queue[0].checkpoint.exists()
    assert records.run(["04_alexnet-tiny-seed0"], say=lambda text: None) == 1
    assert records.state(queue[0]).word == "done"


def test_the_table_shows_each_job_with_its_state_and_bar(queue):
    records.run(["04_alexnet-tiny-seed0"], say=lambda text: None)
    shown = table(rows(records.jobs()))
    columns = [list(column.cells) for column in shown.columns]
    assert columns[0] == ["04_alexnet-tiny-seed0", "04_alexnet-tiny-seed1"]
    assert ["done" in word for word in columns[1]] == [True, False]
    assert columns[4] == ["5.0%", "5.0%"]
    assert "left" in shown.caption


def test_an_unknown_name_is_refused(queue):
    with pytest.raises(CourseError, match="no record is called 'x'; there are 04_alex"):
        records.jobs(["x"])


def test_every_row_of_the_table_can_be_built():
    """Its recipe is one, its network exists, and no two jobs share a name."""
    names = [job.name for job in records.jobs()]
    assert len(names) == len(set(names))
    for row in ROWS:
        job = records.Job(row, row.seeds[0])
        assert job.recipe.epochs >= 1
        with torch.device("meta"):
            assert job.build() is not None


BARE = """
import sys
class Missing:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {missing!r}:
            return self.finder.find_spec(name, path, target)
sys.meta_path = [Missing(finder) for finder in sys.meta_path]
from pathlib import Path
from course_lib import results
from course_lib.records import queue
from course_lib.records.__main__ import main
from course_lib.records.rows import Row
results.RESULTS = Path({results!r})
queue.ROWS = [Row(**{row!r})]
sys.exit(main([]))
"""


def test_the_queue_needs_pytorch_numpy_and_safetensors_alone(queue, tmp_path):
    """A record is made where nothing else of the course's dependencies is."""
    missing = {"IPython", "PIL", "ipywidgets", "joblib", "jupytext", "matplotlib"}
    missing |= {"nbclient", "nbformat", "nbgrader", "rich", "scipy", "sklearn", "typer"}
    row = queue[0].row._replace(seeds=(0,))._asdict()
    code = BARE.format(missing=missing, results=str(results.RESULTS), row=row)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("1 records made\n")
    assert results.read(queue[0].record).network == "race_network"


UNIT = """# %% tags=["export"]
import torch
from torch import nn

WIDTH = 8


def helper(x):
    return x


def net(num_classes=10):
    '''Words.'''
    return nn.Linear(helper(WIDTH), num_classes)  # a comment


# %% tags=["export"]
RECIPES = {"digits": {"epochs": 3}}
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("a comment", "another comment", True),
        ("Words.", "Other words.", True),
        ('"epochs": 3', '"epochs": 4', True),
        ("\n\n\n", "\n\n\n\n", True),
        ("WIDTH = 8", "WIDTH = 9", False),
        ("    return x", "    return x + 1", False),
        ("num_classes=10", "num_classes=11", False),
    ],
)
def test_the_digest_of_code_follows_the_code_alone(
    tmp_path, monkeypatch, old, new, same
):
    monkeypatch.setattr(notebook, "NOTEBOOKS", tmp_path)
    path = tmp_path / "99_unit.py"
    path.write_text(UNIT)
    first = identity.of_code("99_unit", "net")
    path.write_text(UNIT.replace(old, new))
    os.utime(path, ns=(1, 1))
    assert (identity.of_code("99_unit", "net") == first) is same


def test_the_digest_of_code_follows_the_notebook_that_it_loads():
    found = {}
    identity.reach("05_vgg", "vgg_small", found)
    assert ("04_alexnet", "LocalResponseNorm") in found
    assert ("04_alexnet", "AlexNet") not in found


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has SCHED_IDLE")
@pytest.mark.parametrize("own_session", [True, False])
def test_the_queue_gives_way_and_changes_no_session_of_others(own_session):
    code = (
        "import os, pathlib; from course_lib.records import queue\n"
        "def nice():\n"  # a session without a group has an empty file
        "    group = pathlib.Path('/proc/self/autogroup')\n"
        "    words = group.read_text().split() if group.exists() else []\n"
        "    return words[-1] if words else None\n"
        "before = nice(); queue.give_way()\n"
        "print(os.sched_getscheduler(0) == os.SCHED_IDLE, before, nice())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        start_new_session=own_session,
        capture_output=True,
        text=True,
        check=True,
    )
    idle, before, after = done.stdout.split()
    assert idle == "True"
    assert after == ("19" if own_session and before != "None" else before)


def test_the_readme_has_the_table_of_what_was_trained():
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = readme.partition("<!-- trained -->")[2].partition("<!-- end -->")[0]
    assert shown.strip() == trained.markdown()


def test_a_longer_training_takes_the_place_of_a_shorter_one(monkeypatch, tmp_path):
    for path in results.RESULTS.glob("04_alexnet-alexnet_small-*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    table = "03_codebooks-cifar10.csv"
    (tmp_path / table).write_bytes((results.RESULTS / table).read_bytes())
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    top1s = re.findall(r"([\d.]+)% \|$", trained.markdown(), re.M)
    assert len(top1s) == 3  # with the codebooks
    assert top1s == sorted(top1s, reverse=True)
    shown = re.findall(r"`(\w+)` \| [\d,]+ \| [\d,]+ \| (\d+)", trained.markdown())
    assert sorted(shown) == [("alexnet_fine", "30"), ("alexnet_small", "30")]
