"""What ImageNet's notebook exports, against torchvision's readers and transforms."""

from __future__ import annotations

import csv
import tarfile

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import imagenet

from course_lib import notebook, results

UNIT = notebook.load("01_imagenet")
FIELDS = "ILSVRC2012_ID", "WNID", "words", "num_children"
SYNSETS = [  # the challenge's numbers are not in the order of the wnids
    (2, "n01440764", "tench, Tinca tinca", 0),
    (3, "n01443537", "goldfish", 0),
    (1, "n02119789", "kit fox", 0),
    (4, "n00001740", "entity", 2),
]


@pytest.fixture
def devkit(tmp_path):
    folder = tmp_path / "ILSVRC2012_devkit_t12"
    (folder / "data").mkdir(parents=True)
    rows = np.array(SYNSETS, dtype=[(field, "O") for field in FIELDS])
    savemat(folder / "data/meta.mat", {"synsets": rows})
    truth = folder / "data/ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n3\n2\n2\n")
    return folder


@pytest.fixture
def split(tmp_path):
    for name in ("n02119789", "n01440764"):
        for number in (10, 9, 1):
            path = tmp_path / "train" / name / f"{name}_{number}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "train/notes.txt").write_text("no class")
    return tmp_path / "train"


def test_folders_are_read_as_torchvision_reads_them(split):
    files, labels, classes = UNIT.read_folders(split)
    theirs = torchvision.datasets.ImageFolder(split)
    pairs = [(str(file), label) for file, label in zip(files, labels, strict=True)]
    assert pairs == theirs.samples
    assert classes == theirs.classes


def test_a_split_without_classes_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no class folders"):
        UNIT.read_folders(tmp_path)


def test_the_devkit_gives_the_wnid_and_not_the_challenges_number(devkit):
    wnids, words = UNIT.read_devkit(devkit)
    assert wnids == ["n02119789", "n01443537", "n01440764", "n01440764"]
    assert words == {wnid: text for _, wnid, text, children in SYNSETS if not children}


def test_torchvision_reads_the_same_from_the_devkits_archive(devkit, monkeypatch):
    archive = devkit.parent / "ILSVRC2012_devkit_t12.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(devkit, devkit.name)
    rows = np.array(
        [(n, w, words, "", children) for n, w, words, children in SYNSETS],
        dtype=[(name, "O") for name in (*FIELDS[:3], "gloss", FIELDS[3])],
    )
    assert rows.dtype.names.index("num_children") == 4  # where torchvision looks
    monkeypatch.setattr(imagenet, "_verify_archive", lambda *_: None)
    folder = devkit.parent / "again"
    savemat(devkit / "data/meta.mat", {"synsets": rows})
    with tarfile.open(archive, "w:gz") as file:
        file.add(devkit, devkit.name)
    folder.mkdir()
    imagenet.parse_devkit_archive(folder, archive)
    classes, wnids = imagenet.load_meta_file(folder)
    ours, words = UNIT.read_devkit(devkit)
    assert ours == wnids
    assert {wnid: ", ".join(names) for wnid, names in classes.items()} == words


def test_an_unknown_number_in_the_ground_truth_is_named(devkit):
    truth = devkit / "data/ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n4\n")  # 4 has children
    with pytest.raises(ValueError, match=r"without a class in meta.mat: \[4\]"):
        UNIT.read_devkit(devkit)


@pytest.mark.parametrize("size", [(427, 640), (10, 300), (300, 10), (1, 1)])
def test_random_parts_are_torchvisions_given_the_seed(size):
    image = torch.zeros(3, *size)
    limits = (0.08, 1.0), (3 / 4, 4 / 3)
    for seed in range(200):
        torch.manual_seed(seed)
        ours = UNIT.random_part(*size)
        torch.manual_seed(seed)
        theirs = torchvision.transforms.RandomResizedCrop.get_params(image, *limits)
        assert ours == tuple(theirs)


def test_the_recorded_guesses_are_five_different_classes_of_a_thousand():
    with open(results.RESULTS / "01_imagenet-crops.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    files = [row["file"] for row in rows]
    unseen = [file for file in files if "/ILSVRC2012_val_" in file]
    assert len(set(files)) == len(files) == 884
    assert len(unseen) == 109
    assert all(file in unseen for file in files if file.startswith("train/"))
    for row in rows:
        for way in ("one", "ten", "ten_logits"):
            found = [int(number) for number in row[way].split()]
            assert len(set(found)) == 5
            assert all(0 <= number < 1000 for number in found)
    assert len({row["label"] for row in rows}) == 10


@pytest.mark.slow
def test_cells_that_check_run_without_data(monkeypatch):
    monkeypatch.delenv("COURSE_DATA", raising=False)
    names: dict = {}
    for cell in notebook.cells(notebook.source("01_imagenet").read_text("utf-8")):
        if {"export", "check"} & set(cell.tags):
            exec(cell.source, names)
    assert names["COUNTS"]["train"] == 1_281_167
