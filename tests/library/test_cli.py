"""The command line, as a student types it."""

import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

from course_lib import __main__, results


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def course(monkeypatch, capsys):
    """Run the command in this process, which has torch already."""

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["course", *words])
        monkeypatch.setenv("COLUMNS", "100")
        with pytest.raises(SystemExit) as stop:
            __main__.main()
        return Done(stop.value.code or 0, *capsys.readouterr())

    return run


@pytest.mark.slow
def test_an_error_is_one_sentence_unless_debug_asks_for_more():
    def run(*words):
        command = [sys.executable, "-m", "course_lib", *words]
        return subprocess.run(command, capture_output=True, text=True)

    plain, debug = run("cost", "99_nothing"), run("cost", "99_nothing", "--debug")
    assert plain.returncode == 1
    assert plain.stderr.count("\n") == 1
    assert plain.stderr.startswith("error: no unit is called '99_nothing'")
    assert "Traceback" in debug.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "04_alexnet", "--data", "nowhere"), "nowhere"),
        (("train", "04_alexnet", "--network", "vgg"), "has no network 'vgg'; it has"),
        (("train", "04_alexnet", "--set", "rate=1"), "no field 'rate'; it has epochs"),
        (("train", "04_alexnet", "--set", "rate"), "expected FIELD=VALUE"),
        (("cost", "04_alexnet.vgg"), "has no network 'vgg'"),
        (("results", "verfy"), "expected list or verify"),
        (("results", "list", "none.json"), "none.json does not exist"),
        (("release", "a99"), "a99"),
        (("grade", "a04_alexnet", "--course", "/nowhere"), "is no nbgrader course"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_exist_is_named(course, words, said):
    done = course(*words)
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert said in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["train", "cost", "data", "grade", "demo", "doctor"]
)
def test_help_teaches(course, command):
    done = course(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.split()) > 20


@pytest.mark.slow
def test_doctor_finds_this_environment_fit(course):
    done = course("doctor")
    assert done.returncode == 0, done.stdout
    assert "wrong" not in done.stdout
    for what in ("Python", "PyTorch", "GPU", "kernel python3", "disk", "data: digits"):
        assert what in done.stdout


@pytest.mark.slow
def test_one_s_own_images_train_and_leave_a_record_that_verifies(course, tmp_path):
    """An .npz with a bright and a dark class; a second run finds the first finished."""
    labels = np.arange(80) % 2
    noise = np.random.default_rng(0).integers(0, 60, (80, 16, 16, 3))
    images = (noise + 150 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(
        tmp_path / "light.npz",
        train_images=images[:60],
        train_labels=labels[:60],
        test_images=images[60:],
        test_labels=labels[60:],
        classes=["dark", "bright"],
    )
    out = tmp_path / "runs"
    words = ["train", "04_alexnet", "--data", str(tmp_path / "light.npz")]
    words += ["--epochs", "3", "--set", "learning_rate=0.02", "--out", str(out)]
    first, second = course(*words), course(*words)
    assert first.returncode == second.returncode == 0, first.stderr
    assert "2 classes, 3 epochs" in first.stdout
    (path,) = out.glob("*.json")
    assert path.name == "04_alexnet-alexnet_small-light-seed0.json"
    record = results.read(path)
    assert record.recipe.learning_rate == 0.02
    assert len(record.history) == 3
    assert results.verify(path).ok
    shown = course("results", "verify", str(path))
    assert shown.returncode == 0
    assert ", confirmed" in shown.stdout
