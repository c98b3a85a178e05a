"""A folder as shards: no image lost or changed, the same stream always, flat memory."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections import Counter

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch import nn

from course_lib import data, train
from course_lib.data import stream
from course_lib.data.batching import normalise
from course_lib.data.download import DataError

SIZES = [(40, 30), (30, 40), (36, 36), (64, 33)]


def photo(number: int, size=None) -> Image.Image:
    """A picture of its own: a slope of its own colour."""
    width, height = size or SIZES[number % len(SIZES)]
    chance = np.random.default_rng(number)
    slope = np.linspace(0, 1, width)[None, :, None] * np.ones((height, 1, 1))
    pixels = slope * chance.integers(80, 255, 3) + chance.integers(0, 20)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes, 30 photos each, of the kinds that a camera or a web site leaves."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(60):
        place = folder / ("cat" if number < 30 else "dog")
        place.mkdir(exist_ok=True)
        image, name = photo(number), f"{number:03}.v2.JPG"
        if number == 4:
            image, name = image.convert("RGBA"), "clear.png"
            image.putalpha(128)
        if number == 5:
            image, name = image.convert("L"), "grey.jpeg"
        if number == 6:
            exif = Image.Exif()
            exif[0x0112] = 6
            image.save(place / "on its side.jpg", exif=exif)
            continue
        image.save(place / name)
    return folder


@pytest.fixture(scope="module")
def shards(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("shards") / "out"
    data.write_shards(folder, out, images=16, workers=1)
    return out


def contents(out, split: str) -> dict[bytes, int]:
    """Return the label of each encoded image of a split."""
    found = {}
    for file in sorted(out.glob(f"{split}-*.tar")):
        with tarfile.open(file) as tar:
            parts = {m.name: tar.extractfile(m).read() for m in tar}
        for name, content in parts.items():
            if not name.endswith(".cls"):
                found[content] = int(parts[name.split(".")[0] + ".cls"])
    return found


def test_every_image_is_there_as_it_was_in_the_split_that_load_gives_it(folder, shards):
    everything = {}
    for split in ("train", "val", "test"):
        found = contents(shards, split)
        assert len(found) == len(data.load(folder, split, size=8))
        assert Counter(found.values()) == Counter(
            data.load(folder, split, size=8).labels.tolist()
        )
        everything |= found
    files = {p.read_bytes(): p.parent.name for p in folder.rglob("*") if p.is_file()}
    classes = data.load(shards, "train", size=8).classes
    assert {c: classes[label] for c, label in everything.items()} == files


def test_webdataset_reads_them(shards):
    import webdataset

    files = sorted(map(str, shards.glob("val-*.tar")))
    found = webdataset.WebDataset(files, shardshuffle=False).decode("pil")
    labels = [(sample["cls"], sample["jpg"].mode) for sample in found]
    assert sorted(labels) == [(0, "RGB")] * 3 + [(1, "RGB")] * 3


def test_for_evaluation_the_centre_is_taken_upright_and_on_white(folder, shards):
    """Against the folder's own reader, which decodes whole images."""
    whole = {}
    for file in (p for p in folder.rglob("*") if p.is_file()):
        image = Image.fromarray(stream.decode_file(file, None))
        width, height = image.size
        side = stream.CENTRE * min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = left, top, left + side, top + side
        small = image.resize((20, 20), Image.Resampling.BILINEAR, box=box)
        whole[file.read_bytes()] = np.asarray(small).astype(int)
    split = data.load(shards, "train", size=20)
    ours = split.take(len(split)).images.permute(0, 2, 3, 1).numpy()
    for content, pixels in zip(contents(shards, "train"), ours, strict=True):
        assert abs(whole[content] - pixels).max() <= 3


def test_a_large_jpeg_is_decoded_small_and_looks_the_same():
    image = photo(1, (1200, 900))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    ours = stream.cropped(stream.Encoded(file.getvalue(), "x"), None, 32).astype(int)
    side = stream.CENTRE * 900
    box = (1200 - side) / 2, (900 - side) / 2, (1200 + side) / 2, (900 + side) / 2
    exact = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR, box=box))
    assert abs(ours - exact).max() <= 4


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_is_decoded_as_pillow_decodes_it(mode, options):
    """Also with bytes that do not belong there, of which Pillow takes no notice."""
    file = io.BytesIO()
    photo(2, (130, 70)).convert(mode).save(file, "JPEG", **options)
    for content in (file.getvalue(), file.getvalue()[:-2] + b"odd" + b"\xff\xd9"):
        encoded = stream.Encoded(content, "x")
        ours, width, height = stream.decoded(encoded, None, 64)
        pillow = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        assert (width, height) == (130, 70)
        assert np.array_equal(ours, pillow)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
def test_of_the_smallest_images_every_part_holds_a_pixel(size):
    file = io.BytesIO()
    photo(3, size).save(file, "JPEG")
    for end in (0.0, 0.5, 0.999):
        encoded = stream.Encoded(file.getvalue(), "x")
        assert stream.cropped(encoded, [0.0, end, end, end], 4).shape == (4, 4, 3)


def test_a_batch_is_its_crops_mirrored_and_normalised(shards):
    """In the threads that decode, with the same result as the whole batch at once."""
    split = data.load(shards, "train", size=16)
    plain, _ = next(split.batches(8, crop_padding=1))
    turned, _ = next(split.batches(8, crop_padding=1, flip=True))
    alike = [torch.equal(a, b) for a, b in zip(plain, turned, strict=True)]
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(plain, turned, strict=True)]
    assert all(a or b for a, b in zip(alike, mirrored, strict=True))
    assert 0 < sum(alike) < 8  # some are turned, some are not
    first = split.take(8).images
    (batch, _), *_ = split.batches(8)
    assert torch.equal(batch, normalise(first, split.mean, split.std))


def epoch(split, **options):
    return list(split.batches(7, seed=3, shuffle=True, **options))


def test_an_epoch_is_a_function_of_its_seed_and_can_be_entered_anywhere(shards):
    split = data.load(shards, "train", size=12)
    chance = {"flip": True, "crop_padding": 1, "cutout": 3}
    whole = epoch(split, epoch=1, **chance)
    assert sum(len(labels) for _, labels in whole) == len(split) == 48
    for start in (0, 3, 6):
        for (a, b), (c, d) in zip(
            whole[start:], epoch(split, epoch=1, start=start, **chance), strict=True
        ):
            assert torch.equal(a, c)
            assert torch.equal(b, d)
    other = torch.cat([images for images, _ in epoch(split, epoch=2, **chance)])
    assert not torch.equal(torch.cat([images for images, _ in whole]), other)


def test_shares_of_a_batch_are_the_batch(shards):
    split = data.load(shards, "train", size=12)
    chance = {"epoch": 0, "flip": True, "crop_padding": 1}
    whole = epoch(split, **chance)
    shares = [epoch(split, share=(r, 3), **chance) for r in range(3)]
    for (images, labels), *parts in zip(whole, *shares, strict=True):
        for r, (some, theirs) in enumerate(parts):
            assert torch.equal(some, images[r::3])
            assert torch.equal(theirs, labels[r::3])


def test_each_image_comes_once_an_epoch(shards):
    split = data.load(shards, "train", size=4)
    plain = torch.cat([images for images, _ in split.batches(5)])
    mixed = torch.cat([images for images, _ in split.batches(5, shuffle=True)])
    assert not torch.equal(plain, mixed)
    assert sorted(map(tuple, plain.flatten(1).tolist())) == sorted(
        map(tuple, mixed.flatten(1).tolist())
    )


def test_training_on_them_is_the_same_when_it_was_stopped(shards, tmp_path):
    split, val = (data.load(shards, part, size=8) for part in ("train", "val"))
    recipe = train.Recipe(epochs=3, batch_size=16, learning_rate=0.01, flip=True)

    def trained(checkpoint=None, until=None):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
        options = {"checkpoint": checkpoint, "until": until, "quiet": True}
        history = train.fit(net, split, val, recipe, **options)
        return history, net[1].weight.detach()

    whole, weights = trained()
    trained(tmp_path / "run.pt", lambda one: one.epoch == 1)
    again, same = trained(tmp_path / "run.pt")
    assert torch.equal(weights, same)
    assert again.column("val_top1") == whole.column("val_top1")


@pytest.fixture
def broken(folder, tmp_path):
    """A copy with two images cut off, and the shards' place."""
    copy = shutil.copytree(folder, tmp_path / "photos")
    for name in ("cat/010.v2.JPG", "dog/040.v2.JPG"):
        (copy / name).write_bytes((copy / name).read_bytes()[:-200])
    return copy, tmp_path / "out"


def test_broken_images_are_named_and_left_out_up_to_a_limit(broken):
    copy, out = broken
    with pytest.raises(DataError, match=r"broken, 1 may be: .*0.v2.JPG cannot be read"):
        data.write_shards(copy, out, images=16, skip=1, workers=1)
    kept = {file: file.stat().st_mtime_ns for file in out.glob("*.tar")}
    assert kept, "what was written stays"
    made = data.write_shards(copy, out, images=16, skip=2, workers=1)
    assert all(file.stat().st_mtime_ns == when for file, when in kept.items())
    named = [file for shard in made for file, _ in shard.skipped]
    assert sorted(file[-14:] for file in named) == ["cat/010.v2.JPG", "dog/040.v2.JPG"]
    assert sum(shard.images for shard in made) == 58
    assert sorted(p.suffix for p in out.iterdir()) == [".json", *[".tar"] * len(made)]


def test_a_changed_shard_is_found_and_made_again_alone(folder, tmp_path):
    out = tmp_path / "out"
    made = data.write_shards(folder, out, images=16, workers=1)
    before = {shard.file: (out / shard.file).read_bytes() for shard in made}
    spoiled = out / made[1].file
    spoiled.write_bytes(before[spoiled.name][:-1] + b"x")
    with pytest.raises(DataError, match=f"{spoiled.name} in .* differ from index.json"):
        data.verify_shards(out)
    spoiled.unlink()
    with pytest.raises(DataError, match=f"{spoiled.name} is missing"):
        data.load(out, "train", size=8)
    data.write_shards(folder, out, images=16, workers=1)
    assert data.verify_shards(out) == made
    assert {p.name: p.read_bytes() for p in out.glob("*.tar")} == before


def test_what_is_broken_later_is_left_out_of_the_stream_up_to_a_limit(
    shards, tmp_path, monkeypatch
):
    out = shutil.copytree(shards, tmp_path / "out")
    file = out / "train-000000.tar"
    content = file.read_bytes()
    with tarfile.open(file) as tar:
        first = next(m for m in tar if m.name.endswith(".jpg"))
    start, end = first.offset_data, first.offset_data + first.size
    file.write_bytes(content[:start] + bytes(first.size) + content[end:])
    split = data.load(out, "train", size=8)
    with pytest.warns(UserWarning, match=r"left out: .*train-000000.tar, image 0000"):
        assert sum(len(labels) for _, labels in split.batches(16)) == 47
    monkeypatch.setattr(stream, "LEFT_OUT", 0)
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(DataError, match="make these shards again"),
    ):
        list(split.batches(16))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": None}, "is not the index of shards"),
        ({"shards": [{"file": "x"}]}, "is not the index of shards"),
        ({"classes": 3}, "is not the index of shards"),
    ],
)
def test_a_damaged_index_is_said(shards, tmp_path, change, words):
    (tmp_path / "out").mkdir()
    facts = json.loads((shards / "index.json").read_text())
    (tmp_path / "out" / "index.json").write_text(json.dumps(facts | change))
    with pytest.raises(DataError, match=words):
        data.load(tmp_path / "out", "train", size=8)


def test_bad_places_and_sizes_are_said(folder, shards, tmp_path):
    with pytest.raises(DataError, match="pass size="):
        data.load(shards, "train")
    with pytest.raises(DataError, match="colour photos"):
        data.load(shards, "train", size=8, channels=1)
    with pytest.raises(DataError, match="lies in"):
        data.write_shards(folder, folder / "cat" / "out")
    (tmp_path / "mine.txt").touch()
    with pytest.raises(DataError, match="holds other files"):
        data.write_shards(folder, tmp_path)
    with pytest.raises(DataError, match="0 images a shard"):
        data.write_shards(folder, tmp_path / "out", images=0)
    split = data.load(shards, "train", size=8)
    with pytest.raises(DataError, match="49 images asked"):
        split.take(49)
    with pytest.raises(DataError, match="batch_size is 0"):
        next(split.batches(0))


def test_the_command_makes_and_verifies(folder, tmp_path, run_course):
    out = str(tmp_path / "out")
    done = run_course("shards", str(folder), out, "--images", "40", "--workers", "1")
    assert "60 images in 4 shards" in done.stdout, done
    assert "as they were written" in run_course("shards", out, "--verify").stdout
    assert run_course("shards", out).returncode == 2
    (tmp_path / "out" / "val-000000.tar").write_bytes(b"")
    done = run_course("shards", out, "--verify")
    assert done.returncode == 1
    assert "val-000000.tar" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "count", [20_000, pytest.param(1_000_000, marks=pytest.mark.thorough)]
)
def test_memory_is_flat_over_a_long_stream(shards, tmp_path, count):
    """One shard under many names: as many images as it takes, little to write."""
    facts = json.loads((shards / "index.json").read_text())
    (row,) = [r for r in facts["shards"] if r["file"] == "train-000000.tar"]
    rows = []
    for number in range(count // row["images"]):
        name = f"train-{number:06}.tar"
        (tmp_path / name).symlink_to(shards / row["file"])
        rows.append(row | {"file": name})
    (tmp_path / "index.json").write_text(json.dumps(facts | {"shards": rows}))
    split, me, seen = data.load(tmp_path, "train", size=8), psutil.Process(), []
    for images, _ in split.batches(500, shuffle=True, crop_padding=1):
        assert images.shape[1:] == (3, 8, 8)
        seen.append(me.memory_info().rss)
    assert len(seen) == -(-len(split) // 500)
    assert max(seen) - seen[len(seen) // 10] < 20e6, "memory grows with the stream"
