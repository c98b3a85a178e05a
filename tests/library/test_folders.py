"""A folder of images is read as it is meant, or a sentence says what is unclear."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

from course_lib import data


def make_folder(root, splits, size=(9, 7), classes=("cat", "dog")):
    """Write PNG images, each of one colour that says where it stands."""
    for s, (split, count) in enumerate(splits.items()):
        for label, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", size, (s, label, i))
                image.save(root / split / name / f"{i:03d}.png")


def test_split_that_is_given_is_kept(tmp_path):
    make_folder(tmp_path, {"train": 20, "val": 3, "test": 2})
    sizes = [len(data.load(tmp_path, split)) for split in data.SPLITS]
    assert sizes == [40, 6, 4]
    make_folder(tmp_path / "two", {"train": 20, "test": 2})
    sizes = [len(data.load(tmp_path / "two", split)) for split in data.SPLITS]
    assert sizes == [36, 4, 4]


def test_name_below_the_root(tmp_path, monkeypatch):
    arrays = dict.fromkeys(("train_images", "test_images"), np.zeros((9, 4, 4), "u1"))
    arrays |= dict.fromkeys(("train_labels", "test_labels"), np.arange(9) // 3)
    np.savez(tmp_path / "mine.npz", classes=["a", "b", "c"], **arrays)
    make_folder(tmp_path / "photos", {"train": 6})
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert len(data.load("mine.npz")) == 6
    assert data.load("photos").classes == ("cat", "dog")


def test_folder_keeps_order_labels_and_pixels(tmp_path):
    make_folder(tmp_path, {"train": 12, "test": 2})
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / "train" / "cat" / "._000.png").write_text("what macOS leaves")
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    train = data.load(tmp_path)
    assert train.images.shape == (20, 3, 7, 9)
    assert train.classes == ("cat", "dog")
    numbers = [i for i in range(12) if i not in (0, 10)] * 2  # 0 and 10 are val
    expected = torch.tensor(
        [[0, label, i] for label, i in zip([0] * 10 + [1] * 10, numbers, strict=True)]
    )
    assert torch.equal(train.images[:, :, 3, 3].long(), expected)
    assert train.labels.tolist() == [0] * 10 + [1] * 10


def test_class_folders_alone_are_cut_into_three(tmp_path):
    make_folder(tmp_path, {".": 20})
    sizes = [len(data.load(tmp_path, split)) for split in data.SPLITS]
    assert sizes == [32, 4, 4]


def test_decoding_once_is_enough_for_mean_and_deviation(tmp_path):
    make_folder(tmp_path, {"train": 6})
    train = data.load(tmp_path)
    test = data.load(tmp_path, "test")
    assert (train.mean, train.std) == (test.mean, test.std)
    for file in (tmp_path / "train").rglob("*.png"):
        Image.new("RGB", (9, 7), (9, 9, 9)).save(file)
        os.utime(file, ns=(0, 0))
    assert data.load(tmp_path, "test").mean == pytest.approx((9 / 255,) * 3)


def test_folders_that_are_not_a_data_set(tmp_path):
    with pytest.raises(data.DataError, match=r"no folders of images in .*of their own"):
        data.load(tmp_path)
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(data.DataError, match=r"no images in .*train: add some"):
        data.load(tmp_path)
    make_folder(tmp_path, {"train": 4}, classes=("cow", "dog"))
    make_folder(tmp_path, {"val": 1}, classes=("ant", "dog"))
    with pytest.raises(data.DataError, match=r"val/ant is a class that .*train lacks"):
        data.load(tmp_path)


# Layouts


def put(root, *folders, count=3):
    """Write so many images into each of these folders."""
    for number, folder in enumerate(folders):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.new("RGB", (4, 4), (number, 0, i)).save(root / folder / f"{i}.png")


def sizes(root):
    return [len(data.load(root, split)) for split in data.SPLITS]


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "Val", "Test"),
        ("TRAIN", "VALID", "TEST"),
        ("training", "validation", "testing"),
        ("Training", "Valid", "Testing"),
        ("training_set", "dev_set", "test set"),
        ("train-images", "valdata", "Test_Data"),
    ],
)
def test_spellings_of_splits(tmp_path, train, val, test):
    put(tmp_path, f"{train}/cat", f"{train}/dog", count=5)
    put(tmp_path, f"{val}/cat", f"{val}/dog", count=2)
    put(tmp_path, f"{test}/cat", f"{test}/dog", count=1)
    assert data.load(tmp_path).classes == ("cat", "dog")
    assert sizes(tmp_path) == [10, 4, 2]


@pytest.mark.parametrize(
    ("folders", "split_sizes"),
    [
        (["flowers/cat", "flowers/dog"], [2, 2, 2]),
        (["a/b/c/cat", "a/b/c/dog"], [2, 2, 2]),
        (["a/Train/cat", "a/Train/dog", "a/Test/cat", "a/Test/dog"], [4, 2, 6]),
        (["train/train/cat", "train/train/dog", "test/test/cat"], [4, 2, 3]),
        (["train/x/cat", "train/x/dog", "test/cat/2019"], [4, 2, 3]),
        (["cat/2018", "cat/2019", "dog"], [5, 2, 2]),  # folders in that of a class
    ],
)
def test_lone_folders_around_the_classes_are_stepped_into(
    tmp_path, folders, split_sizes
):
    put(tmp_path, *folders)
    assert data.load(tmp_path).classes == ("cat", "dog")
    assert sizes(tmp_path) == split_sizes


def test_a_class_of_trains(tmp_path):
    put(tmp_path, "bus", "car", "train")
    assert data.load(tmp_path).classes == ("bus", "car", "train")


TWO = ["train/cat", "train/dog"]
INTEL = [f"seg_{split}/seg_{split}" for split in ("train", "test")]
INTEL = [f"{split}/{label}" for split in INTEL for label in ("cat", "dog")]
INTEL += ["seg_pred/seg_pred"]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ([*TWO, "Training/cat"], r"Training and .*train are all for train: keep one"),
        ([*TWO, "val/cat", "valid/cat"], r"val and .*valid are all for val"),
        ([*TWO, "extra/cat"], r"has train and, beside that, extra: .*classes or split"),
        ([*TWO, "old"], r"has train and, beside that, old"),
        (["cat", "dog", "test"], r"has test and, beside that, cat, dog"),
        (["cat", "dog", "test", "train"], r"has test, train and, beside that, cat"),
        (["test/cat", "test/dog"], r"has test but no folder train"),
        (["train", "test"], r"no folders of images in .*test and .*train: put the im"),
        ([*TWO, "test"], r"no folders of images in .*test: put"),
        (
            ["cat/train", "cat/test", "dog/train"],
            r"cat/test and .*cat/train is a split",
        ),
        (["cat"], r"cat is the only folder of images in .*2 classes or more"),
        (["flowers/cat"], r"cat is the only folder of images"),
        (
            ["a/cat", "a/dog", "b/cat", "b/dog"],
            r"a, b in .* hold .* cat, dog: which",
        ),
        (INTEL, r"seg_test, seg_train in .* hold .* cat, dog: which"),
    ],
)
def test_what_can_be_read_in_two_ways_is_named(tmp_path, folders, message):
    put(tmp_path, *folders)
    with pytest.raises(data.DataError, match=message):
        data.load(tmp_path)


HIDDEN = [".thumbs", ".ipynb_checkpoints", "__MACOSX", "@eaDir", "__pycache__"]


@pytest.mark.parametrize("name", [*HIDDEN, "$RECYCLE.BIN"])
@pytest.mark.parametrize("place", ["", "train", "train/cat", "train/cat/more"])
def test_what_a_system_leaves_is_no_class_and_no_image(tmp_path, name, place):
    put(tmp_path, *TWO, "train/cat/more")
    expected = data.load(tmp_path)
    put(tmp_path, f"{place}/{name}/cat", f"{place}/{name}")
    for junk in ("._0.png", ".0.png"):
        (tmp_path / place / junk).write_bytes(b"no image")
    for junk in ("Thumbs.db", "desktop.ini"):
        (tmp_path / "train" / junk).write_bytes(b"no image")
    found = data.load(tmp_path)
    assert (found.classes, found.digest) == (expected.classes, expected.digest)


def test_empty_folders_are_nothing_and_folders_of_other_files_are_named(tmp_path):
    put(tmp_path, "cat", "dog")
    (tmp_path / "bird" / "deep").mkdir(parents=True)
    (tmp_path / "bird" / "Thumbs.db").write_bytes(b"")
    assert data.load(tmp_path).classes == ("cat", "dog")
    (tmp_path / "bird" / "deep" / "boxes.xml").write_text("<no image>")
    with pytest.raises(data.DataError, match=r"bird holds files but no images"):
        data.load(tmp_path)


def test_a_folder_of_a_hidden_folder_can_be_named(tmp_path):
    put(tmp_path / ".cache", "cat", "dog")
    assert sizes(tmp_path / ".cache") == [2, 2, 2]


def test_a_folder_called_like_an_image_is_a_folder(tmp_path):
    put(tmp_path, "cat/a.jpg", "cat", "dog", count=6)
    assert len(data.load(tmp_path)) == 8 + 4


def test_a_link_in_a_circle_is_named(tmp_path):
    put(tmp_path, "cat", "dog")
    (tmp_path / "cat" / "all").symlink_to(tmp_path)
    with pytest.raises(data.DataError, match=r"cat/all is a link to a folder that"):
        data.load(tmp_path)


def test_two_folders_of_one_name_are_told_apart(tmp_path):
    put(tmp_path / "a", "x/cat", "x/dog")
    put(tmp_path / "b", "x/cat", "x/dog")
    first, second = data.load(tmp_path / "a"), data.load(tmp_path / "b")
    assert first.digest == second.digest  # the same images
    Image.new("RGB", (4, 4), "red").save(tmp_path / "b" / "x" / "cat" / "2.png")
    assert data.load(tmp_path / "b").digest != first.digest
    assert first.name != second.name


def test_two_images_a_class_are_too_few(tmp_path):
    make_folder(tmp_path, {".": 2})
    with pytest.raises(data.DataError, match=r"'cat' has 2 training.*3 or more"):
        data.load(tmp_path)


def test_imagenette_without_its_val_folder(tmp_path):
    make_folder(tmp_path / "imagenette160", {"train": 4})
    with pytest.raises(data.DataError, match=r"imagenette160 has no folder val"):
        data.load("imagenette", root=tmp_path)


@pytest.fixture(params=["closed", "too long a name"])
def unseen(tmp_path, request):
    """Yield a folder into which no process may, or can, look."""
    if request.param == "too long a name":
        yield tmp_path / ("a" * 300)
        return
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("nothing is closed to root")
    (folder := tmp_path / "closed").mkdir(mode=0)
    yield folder
    folder.chmod(0o700)


def test_the_digits_need_no_folder_of_data(unseen):
    assert len(data.load("digits", root=unseen).classes) == 10
    assert {row.name for row in data.available(unseen) if row.path} == {"digits"}


@pytest.mark.parametrize("name", ["cifar10", "imagenette", "mine", "itself"])
def test_a_folder_that_nobody_can_look_into_is_named(unseen, name):
    with pytest.raises(data.DataError, match=str(unseen)):
        data.load(unseen if name == "itself" else name, root=unseen)
