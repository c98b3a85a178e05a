"""Two processes give what one kernel gives: same values, exceptions and points."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course_grader import sandbox
from course_grader.assignment.bundle import Bundle, Lesson, Submission
from course_grader.engine.launcher import Died, Engine, zygote
from course_grader.workers import Here

from .engine_cases import CASES, SETUP

pytestmark = pytest.mark.slow


def cell(name: str, source: str, points: float | None = None):
    facts = {"grade_id": name, "schema_version": 3, "task": False}
    facts |= {"grade": points is not None, "solution": points is None, "locked": True}
    if points is not None:
        facts["points"] = points
    return new_code_cell(source, metadata={"nbgrader": facts})


def lesson(name: str, cells: list) -> Lesson:
    notebook = new_notebook(cells=cells)
    known = {c.metadata.nbgrader.grade_id: c for c in cells if "nbgrader" in c.metadata}
    return Lesson(name, known, notebook, notebook)


@pytest.fixture(scope="module")
def everything() -> Lesson:
    cells = [new_code_cell(SETUP)]
    for case in CASES:
        cells += [
            cell(f"{case.name}_answer", case.answer),
            cell(case.name, case.test, 1),
        ]
    return lesson("all", cells)


@pytest.fixture(scope="module")
def one_kernel(tmp_path_factory) -> dict[str, str]:
    """What each test raises when answer and test share their names, "" if nothing."""
    found, before = {}, os.getcwd()
    os.chdir(tmp_path_factory.mktemp("one"))
    try:
        for case in CASES:
            space: dict = {"__name__": "__main__"}
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                try:
                    for source in (SETUP, case.answer, case.test):
                        exec(
                            compile(source, case.name, "exec", dont_inherit=True), space
                        )
                    found[case.name] = ""
                except Exception as error:
                    found[case.name] = type(error).__name__
    finally:
        os.chdir(before)
    return found


@pytest.fixture(scope="module")
def two_processes(everything):
    """The engine's answer for the same cells, each test with its outputs."""
    engine = Engine(Bundle("all", {"all": everything}, {}, 20))
    with engine:
        notebooks = {"all": nbformat.from_dict(everything.solution)}
        verdict = engine.grade(Submission("ada", "all", notebooks, {}))
    assert not verdict.reason
    return engine, verdict.notebooks["all"]


def error_of(notebook, name: str) -> str:
    named = {c.metadata.get("nbgrader", {}).get("grade_id"): c for c in notebook.cells}
    errors = [o.ename for o in named[name].outputs if o.output_type == "error"]
    return errors[0] if errors else ""


@pytest.mark.parametrize("name", [case.name for case in CASES])
def test_a_test_comes_out_as_in_one_kernel(name, one_kernel, two_processes):
    engine, notebook = two_processes
    unfit = engine.unfit.get(name, "").partition(":")[0]
    assert unfit == one_kernel[name], engine.unfit.get(name)
    assert error_of(notebook, name) == one_kernel[name], "after the first, which learns"


def test_what_the_answer_keeps_is_had_again(two_processes):
    engine, _ = two_processes
    assert not {name for name in engine.alone if name.endswith("kept_by_the_answer")}


def test_names_are_all_different():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_what_is_warm_costs_little_and_is_told(two_processes):
    engine, _ = two_processes
    assert engine.level in sandbox.LEVELS
    assert Path("note.txt").exists() is False, "a file of a submission came out"


# --- assignments that need something else ---------------------------------------------

HELD = """
images = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
labels = (images.sum(1) > 0).long()
"""
RECORD = """
import json
from torch import nn
from safetensors.torch import save_file

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(2, 2)
    def forward(self, x):
        return self.line(x)

def by_heart(x):  # knows these images, and no others
    same = (x[:, None] == images).all(2)
    return F.one_hot(labels[same.float().argmax(1)], 2) * same.any(1)[:, None].float()

torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam(net.parameters(), 0.1)
for _ in range(60):
    optimizer.zero_grad()
    F.cross_entropy(net.line(images), labels).backward()
    optimizer.step()
right = (net(images).argmax(1) == labels).float().mean().item()
record = {"top1": right}
json.dump(record, open('record.json', 'w'))
save_file(net.state_dict(), 'net.safetensors')
"""
VERIFY = """
import json
from safetensors.torch import load_file
claimed = json.load(open('record.json'))['top1']
judged = Net()
judged.load_state_dict(load_file('net.safetensors'))
judged.eval()
with torch.no_grad():
    measured = (judged(images).argmax(1) == labels).float().mean().item()
    other = torch.randn(500, 2, generator=torch.Generator().manual_seed(99))
    held = (judged(other).argmax(1) == (other.sum(1) > 0)).float().mean().item()
assert abs(claimed - measured) < 1e-6, f"claimed {claimed}, measured {measured}"
assert held > 0.9, f"on images that nobody holds: {held}"
"""
ODD = [
    new_code_cell("import inspect, torch\nimport torch.nn.functional as F\n" + HELD),
    cell("source_answer", "def plain(xs):\n    return sum(xs)"),
    cell("source", "assert 'sum' in inspect.getsource(plain)", 2),
    cell("broken", "assert plain([1]) == 2", 1),
    cell("norm_answer", "def norm(x):\n    return x / (x * x).sum().sqrt()"),
    cell(
        "norm",
        "x = torch.ones(4)\nassert torch.equal(norm(x), F.normalize(x, dim=0))",
        1,
    ),
    cell("even_answer", "def even(x):\n    return x % 2 == 0"),
    cell("even", "assert all(map(even, [2, 4]))\nassert sum(map(even, [1])) == 0", 1),
    cell("told_answer", "import os\ntold = os.environ.get('NBGRADER_EXECUTION')"),
    cell("told", "assert told == 'autograde'", 1),
    cell("record_answer", RECORD),
    cell("record", VERIFY, 3),
]


@pytest.fixture(scope="module")
def odd():
    made = lesson("odd", ODD)
    with Engine(Bundle("odd", {"odd": made}, {"given.txt": b"7"}, 20)) as engine:
        yield engine


def grade(engine, files: dict[str, bytes] | None = None, **answers: str):
    """Grade the model solution with some answers changed; return errors by test."""
    (made,) = engine.bundle.lessons.values()
    notebook = nbformat.from_dict(made.solution)
    for one in notebook.cells:
        name = one.metadata.get("nbgrader", {}).get("grade_id")
        one.source = answers.get(name, one.source)
    verdict = engine.grade(
        Submission("ada", made.name, {made.name: notebook}, files or {})
    )
    assert not verdict.reason
    tests = [c.metadata.nbgrader.grade_id for c in ODD[1:] if c.metadata.nbgrader.grade]
    done = verdict.notebooks[made.name]
    return {name: error_of(done, name) for name in tests}, verdict


def test_a_test_that_needs_the_function_itself_runs_where_it_is(odd):
    assert set(odd.alone) == {"source"}
    assert "where a hostile answer could" in odd.remarks()[1]
    found, _ = grade(odd, source_answer="def plain(xs):\n    return len(xs)")
    assert found["source"] == "AssertionError"
    assert grade(odd)[0]["source"] == ""


def test_a_model_solution_that_fails_its_own_test_is_told(odd):
    assert set(odd.unfit) == {"broken"}
    assert "the model solution fails the test broken" in odd.remarks()[0]


def test_what_a_test_compares_with_is_no_answer(odd):
    found, verdict = grade(odd, norm_answer="def norm(x): return F.normalize(x, dim=0)")
    assert found["norm"] == "Stopped"
    assert "F.normalize" not in str(verdict.notes)
    assert "torch.nn.functional.normalize was called" in str(verdict.notes)


def test_an_answer_cannot_end_the_loop_that_asks_it(odd):
    assert grade(odd)[0]["even"] == ""
    for raised in ("StopIteration", "type('Own', (StopIteration,), {})"):
        answer = f"def even(x):\n    raise {raised}"
        assert grade(odd, even_answer=answer)[0]["even"] == "RuntimeError"


def test_a_notebook_is_told_that_it_is_graded(odd):
    assert grade(odd)[0]["told"] == ""


def test_a_record_is_verified_in_the_students_own_class(odd):
    assert grade(odd)[0]["record"] == ""
    lying = RECORD.replace("record = {", "right = 0.5\nrecord = {")
    assert lying != RECORD
    assert grade(odd, record_answer=lying)[0]["record"] == "AssertionError"
    pickled = RECORD.replace(
        "save_file(net.state_dict(), 'net.safetensors')",
        "torch.save(net.state_dict(), 'net.safetensors')",
    )
    assert grade(odd, record_answer=pickled)[0]["record"] != ""
    learnt = RECORD.replace("return self.line(x)", "return by_heart(x)")
    assert grade(odd, record_answer=learnt)[0]["record"] == "AssertionError"


def test_files_of_the_release_win_and_those_handed_in_are_there(odd):
    answer = "def plain(xs):\n    return sum(xs) + 0 * len(open('mine.txt').read())"
    assert grade(odd, {"mine.txt": b"1"}, source_answer=answer)[0]["source"] == ""


def test_a_warm_process_that_dies_is_noticed_and_takes_its_students_along():
    made = lesson("slow", [cell("slow", "import time\ntime.sleep(60)"), *ODD[2:3]])
    made.solution.cells[0].source = ""
    with Engine(Bundle("slow", {"slow": made}, {}, 30)) as engine:
        before = family(engine.process.pid)
        notebook = nbformat.from_dict(made.solution)
        notebook.cells[0].source = "import time\ntime.sleep(60)"
        waiting = threading.Thread(target=time.sleep, args=(1,))
        waiting.start()
        future = engine._ask(Submission("ada", "slow", {"slow": notebook}, {}), "slow")
        waiting.join()
        there = family(engine.process.pid) | before
        engine.process.kill()
        with pytest.raises(Died):
            future.result(timeout=20)
    end = time.monotonic() + 10
    while alive(there) and time.monotonic() < end:
        time.sleep(0.1)
    assert not alive(there)


ENDLESS = [
    cell("spin_answer", "def spin(x):\n    return x\n\ndef quick(x):\n    return x"),
    *(cell(f"spin_{n}", f"assert spin({n}) == {n}", 1) for n in (1, 2)),
    cell("quick", "assert quick(1) == 1", 1),
    cell("spin_3", "try:\n    assert spin(0) == 0\nfinally:\n    assert quick(2)", 1),
]


CROWD = [
    cell("slow_answer", "def slow(x):\n    return x"),
    *(cell(f"slow_{n}", f"assert slow({n}) == {n}", 1) for n in range(6)),
]


def test_a_notebook_has_a_budget_and_its_page_names_it():
    """Each cell is within its own limit; what was earned before stays."""
    made = lesson("crowd", CROWD)
    bundle = Bundle("crowd", {"crowd": made}, {}, 30, {"seconds": 3})
    notebook = nbformat.from_dict(made.solution)
    notebook.cells[
        0
    ].source = (
        "import time\n\ndef slow(x):\n    time.sleep(1.6 if x else 0)\n    return x"
    )
    with Engine(bundle) as engine:
        verdict = engine.grade(Submission("ada", "crowd", {"crowd": notebook}, {}))
    said = [
        "".join(o.evalue for o in c.outputs if o.output_type == "error")
        for c in verdict.notebooks["crowd"].cells
    ]
    assert said[:3] == [""] * 3
    assert said[5:] == ["the notebook's 3 s were used up before this cell"] * 2
    assert verdict.again == ""  # it slept: nobody kept it waiting


BURN = """import os
def work(x):
    return x
for _ in range(20):
    if os.fork() == 0:
        try:
            os.setsid()
        except OSError:
            pass
        while True:
            pass
while True:
    pass
"""
WORK = """import time
def work(x):
    end = time.process_time() + 1.5
    while time.process_time() < end:
        pass
    return x
"""


@pytest.mark.thorough
def test_a_neighbour_who_burns_takes_nobody_s_time():
    """Two at a time on one CPU: an answer that needs 1.5 of 4 s beside 21 that spin."""
    tests = [cell(f"work_{n}", f"assert work({n}) == {n}", 1) for n in range(2)]
    made = lesson("work", [cell("work_answer", "def work(x):\n    return x"), *tests])
    submissions = []
    for student, source in {"burns": BURN, "works": WORK}.items():
        notebook = nbformat.from_dict(made.solution)
        notebook.cells[0].source = source
        submissions.append(Submission(student, "work", {"work": notebook}, {}))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        bundle = Bundle("work", {"work": made}, {}, 4)
        with Here(bundle, 2) as workers:
            verdicts = list(workers.grade(iter(submissions), lambda student: None))
    finally:
        os.sched_setaffinity(0, before)
    said = {
        verdict.student: [
            "".join(o.ename for o in c.outputs if o.output_type == "error")
            for c in verdict.notebooks["work"].cells
        ]
        for verdict in verdicts
    }
    assert said["works"] == ["", "", ""]
    assert said["burns"][0]  # its function is there: later tests may pass


@contextlib.contextmanager
def crowded(count: int):
    """Leave this process, and what it starts, one CPU with so many that spin on it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin, start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill(), other.wait()
        os.sched_setaffinity(0, before)


SPINS = "end = time.process_time() + 0.4\nwhile time.process_time() < end:\n    pass\n"
CROWDED = [  # on a whole CPU they need less than half of the second that a cell has
    new_code_cell("import time"),
    cell("busy_answer", WORK.replace("1.5", "0.4")),
    cell("busy", "assert work(3) == 3", 1),
    cell("twice", "assert work(3) == 3\nassert len([work]) == 1", 1),
    cell("own", f"{SPINS}assert work.__name__ == 'work'", 1),
    cell("cell_answer", f"{SPINS}done = 1"),
    cell("done", "assert done == 1", 1),
]


def test_who_waits_for_a_cpu_has_used_no_time():
    """Three others spin on the one CPU: 0.4 seconds of work take 1.6; 1 is allowed."""
    made = lesson("crowded", CROWDED)
    with Engine(Bundle("crowded", {"crowded": made}, {}, 1)) as engine, crowded(3):
        pin(engine)
        notebook = nbformat.from_dict(made.solution)
        verdict = engine.grade(Submission("a", "crowded", {"crowded": notebook}, {}))
    found = verdict.notebooks["crowded"]
    tests = "busy", "twice", "own", "done"
    assert {name: error_of(found, name) for name in tests} == dict.fromkeys(tests, "")


def pin(engine) -> None:
    """Let an engine's processes, and those that they fork, share this one's CPU."""
    for pid in family(engine.process.pid) | {engine.process.pid}:
        os.sched_setaffinity(pid, os.sched_getaffinity(0))


WRITES = """import ctypes, sysconfig, torch
open('mine.py', 'w').write('x = 1')
open('mine.so', 'wb').write(b'no library')
torch.jit.script(torch.nn.Linear(1, 1)).save('net.pt')
open('data.txt', 'w').write('1')
open('mine.sh', 'w').write('exit 0')
"""
OPENS = {
    "run": "import runpy\nassert runpy.run_path('mine.py')['x'] == 1",
    "magic": "%run mine.py\nassert x == 1",
    "compiled": "exec(compile(open('mine.py').read(), 'mine.py', 'exec'))",
    "library": "import ctypes\ntry:\n    ctypes.CDLL('./mine.so')\n"
    "except OSError:\n    pass",
    "script": "import torch\nassert torch.jit.load('net.pt').training",
    "released": "import runpy\nassert runpy.run_path('given.py')['y'] == 2",
    "started": "import subprocess, sys\nsubprocess.run([sys.executable, './mine.py'])",
    "shell": "import os\nassert os.system('true && sh mine.sh') == 0",
    "shown": "import os\nassert os.popen('cat data.txt').read() == '1'",
    "data": "assert open('data.txt').read() == '1'",
    "compiled_text": "exec(compile('z = 3', 'cell', 'exec'))\nassert z == 3",
}


def test_no_program_that_a_student_wrote_runs_beside_the_tests():
    """Such a test runs on the student's side, and the instructor is told."""
    tests = [cell(name, source, 1) for name, source in OPENS.items()]
    made = lesson("opens", [cell("answer", WRITES), *tests])
    with Engine(Bundle("opens", {"opens": made}, {"given.py": b"y = 2"}, 30)) as engine:
        assert engine.unfit == {}
        programs = {"run", "magic", "compiled", "library", "script", "started", "shell"}
        assert set(engine.alone) == programs
        for name, why in engine.alone.items():
            assert "is a program of the student's" in why, name


def test_what_given_cells_import_is_ready_before_a_process_is_forked():
    imports = "import json, given\nfrom torch import nn\nfrom ours import x"
    given = new_code_cell(imports)
    made = lesson("warm", [given, cell("answer", "import csv"), cell("test", "x", 1)])
    files = {"given.py": b"", "ours/__init__.py": b"x = 1"}
    ahead = zygote(Bundle("warm", {"warm": made}, files, 30), 7)
    assert ahead[2:] == ["7", "json", "torch", "torch.nn"]


def test_without_a_word_a_notebook_may_take_what_ten_cells_may():
    assert Bundle("a", {}, {}, 30).seconds == 300
    assert Bundle("a", {}, {}, 30, {"seconds": 20}).seconds == 20


def boxes(engine: Engine) -> dict[str, set[int]]:
    """Return the processes of judges and of students that are there now."""
    process = psutil.Process(engine.process.pid)
    first = min(process.children(), key=lambda one: one.create_time())
    judges = {one.pid for one in process.children()} - {first.pid}
    return {"judge": judges, "student": {one.pid for one in first.children()}}


@pytest.mark.parametrize("who", ["judge", "student"])
def test_who_is_killed_from_outside_is_to_be_graded_again(who):
    made = lesson("crowd", CROWD)
    notebook = nbformat.from_dict(made.solution)
    notebook.cells[0].source += "\nimport time\ntime.sleep(1)"
    with Engine(Bundle("crowd", {"crowd": made}, {}, 30)) as engine:
        submission = Submission("ada", "crowd", {"crowd": notebook}, {})
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(engine.grade, submission)
            while not boxes(engine)["student"]:
                pass
            os.kill(min(boxes(engine)[who]), signal.SIGKILL)
            first = future.result(timeout=60)
        assert first.again.startswith("one of its processes was killed from outside")
        assert engine.grade(submission).again == ""


@pytest.mark.parametrize(
    ("waited", "late", "again"),
    [(0, True, False), (10, False, False), (10, True, True), (7, True, False)],
)
def test_who_ran_out_of_time_is_graded_again_if_kept_from_the_cpu(waited, late, again):
    made = lesson("crowd", CROWD)
    notebook = nbformat.from_dict(made.solution)
    if late:
        text = {"ename": "TimeIsUp", "evalue": "it took longer than 30 s"}
        error = nbformat.v4.new_output("error", **text, traceback=[])
        notebook.cells[1].outputs = [error]
    engine = Engine(Bundle("crowd", {"crowd": made}, {}, 30))
    answer = {"notebook": nbformat.writes(notebook).encode(), "reason": ""}
    answer |= {"seconds": {}, "waited": waited, "taken": False}
    verdict = engine._verdict(Submission("a", "crowd", {}, {}), {"crowd": answer})
    assert bool(verdict.again) == again


def test_an_endless_answer_gets_less_time_in_each_later_test():
    made = lesson("endless", ENDLESS)
    with Engine(Bundle("endless", {"endless": made}, {}, 4)) as engine:
        notebook = nbformat.from_dict(made.solution)
        notebook.cells[0].source = (
            "def spin(x):\n    while x > 0: pass\n    return x\n\n"
            "def quick(x):\n    return x"
        )
        verdict = engine.grade(Submission("ada", "endless", {"endless": notebook}, {}))
    said = {
        c.metadata.nbgrader.grade_id: "".join(
            o.evalue for o in c.outputs if o.output_type == "error"
        )
        for c in verdict.notebooks["endless"].cells
    }
    assert "your code was stopped: it took longer than 4 s" in said["spin_1"]
    assert "your code was stopped: it took longer than 0.4 s" in said["spin_2"]
    assert said["quick"] == said["spin_3"] == ""


LATE = """
import sys, time
sys.path.insert(0, "{folder}")
from course_grader.engine.common.shell import make
from course_grader.engine.nursery import Nursery
from course_lib.errors import CourseError

nursery = Nursery(make())
try:
    nursery.ask(op="import", modules=["slow"], seconds=0.2)
except CourseError as error:
    print(error)
try:
    nursery.ask(op="end", box=7)  # there is none
except CourseError as error:
    print(error)
print(nursery.ask(op="import", modules=[])["number"])
"""


def test_a_late_reply_is_not_taken_for_the_next_ones(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(1)")
    code = LATE.format(folder=tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120
    )
    first, second, third = done.stdout.splitlines()
    assert "did not import within 0 s" in first
    assert second == "KeyError: 7"
    assert third == "3"


def family(pid: int) -> set[int]:
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def alive(pids: set[int]) -> set[int]:
    return {
        pid
        for pid in pids
        if psutil.pid_exists(pid)
        and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    }
