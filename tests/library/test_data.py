"""The images are the right ones, the splits do not leak, chance comes from the seed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib import data

REAL = pytest.mark.real_data
HERE = os.environ.get("COURSE_DATA")
needs_real = pytest.mark.skipif(not HERE, reason="COURSE_DATA is not set")


# Splits


def rows(images):
    return {image.numpy().tobytes() for image in images.images}


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    splits = {split: data.load("digits", split) for split in data.SPLITS}
    assert [len(splits[s]) for s in data.SPLITS] == [1429, 185, 183]
    assert sum(len(split) for split in splits.values()) == 1797
    train = splits["train"]
    assert train.images.dtype == torch.uint8
    assert train.labels.dtype == torch.int64
    assert train.images.shape == (1429, 1, 8, 8)
    assert train.images.unique().tolist() == [round(i * 255 / 16) for i in range(17)]
    seen = set().union(*(rows(split) for split in splits.values()))
    assert seen == {
        np.rint(i * 255 / 16).astype(np.uint8).tobytes() for i in load_digits().images
    }


def test_the_rule_of_the_split_is_what_is_documented():
    from sklearn.datasets import load_digits

    target = load_digits().target
    nines = np.flatnonzero(target == 9)
    raw = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    for split, turn in (("val", 0), ("test", 1)):
        ours = data.load("digits", split)
        ours = ours.take(ours.labels == 9)
        assert np.array_equal(ours.images[:, 0].numpy(), raw[nines[turn::10]])


@pytest.mark.slow
@REAL
@needs_real
@pytest.mark.parametrize(
    ("name", "sizes", "shape"),
    [
        ("cifar10", [45_000, 5_000, 10_000], (3, 32, 32)),
        ("fashion-mnist", [54_000, 6_000, 10_000], (1, 28, 28)),
    ],
)
def test_real_sets_are_split_by_class(name, sizes, shape):
    splits = [data.load(name, split) for split in data.SPLITS]
    assert [len(split) for split in splits] == sizes
    assert len(splits[0].classes) == 10
    for split in splits:
        assert split.images.shape[1:] == shape
        assert split.labels.bincount().tolist() == [len(split) // 10] * 10


@pytest.mark.slow
@REAL
@needs_real
def test_imagenette_has_names_and_keeps_its_official_images_for_test():
    if not list(Path(HERE).glob("imagenette*")):
        pytest.skip("no imagenette under COURSE_DATA")
    test = data.load("imagenette", "test", size=32)
    assert test.classes[0] == "tench"
    folder = next(Path(HERE).glob("imagenette*"))
    assert len(test) == len(list((folder / "val").rglob("*.JPEG")))


# Normalisation


def test_constants_of_digits():
    train = data.load("digits")
    pixels = train.images.double() / 255
    assert train.mean == pytest.approx((pixels.mean().item(),), abs=5e-5)
    assert train.std == pytest.approx((pixels.std(correction=0).item(),), abs=5e-5)


@pytest.mark.slow
@REAL
@needs_real
@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_constants_of_real_sets(name):
    """Within 2e-4: a copy of CIFAR-10 that went through JPEG may differ by so much."""
    train, val = data.load(name), data.load(name, "val")
    pixels = torch.cat([train.images, val.images]).transpose(0, 1).flatten(1)
    for plane, mean, std in zip(pixels, train.mean, train.std, strict=True):
        plane = plane.float().div_(255)
        assert mean == pytest.approx(plane.mean(dtype=torch.float64).item(), abs=2e-4)
        assert std == pytest.approx(plane.std().item(), abs=2e-4)


@pytest.mark.parametrize("keys", [{"size": 20}, {"size": 20, "channels": 3}])
def test_any_other_training_set_gets_mean_0_and_deviation_1(keys):
    train = data.load("digits", **keys)
    pixels, _ = next(data.batches(train, len(train)))
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(len(train.mean)))
    torch.testing.assert_close(
        pixels.std((0, 2, 3), correction=0), torch.ones(len(train.mean))
    )
    val = data.load("digits", "val", **keys)
    assert (val.mean, val.std) == (train.mean, train.std)


def test_normalise_follows_its_formula_and_keeps_its_input():
    images = torch.randint(0, 256, (2, 3, 4, 5)).float()
    before = images.clone()
    out = data.normalise(images, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    expected = (images[1, 2] / 255 - 0.3) / 0.6
    torch.testing.assert_close(out[1, 2], expected)
    assert torch.equal(images, before)


def test_normalise_after_inference_still_lets_gradients_through():
    constants = (0.123,), (0.456,)
    with torch.inference_mode():
        data.normalise(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), *constants)
    pixels = torch.rand(1, 1, 2, 2, requires_grad=True)
    data.normalise(pixels, *constants).sum().backward()
    torch.testing.assert_close(pixels.grad, torch.full_like(pixels, 1 / 255 / 0.456))


# Size and channels


def test_resize_of_an_even_plane_and_of_a_ramp():
    train = data.load("digits", size=32)
    assert train.images.shape == (1429, 1, 32, 32)
    small = data.load("digits").images.float()
    assert (
        train.images.float().mean((1, 2, 3)) - small.mean((1, 2, 3))
    ).abs().max() < 3


# Batches and augmentation


def epoch(images, **keys):
    pixels, labels = zip(*data.batches(images, 100, **keys), strict=True)
    return torch.cat(pixels), torch.cat(labels)


def test_every_image_comes_once_the_last_batch_is_what_is_left():
    train = data.load("digits")
    sizes = [len(labels) for _, labels in data.batches(train, 100, shuffle=True)]
    assert sizes == [100] * 14 + [29]
    pixels, labels = epoch(train, shuffle=True)
    plain = data.normalise(train.images, train.mean, train.std)
    assert torch.equal(labels.bincount(), train.labels.bincount())
    key = (plain * torch.rand(8, 8, dtype=torch.float64)).sum((1, 2, 3))
    assert not torch.equal(labels, train.labels)
    torch.manual_seed(0)
    assert len(key.unique()) == len(plain.flatten(1).unique(dim=0))
    assert torch.equal(
        pixels.flatten(1).unique(dim=0, return_counts=True)[1],
        plain.flatten(1).unique(dim=0, return_counts=True)[1],
    )


def test_labels_stay_with_their_images():
    train = data.load("digits")
    label_of = {
        row.numpy().tobytes(): int(label)
        for row, label in zip(train.images, train.labels, strict=True)
    }
    scale = torch.tensor(255 * train.std[0])
    for pixels, labels in data.batches(train, 64, shuffle=True):
        back = (pixels * scale + 255 * train.mean[0]).round().to(torch.uint8)
        for image, label in zip(back, labels, strict=True):
            assert label_of[image.numpy().tobytes()] == int(label)


def test_chance_is_a_function_of_seed_epoch_and_step():
    train = data.load("digits", size=16)
    keys = {"shuffle": True, "flip": True, "crop_padding": 2}
    torch.manual_seed(1)
    first = epoch(train, seed=3, epoch=2, **keys)
    torch.manual_seed(2)  # the global generator has no say
    again = epoch(train, seed=3, epoch=2, **keys)
    assert torch.equal(first[0], again[0])
    for seed, at in ((4, 2), (3, 1), (2, 3)):
        assert not torch.equal(first[1], epoch(train, seed=seed, epoch=at, **keys)[1])
    later, labels = epoch(train, seed=3, epoch=2, start=5, **keys)
    assert torch.equal(later, first[0][500:])
    assert torch.equal(labels, first[1][500:])
    assert list(data.batches(train, 100, start=15)) == []


def test_the_numbers_drawn_are_the_same_everywhere():
    """A change here breaks the promise that a seed gives the same run tomorrow."""
    order = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1)
    images = data.Images(order, torch.arange(10), (), "", "train", (0.0,), (1 / 255,))
    _, labels = next(data.batches(images, 10, seed=7, epoch=3, shuffle=True))
    assert labels.tolist() == DRAWN


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_on_the_gpu_are_those_of_the_cpu():
    train = data.load("digits", size=16, channels=3)
    keys = {"seed": 5, "shuffle": True, "flip": True, "crop_padding": 2}
    here = epoch(train, **keys)
    for there in (epoch(train.to("cuda"), **keys), epoch(train, device="cuda", **keys)):
        assert there[0].device.type == there[1].device.type == "cuda"
        assert torch.equal(there[0].cpu(), here[0])
        assert torch.equal(there[1].cpu(), here[1])


DRAWN = [1, 5, 2, 8, 7, 9, 6, 3, 0, 4]


def augment_spec(image, mirrored, top, left, padding):
    """One image (C, H, W), slow and obvious."""
    if mirrored:
        image = image.flip(2)
    channels, height, width = image.shape
    bordered = torch.zeros(channels, height + 2 * padding, width + 2 * padding)
    bordered[:, padding : padding + height, padding : padding + width] = image
    return bordered[:, top : top + height, left : left + width]


@pytest.mark.parametrize("shape", [(40, 3, 5, 7), (40, 1, 4, 4)])
def test_every_augmented_image_is_a_shift_or_a_mirrored_shift(shape):
    images = torch.randint(1, 256, shape, dtype=torch.uint8)
    out = data.augment(
        images, flip=True, crop_padding=2, generator=torch.Generator().manual_seed(0)
    )
    assert out.dtype == torch.uint8
    seen = set()
    for image, augmented in zip(images, out, strict=True):
        draws = [
            (m, y, x)
            for m in (False, True)
            for y in range(5)
            for x in range(5)
            if torch.equal(augment_spec(image, m, y, x, 2), augmented.float())
        ]
        assert len(draws) == 1
        seen.add(draws[0])
    assert {m for m, _, _ in seen} == {False, True}
    assert {y for _, y, _ in seen} == {x for _, _, x in seen} == set(range(5))


def test_switching_flips_off_leaves_the_crops_as_they_were():
    images = torch.randint(1, 256, (64, 3, 8, 8), dtype=torch.uint8)

    def run(**keys):
        generator = torch.Generator().manual_seed(5)
        return data.augment(images, **keys, generator=generator)

    mirrored = (run(flip=True) != images).flatten(1).any(1)
    assert 20 < mirrored.sum() < 44
    cropped = run(crop_padding=3)
    both = torch.where(mirrored[:, None, None, None], cropped.flip(3), cropped)
    assert torch.equal(run(flip=True, crop_padding=3), both)


@pytest.mark.slow
def test_batches_are_fast():
    """One idle core does 140,000 images/s; a fifth is left to a busy machine."""
    images = torch.randint(0, 256, (20_000, 3, 32, 32), dtype=torch.uint8)
    many = data.Images(images, torch.zeros(20_000), (), "", "", (0.5,) * 3, (0.2,) * 3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    begin = time.process_time()
    for _ in data.batches(many, 128, shuffle=True, flip=True, crop_padding=4):
        pass
    torch.set_num_threads(threads)
    assert 20_000 / (time.process_time() - begin) > 28_000


# Images


def test_take():
    train = data.load("digits")
    assert torch.equal(train.take(5).images, train.images[:5])
    picked = train.take(torch.tensor([3, 1]))
    assert torch.equal(picked.labels, train.labels[[3, 1]])
    with pytest.raises(
        data.DataError, match=r"1430 images asked of digits train.*1429"
    ):
        train.take(1430)


NUMBERS = [
    np.int64(5),
    np.uint8(5),
    np.array(5),
    torch.tensor(5),
    torch.tensor(5).byte(),
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: f"{type(n)} {n.dtype}")
def test_take_knows_a_number_of_any_type(number):
    train = data.load("digits")
    taken = train.take(number)
    assert torch.equal(taken.images, train.images[:5])
    assert torch.equal(taken.labels, train.labels[:5])


@pytest.mark.parametrize(
    "places",
    [
        [3, 1, -1],
        (3, 1, -1),
        np.array([3, 1, -1]),
        np.array([3, 1, -1], ">i8"),
        np.array([-1, 1, 3], np.int8)[::-1],
        torch.tensor([3, 1, -1], dtype=torch.int16),
    ],
    ids=repr,
)
def test_take_knows_indices_of_any_type(places):
    train = data.load("digits")
    expected = train.images[[3, 1, len(train) - 1]]
    assert torch.equal(train.take(places).images, expected)


def test_bytes_are_indices_and_no_mask():
    train = data.load("digits").take(4)
    taken = train.take(np.array([0, 1, 1, 0], np.uint8))
    assert torch.equal(taken.labels, train.labels[[0, 1, 1, 0]])
    taken = train.take(np.array([0, 1, 1, 0], bool))
    assert torch.equal(taken.labels, train.labels[[1, 2]])
    assert len(train.take([])) == 0


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (0, "0 images asked of digits train, which has 1429: take 1 to 1429"),
        (np.int64(-1), "-1 images asked"),
        (True, "True asked of digits train: take a number of images"),
        (np.True_, "True_? asked of digits train: take a number"),
        (torch.tensor(True), "asked of digits train: take a number"),
        (2.0, "2.0 asked of digits train: take a number"),
        ("all", "'all' asked"),
        (None, "None asked"),
        (slice(3), "slice.* asked"),
        ([0.5, 1.0], "asked of digits train: take a number"),
        (torch.zeros(2, 2).long(), "asked of digits train: take a number"),
        (
            [0, 1429],
            "image 1429 asked of digits train, which has 1429.*last one is 1428",
        ),
        ([0, -1430], "image -1430 asked"),
        (torch.ones(5).bool(), "a mask of 5 asked of digits train, which has 1429"),
    ],
    ids=repr,
)
def test_take_says_what_it_cannot_take(which, message):
    with pytest.raises(data.DataError, match=message):
        data.load("digits").take(which)


def test_digest_knows_every_pixel_label_and_name():
    val = data.load("digits", "val")
    assert val.digest == data.load("digits", "val").digest
    assert len(val.digest) == 64
    from dataclasses import replace

    pixels, labels = val.images.clone(), val.labels.clone()
    pixels[9, 0, 3, 3] += 1
    labels[9] = (labels[9] + 1) % 10
    changed = [
        replace(val, images=pixels),
        replace(val, labels=labels),
        replace(val, classes=("x", *val.classes[1:])),
        replace(val, images=val.images.view(-1, 1, 4, 16)),
    ]
    assert len({val.digest, *(images.digest for images in changed)}) == 5


# Wrong calls


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("CIFAR-10", {}, r"'CIFAR-10': did you mean 'cifar10'\?"),
        ("zebra", {}, r"'zebra': there are digits, fashion-mnist, cifar10"),
        ("no/such/folder", {}, r"no folder and no file at no/such/folder"),
        ("~no-such-user/flowers", {}, r"no folder and no file at ~no-such-user/flow"),
        ("digits", {"split": "valid"}, r"'valid': take train, val or test"),
        ("digits", {"size": 0}, r"size 0.*1 or more"),
        ("digits", {"size": 16.0}, r"size 16\.0.*1 or more"),
        ("digits", {"size": "16"}, r"size '16'.*1 or more"),
        ("digits", {"size": True}, r"size True.*1 or more"),
        ("digits", {"channels": 2}, r"channels 2.*1 or 3"),
        ("digits", {"channels": True}, r"channels True.*1 or 3"),
    ],
)
def test_wrong_call_says_what_would_be_right(name, keys, message):
    with pytest.raises(data.DataError, match=message):
        data.load(name, **keys)


def test_batch_size_0():
    with pytest.raises(data.DataError, match=r"batch_size is 0"):
        next(data.batches(data.load("digits"), 0))


def test_images_that_were_changed_in_place_are_as_new_when_loaded_again():
    digits = data.load("digits", "test")
    before = digits.images.clone(), digits.labels.clone()
    digits.images.zero_(), digits.labels.zero_()
    again = data.load("digits", "test")
    assert torch.equal(again.images, before[0])
    assert torch.equal(again.labels, before[1])
