"""The command line, as a student types it."""

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
import torch
import typer
from traitlets.config.loader import PyFileConfigLoader

from course_grader.assignment import key
from course_lib import __main__, __version__, kernel, notebook, results
from course_lib.commands import complete, shared
from course_lib.data.download import KNOWN
from course_lib.errors import CourseError
from course_lib.files import ROOT, replacing
from course_lib.networks import networks
from tests.rules import rule

APP = typer.main.get_command(__main__.app)


def every_command(command=APP, name: str = "course") -> dict:
    """Return each command by what is typed, as "course results list"."""
    inner = getattr(command, "commands", {})
    found = {} if inner else {name: command}
    for word, one in inner.items():
        found |= every_command(one, f"{name} {word}")
    return found


COMMANDS = every_command()
NEW_COMMAND = "A command has an example in its help, a line in the README"


def in_a_process(*words: str, before: str = ""):
    code = f"{before}\nimport sys; sys.argv = ['course', *{list(words)}]\n"
    code += "from course_lib.__main__ import main; main()"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.slow
def test_an_error_is_one_sentence_unless_debug_asks_for_more():
    plain = in_a_process("cost", "99_nothing")
    debug = in_a_process("cost", "99_nothing", "--debug")
    assert plain.returncode == 1
    assert plain.stderr.count("\n") == 1
    assert plain.stderr.startswith("error: no unit is called '99_nothing'")
    assert "Traceback" in debug.stderr


UNKNOWN = "no unit is called '99'"
NO_COURSE = "is no nbgrader course"
PHOTO = Path(sklearn.datasets.__file__).parent / "images/china.jpg"
SINGLE = Path(__file__)  # a file where a folder is expected
BAD = [
    ("data nowhere", 1, "no data set 'nowhere'"),
    ("data [/b]", 1, "no data set '[/b]'"),
    ("train 99", 1, UNKNOWN),
    ("train 02_sift", 1, "builds no network"),
    ("train 04_alexnet --data nowhere", 1, "nowhere"),
    ("train 04_alexnet --network vgg", 1, "has no network 'vgg'; it has"),
    ("train 04_alexnet --set rate=1", 1, "no field 'rate'; it has epochs"),
    ("train 04_alexnet --set rate", 1, "expected FIELD=VALUE"),
    ("train 04_alexnet --set flip=maybe", 1, "flip is 'maybe': expected true or false"),
    (
        "train 04_alexnet --set epochs=few",
        1,
        "epochs is 'few': expected a whole number",
    ),
    ("train 04_alexnet --device gpu", 1, "no device 'gpu' on this machine: take cpu"),
    ("train 04_alexnet --device cuda:99", 1, "no device 'cuda:99'"),
    ("train 04_alexnet --epochs few", 2, "--epochs"),
    ("train 04_alexnet --seed -1", 2, "--seed"),
    ("train 04_alexnet --size 0", 2, "--size"),
    ("train 04_alexnet --size 4", 1, "cannot be trained on digits at 4 pixels"),
    (f"train 04_alexnet --out {SINGLE}", 1, "File exists"),
    ("shards /nowhere", 2, "give FOLDER and OUT"),
    ("shards /nowhere /tmp/shards", 1, "/nowhere cannot be read"),
    ("shards /nowhere --verify", 1, "/nowhere/index.json is not the index"),
    ("shards /nowhere /tmp/shards --images 0", 2, "--images"),
    ("cost", 2, "Missing argument"),
    ("cost 99", 1, UNKNOWN),
    ("cost 04_alexnet.vgg", 1, "has no network 'vgg'"),
    ("cost 04_alexnet --size 4", 1, "refused its input"),
    ("classify", 2, "Missing argument"),
    ("classify /nowhere.jpg", 1, "/nowhere.jpg is no file"),
    (f"classify {SINGLE} --network 12_efficientnet.lite0", 1, "test_cli.py"),
    (f"classify {PHOTO} --network 04_alexnet", 1, "no published weights for '04_al"),
    (f"demo --out {ROOT / 'notebooks'}", 1, "holds other files"),
    (f"demo --out {SINGLE}", 1, "Not a directory"),
    ("submit a99", 1, "there is no a99.ipynb"),
    ("mutate a99", 1, "a99"),
    ("mutate --sample 0", 2, "--sample"),
    ("start a99", 1, "no assignment is called 'a99'"),
    ("check a99", 1, "there is no a99.ipynb"),
    ("check a04_alexnet --seconds 0", 2, "--seconds"),
    ("submit a04_alexnet --student Ada --folder /nowhere", 1, "/nowhere"),
    (f"submit a04_alexnet --student Ada --out {SINGLE}", 1, "File exists"),
    ("results verfy", 2, "verfy"),
    ("results list none.json", 1, "none.json does not exist"),
    ("results verify none.json", 1, "none.json does not exist"),
    ("records rum", 1, "records rum: expected show or run"),
    ("records show none --json", 1, "no record is called 'none'; there are 04_alexnet"),
    ("records run none", 1, "no record is called 'none'; there are 04_alexnet"),
    ("notebooks", 2, ""),
    ("notebooks run 99", 1, UNKNOWN),
    ("notebooks check 99", 1, UNKNOWN),
    ("notebooks test 99", 1, UNKNOWN),
    ("release a99", 1, "a99"),
    ("release --course /nowhere", 1, NO_COURSE),
    ("new-unit", 2, "Missing argument"),
    ("new-unit demo", 1, "a unit is called like 16_demo, not 'demo'"),
    ("new-unit 04_demo", 1, "there is a unit 04_alexnet: take another number"),
    ("publish", 2, "Missing argument"),
    (f"publish {ROOT}/students", 1, "lies in this repository"),
    ("roster import", 2, "Missing argument"),
    ("roster import /nowhere.csv --course /nowhere", 1, "/nowhere.csv cannot be read"),
    ("roster list --section A --course /nowhere", 1, NO_COURSE),
    ("roster participants.csv", 1, "participants.csv cannot be read"),
    ("deadline a99 --course /nowhere", 1, NO_COURSE),
    ("extend a99 ada", 2, "Missing argument"),
    ("extend a99 ada 3d --course /nowhere", 1, NO_COURSE),
    ("remove ada --course /nowhere", 1, NO_COURSE),
    ("collect", 2, "Missing argument"),
    ("collect /nowhere", 1, "/nowhere does not exist"),
    (f"collect {SINGLE} --course /nowhere", 1, NO_COURSE),
    ("grade", 2, "Missing argument"),
    ("grade a04_alexnet --course /nowhere", 1, NO_COURSE),
    ("grade a04_alexnet --course /nowhere --dry-run", 1, NO_COURSE),
    ("grade a04_alexnet --workers -1", 2, "--workers"),
    ("grade a04_alexnet --cell lrn --course /nowhere", 1, NO_COURSE),
    ("read", 2, "Missing argument"),
    ("read a04_alexnet --share 4/3", 1, "--share is '4/3': expected one like 1/3"),
    ("read a04_alexnet --course /nowhere", 1, NO_COURSE),
    ("read a04_alexnet --section A --course /nowhere", 1, NO_COURSE),
    ("read a04_alexnet --browser --json", 1, "--browser and --json: give one of them"),
    ("read a04_alexnet --browser --course /nowhere", 1, NO_COURSE),
    ("statistics", 2, "Missing argument"),
    ("statistics a04_alexnet --course /nowhere", 1, NO_COURSE),
    ("statistics a04_alexnet --section A --course /nowhere", 1, NO_COURSE),
    ("feedback a04_alexnet --course /nowhere", 1, NO_COURSE),
    ("export --course /nowhere", 1, NO_COURSE),
    ("export --out /tmp", 1, "/tmp is no .csv: name a file like grades.csv"),
    ("export a.csv --out b.csv", 1, "Name one file: --out b.csv."),
    ("export --format xls", 1, "format is 'xls': expected one of csv, moodle, canvas"),
    ("doctor now", 2, "now"),
    ("progress a04_alexnet", 2, "a04_alexnet"),
    ("frobnicate", 2, "frobnicate"),
]


@pytest.mark.parametrize(("words", "status", "said"), BAD, ids=lambda value: str(value))
def test_bad_input_ends_in_a_sentence(run_course, words, status, said):
    done = run_course(*words.split())
    assert done.returncode == status, done
    assert said in done.stderr
    assert status == 2 or re.fullmatch(r"error: .*\n", done.stderr)


def test_a_file_that_cannot_be_written_has_the_name_that_was_given(tmp_path):
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(OSError) as error, replacing(path) as part:  # noqa: PT011
        part.write_text("")
    assert __main__.sentence(error.value) == f"{path}: Is a directory"


def test_each_command_meets_bad_input():
    tried = {name for words, *_ in BAD for name in COMMANDS if fits(name, words)}
    assert tried == set(COMMANDS), f"{set(COMMANDS) - tried}: {rule(NEW_COMMAND)}"


def fits(name: str, words: str) -> bool:
    return f"course {words} ".startswith(f"{name} ")


def test_a_missing_kernel_is_a_sentence(run_course, monkeypatch, tmp_path):
    """Without ipykernel and the file that it installs, no kernel is called python3."""
    monkeypatch.setattr("course_grader.assignment.key.build", lambda *of: built)
    built = ROOT / "solutions/a04_alexnet/a04_alexnet.ipynb"
    monkeypatch.setitem(sys.modules, "ipykernel.kernelspec", None)
    monkeypatch.setattr("jupyter_core.paths.ENV_JUPYTER_PATH", [])
    monkeypatch.setattr("jupyter_core.paths.SYSTEM_JUPYTER_PATH", [])
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    (tmp_path / "01_x.py").write_text("# %%\n1\n")
    monkeypatch.setattr(notebook, "NOTEBOOKS", tmp_path)
    with pytest.raises(CourseError, match="there is no kernel python3: `course doc"):
        key.execute("a04_alexnet")
    released = ROOT / "assignments/a04_alexnet"
    for words in (["notebooks", "run"], ["check", released.name, "--folder", released]):
        done = run_course(*map(str, words))
        assert done.returncode == 1
        assert done.stderr == (
            "error: there is no kernel python3: `course doctor` says what to do\n"
        )


def test_a_kernel_that_does_not_start_is_a_sentence():
    with pytest.raises(CourseError, match=r"x\.ipynb: no kernel could .*\(Kern"):
        with kernel.running("x.ipynb"):
            raise RuntimeError("Kernel died before replying to kernel_info")


def test_a_damaged_record_is_named_and_stops_no_other(run_course, tmp_path):
    whole = next(iter(sorted(results.RESULTS.glob("04_alexnet-race-*.json"))))
    paths = [tmp_path / "damaged.json", whole]
    paths[0].write_text("{")
    done = run_course("results", "list", *map(str, paths))
    assert done.returncode == 3
    assert "damaged.json is no training record" in done.stdout
    assert results.read(whole).summary in done.stdout
    assert done.stderr == "error: 1 of 2 records cannot be read\n"
    rows = json.loads(run_course("results", "list", *map(str, paths), "--json").stdout)
    assert "is no training record" in rows[0]["damaged"]
    assert rows[1]["name"] == whole.stem
    done = run_course("results", "verify", str(paths[0]), "--json")
    assert done.returncode == 3
    (row,) = json.loads(done.stdout)
    assert "is no training record" in row["verdict"]
    assert row["confirmed"] is False


def test_a_command_that_is_shown_can_be_pasted(tmp_path):
    course = tmp_path / "my course"
    words = shlex.split(shared.command("grade a04_alexnet", course))
    assert words == ["course", "grade", "a04_alexnet", "--course", str(course)]


def test_a_worker_a_core_counts_those_that_the_command_may_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    assert [shared.at_a_time(0), shared.at_a_time(3)] == [1, 3]


def test_a_twin_that_is_no_notebook_is_named(run_course, monkeypatch, tmp_path):
    (tmp_path / "01_x.py").write_text("# %%\n1\n")
    (tmp_path / "01_x.ipynb").write_text("no JSON")
    monkeypatch.setattr(notebook, "NOTEBOOKS", tmp_path)
    for action in ("check", "run"):
        done = run_course("notebooks", action)
        assert done.returncode == 1
        assert "01_x.ipynb is no notebook" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches_by_example(run_course, name):
    done = run_course(*name.split()[1:], "--help")
    assert done.returncode == 0
    examples = re.findall(r"Example: (course .*)", done.stdout)
    assert examples, rule(NEW_COMMAND)
    assert all(example.startswith(name) for example in examples)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, ("passive", "1000")),
        ({"GOMP_SPINCOUNT": "7"}, ("passive", "7")),
        ({"OMP_WAIT_POLICY": "active"}, ("active", None)),
    ],
)
def test_threads_wait_briefly_unless_told_otherwise(monkeypatch, given, used):
    names = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"
    for name in names:
        monkeypatch.setenv(name, given.get(name, ""))  # what is set here is undone
        if name not in given:
            monkeypatch.delenv(name)
    say = "atexit.register(lambda: print([*map(os.environ.get, NAMES)]))"
    say = f"import atexit, os; NAMES = {names}; {say}"
    done = in_a_process("--version", before=say)
    assert done.stdout.splitlines()[-1] == str(list(used))
    config = PyFileConfigLoader("jupyter_server_config.py", str(ROOT / ".jupyter"))
    config.load_config()
    assert tuple(map(os.environ.get, names)) == used


@pytest.mark.slow
def test_help_and_version_bring_no_torch():
    before = "import atexit; atexit.register(lambda: print('torch' in sys.modules))"
    for word in ("--help", "--version"):
        done = in_a_process(word, before=before)
        assert done.stdout.endswith("False\n"), done


def test_the_version_is_said(run_course):
    done = run_course("--version")
    versions = re.fullmatch(r"course (\S+), torch (\S+), Python (\S+)\n", done.stdout)
    assert done.returncode == 0
    assert versions[1] == __version__
    assert torch.__version__.startswith(versions[2])
    assert versions[3] == platform.python_version()


def test_help_and_readme_say_the_exit_status(run_course):
    help_ = " ".join(run_course("--help").stdout.split())
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert "Exit status: 0 done; 1 error; 2 wrong usage; 3 the rest is done" in help_
    for status, meaning in enumerate(("done", "error", "wrong usage", "the rest is")):
        assert f"{status} {meaning}" in readme


def written_commands() -> list[tuple[str, str]]:
    """Return (file, command) for each command of the course in texts and messages."""
    files = [ROOT / "README.md", ROOT / "data/README.md", *ROOT.glob("docs/*.md")]
    found = []
    for path in files:
        text = path.read_text()
        lines = re.findall(r"^course [^#\n]+", text, re.M)
        lines += re.findall(r"`(course [^`]+)`", text)
        found += [(path.name, line.strip()) for line in lines]
    for folder in ("course_lib", "course_grader", "notebooks", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            lines = re.findall(r"Example: (course .+)", text)
            text = re.sub(r"\"\n\s+f?\"", "", text)  # a sentence over two lines
            lines += re.findall(r"`(course [^`\n…]+)`", text)
            found += [(path.name, line) for line in lines]
    return sorted(set(found))


@pytest.mark.parametrize(("file", "words"), written_commands())
def test_every_command_that_is_written_down_is_one(file, words):
    """Parsed as the command line parses it: names, options and numbers of arguments."""
    words = re.sub(r"\{.*?\}", "NAME", words)
    _, *rest = shlex.split(words)
    if rest and rest[0].startswith("-"):
        assert rest[0] in {"--help", *(name for one in APP.params for name in one.opts)}
        return
    command = APP
    while rest and hasattr(command, "commands"):
        word = rest.pop(0)
        if word == "COMMAND":
            return
        assert word in command.commands
        command = command.commands[word]
    if rest:  # else it is a name in a sentence
        command.make_context("course", rest)


def test_readme_names_every_command():
    readme = (ROOT / "README.md").read_text()
    missing = {name for name in COMMANDS if not re.search(rf"{name}\b", readme)}
    assert missing == set(), f"{missing}: {rule(NEW_COMMAND)}"


@pytest.mark.parametrize(
    "words",
    ["data", "data list", "data digits", "doctor", "doctor --grading"]
    + ["cost 04_alexnet", "cost 04_alexnet 05_vgg.vgg_small --layers"]
    + ["results list", "progress"],
)
def test_json_is_all_that_stdout_holds(run_course, words):
    done = run_course(*words.split(), "--json")
    rows = json.loads(done.stdout)
    assert rows
    assert all(isinstance(row, dict) for row in rows)


def test_json_says_what_the_table_says(run_course):
    (row,) = json.loads(run_course("data", "digits", "--json").stdout)
    assert row["name"] == "digits"
    assert Path(row["path"]).is_file()
    done = run_course("cost", "04_alexnet.alexnet", "--layers", "--json")
    (row,) = json.loads(done.stdout)
    assert row["params"] == sum(layer["params"] for layer in row["layers"]) == 60965224
    assert row["layers"][-1]["receptive_field"] == "Infinity"


def test_list_is_one_shape(run_course):
    """The old spellings show what the new one shows."""
    listed = run_course("data", "list")
    assert listed == run_course("data") == run_course("data", "--list")
    assert "cifar10" in listed.stdout
    assert run_course("results") == run_course("results", "list")


COMPLETED = [
    ("course tra", ["train"]),
    ("course train 04", ["04_alexnet"]),
    ("course train 08_resnet --network resn", ["resnet", "resnet_small"]),
    ("course train 04_alexnet --data ci", ["cifar10"]),
    ("course data ", ["cifar10", "digits", "fashion-mnist", "imagenette", "list"]),
    (
        "course cost 04_alexnet.alexnet",
        [f"04_alexnet.alexnet{end}" for end in ("", "_fine", "_small")],
    ),
    ("course cost nothing.", []),
    ("course classify cat.jpg --network 06", ["06_googlenet"]),
    ("course notebooks check 05", ["05_vgg"]),
    ("course submit a05", ["a05_vgg"]),
    ("course grade --course {course} p", ["ps1", "ps2"]),
    ("course release --course {course} ", ["ps1", "ps2"]),
    ("course grade ps1 --course {course} --student ", ["ada", "bo"]),
    ("course results v", ["verify"]),
]


@pytest.mark.parametrize(("typed", "offered"), COMPLETED)
def test_the_shell_offers_names(run_course, monkeypatch, tmp_path, typed, offered):
    names = "source/ps1", "source/.ipynb_checkpoints", "submitted/bo/ps2"
    for name in (*names, "submitted/ada/ps2"):
        (tmp_path / name).mkdir(parents=True)
    typed = typed.format(course=tmp_path)
    monkeypatch.setenv("_COURSE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    assert run_course().stdout.split() == offered


def test_what_the_shell_offers_is_what_there_is():
    assert set(complete.DATA_SETS) == set(KNOWN)
    for unit in notebook.units():
        built = networks(notebook.load(unit)).values()
        names = {one.func.__name__ for one in built}
        assert set(complete.network_names(unit)) == names, rule(
            "A constructor takes `num_classes` and has a default for every argument"
        )


@pytest.mark.slow
@pytest.mark.parametrize("words", ["course cost 04_alexnet.", "course grade a"])
def test_a_key_brings_nothing_heavy(words):
    before = "import os; os.environ.update(_COURSE_COMPLETE='complete_bash', "
    before += f"COMP_WORDS={words!r}, COMP_CWORD='2')\n"
    before += "import atexit; atexit.register(lambda: print(*sys.modules))"
    loaded = set(in_a_process(before=before).stdout.split())
    assert "course_lib.commands.complete" in loaded
    assert not loaded & {"torch", "numpy", "nbgrader", "nbformat", "course_grader"}


NO_JUPYTER = """
import contextlib, io, sys

class Nowhere:
    names = {"nbgrader", "nbformat", "nbclient", "nbconvert", "jupytext", "IPython",
             "ipykernel", "ipywidgets", "jupyter_client", "jupyter_core", "jupyterlab",
             "notebook", "traitlets", "sqlalchemy", "distributed", "matplotlib"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
from course_lib.__main__ import main
"""
ONE_BY_ONE = """
for words in lines:
    sys.argv = ["course", *words.split()]
    said = io.StringIO()
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(said):
        main()
    print("said:", words, "|", said.getvalue().replace(chr(10), " "))
"""


@pytest.mark.slow
def test_training_needs_no_jupyter_and_no_nbgrader(tmp_path, record):
    """What needs them says so, and the others run without."""
    works = ["--help", "data list", "cost 04_alexnet", "results list"]
    works += [f"results verify {record}"]
    works += [f"train 04_alexnet --data {record.parent / 'light.npz'} --epochs 1"]
    works[-1] += f" --out {tmp_path}"
    refused = ["grade a04_alexnet", "notebooks check", "collect ."]
    code = f"{NO_JUPYTER}\nlines = {works + refused}\n{ONE_BY_ONE}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    said = dict(re.findall(r"^said: (.*) \| (.*)$", done.stdout, re.M))
    assert list(said) == works + refused, done.stderr
    assert [words for words in works if said[words]] == [], said
    for words in refused:
        assert re.match(
            r"error: this needs \w+, which is not installed: pip install", said[words]
        )
    assert len(list(tmp_path.glob("*.json"))) == 1


@pytest.mark.slow
def test_doctor_finds_this_environment_fit(run_course):
    done = run_course("doctor")
    assert done.returncode == 0, done.stdout
    assert "wrong" not in done.stdout
    for what in ("Python", "PyTorch", "GPU", "kernel python3", "disk", "data: digits"):
        assert what in done.stdout


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Path:
    """The record of a short training on an .npz with a bright and a dark class."""
    labels = np.arange(80) % 2
    noise = np.random.default_rng(0).integers(0, 60, (80, 16, 16, 3))
    images = (noise + 150 * labels[:, None, None, None]).astype(np.uint8)
    out = tmp_path_factory.mktemp("runs")
    np.savez(
        out / "light.npz",
        train_images=images[:60],
        train_labels=labels[:60],
        test_images=images[60:],
        test_labels=labels[60:],
        classes=["dark", "bright"],
    )
    __main__.app(training(out), standalone_mode=False)
    (path,) = out.glob("*.json")
    return path


def training(out: Path) -> list[str]:
    words = ["train", "04_alexnet", "--data", str(out / "light.npz"), "--epochs", "3"]
    return [*words, "--set", "learning_rate=0.02", "--out", str(out)]


@pytest.mark.slow
def test_one_s_own_images_train_and_leave_a_record_that_verifies(run_course, record):
    # the folder's name, and a digest of its path: others may have the same name
    name = r"04_alexnet-alexnet_small-light-[0-9a-f]{8}-seed0\.json"
    assert re.fullmatch(name, record.name)
    found = results.read(record)
    assert found.recipe.learning_rate == 0.02
    assert len(found.history) == 3
    assert results.verify(record).ok
    again = run_course(*training(record.parent))  # finds the first one finished
    assert again.returncode == 0
    assert "2 classes, 3 epochs" in again.stdout
    shown = run_course("results", "verify", str(record))
    assert shown.returncode == 0
    assert ", confirmed" in shown.stdout


@pytest.mark.slow
def test_a_record_that_is_not_true_ends_with_3_and_stops_no_other(
    run_course, record, tmp_path
):
    false = shutil.copy(record, tmp_path)
    row = json.loads(Path(false).read_text())
    Path(false).write_text(json.dumps(row | {"test_top1": row["test_top1"] - 0.5}))
    shutil.copy(record.with_suffix(".safetensors"), tmp_path)
    lonely = shutil.copy(record, tmp_path / "lonely.json")  # without its weights
    paths = map(str, (false, lonely, record))
    done = run_course("results", "verify", *paths, "--json")
    assert done.returncode == 3
    assert "2 of 3 records were not confirmed" in done.stderr
    rows = json.loads(done.stdout)
    assert [row["confirmed"] for row in rows] == [False, False, True]
    assert "lonely.safetensors is missing" in rows[1]["verdict"]
