"""Images from an .npz are what was put into it; what is no image is named."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib import data


def some_arrays(train=30, test=6, classes=3):
    rng = np.random.default_rng(0)
    return {
        "train_images": rng.integers(0, 256, (train, 6, 5, 3), dtype=np.uint8),
        "train_labels": np.arange(train) % classes,
        "test_images": rng.integers(0, 256, (test, 6, 5, 3), dtype=np.uint8),
        "test_labels": np.arange(test) % classes,
        "classes": np.array([f"class {i}" for i in range(classes)]),
    }


def test_images_of_one_colour_stay_finite(tmp_path):
    arrays = some_arrays()
    arrays["train_images"][:] = 7
    np.savez(tmp_path / "flat.npz", **arrays)
    pixels, _ = next(data.batches(data.load(tmp_path / "flat.npz"), 4))
    assert pixels.abs().max() < 1e-6


def test_channels(tmp_path):
    grey, colour = data.load("digits"), data.load("digits", channels=3)
    assert torch.equal(colour.images, grey.images.expand(-1, 3, -1, -1))
    arrays = some_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    grey = data.load(tmp_path / "a.npz", "test", channels=1)
    expected = torch.from_numpy(arrays["test_images"]).float().mean(3).round()
    assert torch.equal(grey.images[:, 0].float(), expected)
    assert len(grey.mean) == len(grey.std) == 1


def test_npz_round_trip_in_each_form(tmp_path):
    arrays = some_arrays()
    channels_first = {
        key: a.transpose(0, 3, 1, 2) if a.ndim == 4 else a for key, a in arrays.items()
    }
    grey = {key: a[..., 0] if a.ndim == 4 else a for key, a in arrays.items()}
    loaded = []
    for i, form in enumerate((arrays, channels_first, grey)):
        path = tmp_path / f"{i}.npz"
        (np.savez, np.savez_compressed)[i % 2](path, **form)
        loaded.append(data.load(str(path), "test"))
    last, first, plane = loaded
    assert last.images.shape == (6, 3, 6, 5)
    assert plane.images.shape == (6, 1, 6, 5)
    assert last.digest == first.digest
    assert torch.equal(last.images[:, :1], plane.images)
    assert last.classes == ("class 0", "class 1", "class 2")
    assert last.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert len(data.load(tmp_path / "0.npz")) == 27


def change(**changed):
    return lambda arrays: arrays | changed


U8 = np.uint8
BAD_ARRAYS = {
    "a key is missing": (lambda a: a.pop("classes"), r"lacks classes: it needs"),
    "floats": (
        change(train_images=np.zeros((30, 6, 5))),
        r"float64 \(30, 6, 5\).*uint8",
    ),
    "flat": (change(test_images=np.zeros((6, 30), U8)), r"uint8 \(6, 30\), not"),
    "no images": (change(test_images=np.zeros((0, 6, 5), U8)), r"\(0, 6, 5\), not"),
    "2 planes": (change(test_images=np.zeros((6, 6, 5, 2), U8)), r"neither 1 nor 3"),
    "few labels": (change(train_labels=np.zeros(29, int)), r"\(29,\).*the 30 images"),
    "real labels": (change(train_labels=np.zeros(30)), r"float64.*whole number"),
    "label too big": (change(test_labels=np.full(6, 3)), r"test.*label 3 .*0 to 2"),
    "label below 0": (
        change(test_labels=np.full(6, -1)),
        r"label -1 is outside 0 to 2",
    ),
    "empty class": (
        change(train_labels=np.arange(30) % 2),
        r"'class 2' has 0 training",
    ),
    "object": (change(classes=np.array([print, {}])), r"cannot be read.*no objects"),
    "names as objects": (
        change(classes=np.array(["a", "b", "c"], object)),
        r"cannot be read \(classes: .*dtype=str",
    ),
    "images as objects": (
        change(test_images=np.array([[[1]]] * 6, object)),
        r"cannot be read \(test_images: .*no objects",
    ),
    "floats from 0 to 1": (
        change(test_images=np.full((6, 6, 5, 3), 0.5, np.float32)),
        r"test_images.*float32.*make \(255 \* images\)",
    ),
    "16 bits": (change(train_images=np.zeros((30, 6, 5), ">u2")), r">u2|uint16"),
    "complex": (change(train_images=np.zeros((30, 6, 5), complex)), r"complex128"),
    "true and false": (change(train_labels=np.zeros(30, bool)), r"labels are bool"),
    "two sizes": (
        change(test_images=np.zeros((6, 7, 5, 3), U8)),
        r"train_images are \(3, 6, 5\).*test_images \(3, 7, 5\): bring",
    ),
    "grey tests": (change(test_images=np.zeros((6, 6, 5), U8)), r"\(1, 6, 5\): bring"),
    "a name twice": (change(classes=["a", "b", "a"]), r"classes: 'a' is there twice"),
    "names of bytes": (change(classes=[b"a", b"\xff", b"c"]), r"classes: not UTF-8"),
    "names of floats": (
        change(classes=[0.5, 1.5, 2.5]),
        r"classes: float64 \(3,\), not",
    ),
    "a table of names": (change(classes=[["a"], ["b"], ["c"]]), r"\(3, 1\), not a row"),
}


@pytest.mark.parametrize("labels", ["i1", "u1", "<i2", ">i4", ">i8", "<u8"])
@pytest.mark.parametrize("names", ["U9", ">U9", "S9"])
def test_width_and_order_of_bytes_do_not_matter(tmp_path, labels, names):
    arrays = some_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    kinds = {"train_labels": labels, "test_labels": labels, "classes": names}
    arrays |= {key: arrays[key].astype(kind) for key, kind in kinds.items()}
    arrays["train_images"] = np.asfortranarray(arrays["train_images"])
    np.savez(tmp_path / "b.npz", **arrays)
    first, second = data.load(tmp_path / "a.npz"), data.load(tmp_path / "b.npz")
    assert second.labels.dtype == torch.int64
    assert second.classes == ("class 0", "class 1", "class 2")
    assert first.digest == second.digest


def test_an_archive_of_photos_is_named_and_not_listed(tmp_path):
    with zipfile.ZipFile(tmp_path / "flowers.zip", "w") as archive:
        for number in range(1000):
            archive.writestr(f"cat/{number}.jpg", b"")
    with pytest.raises(data.DataError, match=r"lacks train_images.*and more$"):
        data.load(tmp_path / "flowers.zip")


@pytest.mark.parametrize(("spoil", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_bad_arrays_are_named(tmp_path, spoil, message):
    arrays = some_arrays()
    spoiled = spoil(arrays)
    np.savez(tmp_path / "bad.npz", **(spoiled if isinstance(spoiled, dict) else arrays))
    with pytest.raises(data.DataError, match=message) as error:
        data.load(tmp_path / "bad.npz")
    assert str(tmp_path / "bad.npz") in str(error.value)


def test_hostile_pickle_is_not_executed(tmp_path):
    class Touch:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    objects = np.array([Touch()], dtype=object)
    np.savez(tmp_path / "evil.npz", **some_arrays() | {"train_labels": objects})
    with pytest.raises(data.DataError, match=r"evil\.npz cannot be read"):
        data.load(tmp_path / "evil.npz")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_file(tmp_path, keep):
    np.savez_compressed(tmp_path / "a.npz", **some_arrays())
    whole = (tmp_path / "a.npz").read_bytes()
    end = keep if isinstance(keep, int) else int(keep * len(whole))
    (tmp_path / "a.npz").write_bytes(whole[:end])
    with pytest.raises(data.DataError, match=r"a\.npz cannot be read"):
        data.load(tmp_path / "a.npz")


def test_flipped_bits(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **some_arrays())
    whole = bytearray((tmp_path / "a.npz").read_bytes())
    for at in range(200, 1200):
        whole[at] ^= 255
    (tmp_path / "a.npz").write_bytes(whole)
    with pytest.raises(data.DataError, match=r"a\.npz cannot be read"):
        data.load(tmp_path / "a.npz")


def test_an_array_is_no_archive(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(data.DataError, match=r"a\.npy cannot be read"):
        data.load(tmp_path / "a.npy")
