# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · ImageNet
#
# One data set of 1.28 million photos has measured networks since 2012: know its files, its transforms, its score and its faults.
#
# | | |
# |---|---|
# | papers | Deng et al. 2009 [1]; Russakovsky et al., *ILSVRC* (ImageNet Large Scale Visual Recognition Challenge) [2] |
# | years | 2009; the challenge ran from 2010 to 2017 |
# | images | 1,281,167 for training, 50,000 for validation, 100,000 for testing |
# | classes | 1,000, each a node of WordNet |
# | score | top-5 error, later top-1 |
# | time here | 1 minute on two CPU cores |
#
# **You need** Python and a little PyTorch; no network is built here.
#
# **You will be able to** read ImageNet in its real layouts, and prepare images for training and evaluation. You will score a real network with one and ten crops, and say what a loader must sustain.

# %% tags=["check"]
import tempfile
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torchvision
from matplotlib_inline.backend_inline import set_matplotlib_formats
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.transforms import v2

from course_lib import data, page, plot, results

set_matplotlib_formats("jpeg", pil_kwargs={"quality": 72, "optimize": True})  # photos

# %% [markdown]
# ## Where we stand
#
# In 2010 the best program named the right class among its first five guesses for 72 of 100 photos. This is the top-5 error since, in percent.

# %% jupyter={"source_hidden": true} tags=["thumbnail"]
CHALLENGE = {  # winners of the classification task: error on the test images
    2010: ("SIFT, LBP", 28.2), 2011: ("SIFT + FV", 25.8), 2012: ("AlexNet", 16.4), 2013: ("Clarifai", 11.7),
    2014: ("GoogLeNet", 6.7), 2015: ("ResNet", 3.6), 2016: ("an ensemble", 3.0), 2017: ("SENet", 2.3),
}  # fmt: skip
SINCE = {  # one network, one crop: error on the validation images
    2018: ("ResNeXt, Instagram", 2.4), 2019: ("FixRes", 2.0), 2020: ("Noisy Student", 1.3), 2021: ("Meta Pseudo Labels", 1.2),
}  # fmt: skip
figure, ax = plt.subplots(figsize=(6.4, 3))
for points, style in ((CHALLENGE, "C0o-"), (SINCE, "C1s-")):
    ax.plot(list(points), [error for _, error in points.values()], style)
    for year, (name, error) in points.items():
        ax.annotate(name, (year, error), (3, 5), textcoords="offset points", fontsize=7, rotation=30)
ax.axhline(5.1, color="0.5", ls="--", lw=1)
ax.text(2010, 5.6, "a trained person: 5.1", color="0.4", fontsize=7)
ax.set(xlabel="year", ylabel="top-5 error (%)", ylim=(0, 34), xlim=(2009.5, 2022.9))
plt.show()

# %% [markdown]
# The circles are winners of the challenge, on its test images, without other training data [2]. The squares came after it: single networks on the validation
# images, all trained with more data than ImageNet [3–6]. So the two lines are not one experiment. Nor is the first: 2010 and 2011 had other images and, in part, other classes. SIFT and LBP (local binary patterns) are descriptors; FV are Fisher vectors (unit 03). The person is one of the authors, who trained on 500 images first [2].
#
# ## Idea
#
# WordNet is a dictionary as a graph: a *synset* is a set of words with one meaning and an identifier, its *wnid*, such as n03877845. Edges lead from a general synset to more special ones, its children. ImageNet gives synsets photos. The challenge
# took 1,000 of them; none is an ancestor of another. People were asked "does this photo show a palace?", so the label says what *is* there. It does not say what else is there.
#
# That is one reason for the **top-5 error**. A photo of a dog on a sofa has one label and two right answers. A network may give five guesses, and it is right if the label is among them:
#
# $$\text{top-}k\text{ error} = \frac{1}{N}\sum_{n=1}^{N} \big[\, y_n \notin \text{the } k \text{ largest entries of } z_n \,\big]$$
#
# Here $z_n \in \mathbb{R}^{1000}$ are the logits of image $n$, and $y_n$ its label.

# %% tags=["export"]
import math
from pathlib import Path

import torch

COUNTS = {"train": 1_281_167, "val": 50_000, "test": 100_000}
TRAIN_BYTES = 147_897_477_120  # of the archive of training images

# %% tags=["check"]
print(f"{COUNTS['train'] / 1000:,.0f} training images a class on average, {TRAIN_BYTES / COUNTS['train'] / 1e3:.0f} kB each")
names = torchvision.models.ResNet50_Weights.IMAGENET1K_V2.meta["categories"]
assert len(set(names)) == 1000
for one, other in ((134, 517), (638, 639), (836, 837), (620, 681), (657, 744)):
    print(f"classes {one} and {other}: {names[one]}, {names[other]}")

# %% [markdown]
# A crane is a bird and a machine, so the first two are different things. The classes of the other pairs hardly differ: both maillots are swimsuits, and a notebook is a laptop. No class is an ancestor of another,
# and yet some photos fit two classes [9].
#
# ## Implementation: three layouts
#
# The training images come as one folder for each synset, named by its wnid. The validation images come as one flat folder; their classes are in the *devkit*, a second archive. We write a small ImageNet of that
# shape, from tiles of two photos, to read it back.

# %% tags=["check"]
folder = Path(tempfile.mkdtemp()) / "imagenet"
WNIDS = {"n03877845": "palace", "n11939491": "daisy"}
tiles = [photo[top : top + 140, left : left + 160]
         for photo in load_sample_images().images for top in (0, 140, 280) for left in (0, 160, 320, 480)]  # fmt: skip
for number, tile in enumerate(tiles):
    wnid = list(WNIDS)[number // 12]
    place = f"train/{wnid}/{wnid}_{number}" if number % 4 else f"val/ILSVRC2012_val_{number // 4 + 1:08}"
    path = folder / f"{place}.JPEG"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(tile).save(path, quality=95)
for path in sorted(folder.rglob("*.JPEG"))[::6]:
    print(path.relative_to(folder))

# %% [markdown]
# **Folders.** The class is the folder's name; its number is its place in the sorted names.

# %% tags=["export"]
def read_folders(split: Path) -> tuple[list[Path], list[int], list[str]]:
    """Return the files of `split/CLASS/`, a label for each, and the sorted class names."""
    classes = sorted(path.name for path in split.iterdir() if path.is_dir())
    if not classes:
        raise ValueError(f"{split} holds no class folders: expected {split}/n01440764/*.JPEG")
    files, labels = [], []
    for label, name in enumerate(classes):
        found = sorted((split / name).glob("*.JPEG"))
        files += found
        labels += [label] * len(found)
    return files, labels, classes


# %% tags=["check"]
files, labels, classes = read_folders(folder / "train")
theirs = torchvision.datasets.ImageFolder(folder / "train")
assert classes == theirs.classes
assert [(str(file), label) for file, label in zip(files, labels, strict=True)] == theirs.samples
print(f"{len(files)} files, classes {classes}: as torchvision's ImageFolder reads them.")

# %% [markdown]
# **The devkit** has two files. `meta.mat` is a MATLAB table: the challenge's own number of each synset, its wnid, its words, its children. The first 1,000 have no children: they are the classes. The
# text file has one line for each validation image: the challenge's number. That number is *not* the label of the sorted folders, which is a classic mistake.

# %% tags=["export"]
def read_devkit(devkit: Path) -> tuple[list[str], dict[str, str]]:
    """Return the wnid of each validation image, in order, and the words of each wnid."""
    from scipy.io import loadmat

    rows = loadmat(devkit / "data/meta.mat", squeeze_me=True)["synsets"]
    leaves = [row for row in rows if row["num_children"] == 0]
    wnid = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in leaves}
    words = {str(row["WNID"]): str(row["words"]) for row in leaves}
    text = (devkit / "data/ILSVRC2012_validation_ground_truth.txt").read_text()
    unknown = {int(line) for line in text.split()} - set(wnid)
    if unknown:
        raise ValueError(f"{devkit}: validation numbers without a class in meta.mat: {sorted(unknown)[:5]}")
    return [wnid[int(line)] for line in text.split()], words


# %% tags=["check"]
from scipy.io import savemat

fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O")]
synsets = [(2, "n03877845", "palace", 0), (1, "n11939491", "daisy", 0), (3, "n00001740", "entity", 2)]
devkit = folder / "ILSVRC2012_devkit_t12"
(devkit / "data").mkdir(parents=True)
savemat(devkit / "data/meta.mat", {"synsets": np.array(synsets, dtype=fields)})
(devkit / "data/ILSVRC2012_validation_ground_truth.txt").write_text("2\n2\n2\n1\n1\n1\n")

val_wnids, words = read_devkit(devkit)
val_labels = [classes.index(wnid) for wnid in val_wnids]
print(f"challenge numbers 2 2 2 1 1 1 → {[words[wnid] for wnid in val_wnids]} → labels {val_labels}")
assert val_labels == [0, 0, 0, 1, 1, 1]

# %% [markdown]
# **Shards.** A million small files are slow to open, and slower over a network. So large data sets are packed into *shards*: archives of about 100 MB that are read from start to end. Images
# are shuffled by taking shards in random order and mixing within a buffer. `course shards` writes them, and `data.load` reads them like any other data set.

# %% tags=["check"]
written = data.write_shards(folder / "train", folder / "shards", images=5, workers=1)
shards = data.load(folder / "shards", "train", size=64)
print(f"{len(files)} files in {len(written)} shards; {len(shards)} of them train, the others were cut off for validation")
batch, batch_labels = next(data.batches(shards, 4))
print(f"a batch: {tuple(batch.shape)}, labels {batch_labels.tolist()}")
assert len(shards) <= len(files)

# %% [markdown]
# ## Transforms
#
# Photos have many sizes, but a network has one input size, for example 224×224 pixels. **Training** cuts a random part: an area of 8 to 100 % of the photo and a shape between 3:4 and 4:3, which is then resized. GoogLeNet's paper
# brought this in, and most recipes have it. The logarithm of the aspect ratio is drawn uniformly, as in torchvision, so that 3:4 and 4:3 are equally likely.

# %% tags=["export"]
def random_part(height: int, width: int, area=(0.08, 1.0), shape=(3 / 4, 4 / 3)) -> tuple[int, ...]:
    """Return top, left, rows, columns of a random part; ten tries, then the centre."""
    low, high = math.log(shape[0]), math.log(shape[1])
    for _ in range(10):
        pixels = height * width * torch.empty(1).uniform_(*area).item()
        ratio = math.exp(torch.empty(1).uniform_(low, high).item())
        columns, rows = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < columns <= width and 0 < rows <= height:
            top = torch.randint(0, height - rows + 1, (1,)).item()
            left = torch.randint(0, width - columns + 1, (1,)).item()
            return top, left, rows, columns
    rows = min(height, round(width / shape[0]))
    columns = min(width, round(height * shape[1]))
    return (height - rows) // 2, (width - columns) // 2, rows, columns


# %% tags=["check"]
china = torch.from_numpy(load_sample_images().images[0].copy()).permute(2, 0, 1)  # (3, 427, 640)
for seed in range(1000):
    torch.manual_seed(seed)
    ours = random_part(427, 640)
    torch.manual_seed(seed)
    theirs = torchvision.transforms.RandomResizedCrop.get_params(china, (0.08, 1.0), (3 / 4, 4 / 3))
    assert ours == tuple(theirs), (seed, ours, theirs)
print("1,000 seeds: the same parts as torchvision's RandomResizedCrop.")

# %% [markdown]
# Move the seed: eight parts of one photo, each with what the network sees of it.

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
def draw_parts(seed: int) -> None:
    torch.manual_seed(seed)
    figure, axes = plt.subplots(2, 5, figsize=(6.4, 2.6), width_ratios=(2.2, 1, 1, 1, 1))
    large = axes[0, 0].get_gridspec()
    for ax in axes[:, 0]:
        ax.remove()
    whole = figure.add_subplot(large[:, 0])
    plot.images(whole, china[None])
    for number, ax in enumerate(axes[:, 1:].flat):
        top, left, rows, columns = random_part(*china.shape[1:])
        whole.add_patch(plt.Rectangle((left, top), columns, rows, fill=False, ec=f"C{number}"))
        seen = v2.functional.resized_crop(china, top, left, rows, columns, [112, 112], antialias=True)
        plot.images(ax, seen[None])
        ax.set_title(f"{rows}×{columns}", fontsize=6, color=f"C{number}")


draw_parts(0)
plt.show()
plot.slider(draw_parts, "seed", (0, 14), frames=4)

# %% [markdown]
# What share of the photo does training see? And does the label survive? A part of 8 % of this photo may be sky.
#
# **Evaluation** is not random. The shorter side is resized to 256, and the centre of 224×224 is cut out. **Ten crops** are the four corners, the centre, and their mirrors; the network's *probabilities* for
# the ten are averaged (AlexNet's paper [7], section 4.1). A last step shifts and scales each channel, by the mean and standard deviation of the training images or to [−1, 1].

# %% jupyter={"source_hidden": true} tags=["check"]
torch.manual_seed(0)
seen = []
for _ in range(10_000):
    _, _, rows, columns = random_part(427, 640)
    seen.append(rows * columns / (427 * 640))
low, middle, high = np.quantile(seen, [0.05, 0.5, 0.95])
resized = v2.functional.resize(china, [256], antialias=True)
centre = v2.functional.center_crop(resized, [224, 224])
kept = 224**2 / (resized.shape[1] * resized.shape[2])
figure, axes = plt.subplots(1, 3, figsize=(6.4, 1.8))
for ax, picture, title in zip(axes, (china, resized, centre), ("the photo", "shorter side 256", "centre 224×224"), strict=True):
    plot.images(ax, picture[None])
    ax.set_title(f"{title}\n{picture.shape[1]}×{picture.shape[2]}", fontsize=8)
plt.show()
print(f"training sees {low:.0%} to {high:.0%} of the photo in 90 of 100 draws, {middle:.0%} in the median draw")
print(f"evaluation sees {kept:.0%} of this photo, always the same")

# %% [markdown]
# So objects usually look larger in training than at evaluation. FixRes [4] measured this shift: it evaluates at a larger size than it trains.
#
# ## Measured: one crop, ten crops, five guesses
#
# A real network, EfficientNet-Lite0 with published weights (unit 12), names photos of ten classes among all thousand. The photos are squares of 160 pixels from a copy of Imagenette, enlarged to 256. `python experiments/crops.py` wrote
# the five likeliest classes of each image, from one crop and from ten.
#
# First a trap. Imagenette divides ImageNet's photos anew, so most of its test images are *training* images of ImageNet. This network has seen them! The file names tell which: only `ILSVRC2012_val_…` are
# images that ImageNet has for validation. We keep the two groups apart.

# %% tags=["check"]
import csv


def fives(row: dict, way: str) -> list[int]:
    return [int(name) for name in row[way].split()]


with open(results.RESULTS / "01_imagenet-crops.csv", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
truth = torch.tensor([int(row["label"]) for row in rows])
seen = torch.tensor(["ILSVRC2012_val_" not in row["file"] for row in rows])
hits = {way: torch.tensor([fives(row, way) for row in rows]) == truth[:, None] for way in ("one", "ten", "ten_logits")}
for name, group in (("seen in training", seen), ("not seen", ~seen)):
    print(f"{name}: {group.sum()} images")
    for way, right in hits.items():
        top1, top5 = right[group, 0].float().mean(), right[group].any(dim=1).float().mean()
        print(f"  {way:10} top-1 {top1:.1%}, top-5 {top5:.1%}")
one, ten = hits["one"][:, 0], hits["ten"][:, 0]
won, lost = (ten & ~one).sum().item(), (one & ~ten).sum().item()
half = 1.96 * math.sqrt(won + lost - (won - lost) ** 2 / len(rows))
print(f"all: ten crops set {won} first guesses right and {lost} wrong, {100 * (won - lost) / len(rows):+.1f} ± {100 * half / len(rows):.1f} points")

# %% [markdown]
# On the 775 images that training saw, ten crops set 28 first guesses right and 7 wrong. On the 109 others it was 3 and 2: too few to tell. Together top-1 rises by 2.5 ± 1.4 points, with a 95 % interval over the sample of
# images, for one network. The two groups cannot be compared with each other: they have other shares of each class. Whether probabilities or logits are averaged changed six first results of 884. But
# the two are not the same function, so a comparison has to say which it used.
#
# Which mistakes does top-5 forgive? These are the first guesses that are wrong while the label is among the five.

# %% tags=["check"]
found = torch.tensor([fives(row, "ten") for row in rows])
right = found == truth[:, None]
forgiven = ~right[:, 0] & right.any(dim=1)
pairs = Counter(zip(truth[forgiven].tolist(), found[forgiven, 0].tolist(), strict=True))
print(f"{(~right[:, 0]).sum()} first guesses are wrong; for {forgiven.sum()} of them the label is among the five")
page.table(["label", "first guess", "images"], [(names[label], names[guess], count) for (label, guess), count in pairs.most_common(8)])

# %% [markdown]
# Of 245 wrong first guesses 175 are forgiven. Look at the pairs. A church may be a monastery, and inside one there is an altar; a cassette player and a tape player are nearly the same machine. Springers and setters differ, but only to a person who knows
# dogs: 118 of the thousand classes are breeds. So the pairs suggest two things that top-5 forgives: a label that is one of several right ones, and a fine distinction that was missed.

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
here = {row.name for row in data.available() if row.path}
if "imagenette" not in here:
    print("To see the photos: `course data imagenette` says how to have them.")
else:
    photos = data.load("imagenette", "test", size=160)
    shown = [pair for pair, _ in pairs.most_common(5)]
    figure, axes = plt.subplots(1, 5, figsize=(6.4, 1.7))
    for ax, (label, guess) in zip(axes, shown, strict=True):
        place = next(n for n in range(len(photos)) if forgiven[n] and (truth[n], found[n, 0]) == (label, guess))
        plot.images(ax, photos.images[place][None])
        ax.set_title(f"{names[label]}\nsaid {names[guess]}", fontsize=6)
    plt.show()

# %% [markdown]
# ## What a loader must sustain
#
# A training step costs about three forward passes: one forward, two for the gradients of inputs and weights. A processor of $F$ FLOP/s that reaches a share $u$ of it trains
#
# $$R = \frac{u\,F}{3 \cdot 2 \cdot \text{MACs}} \quad\text{images/s}$$
#
# and the loader must decode as many. A MAC is one multiplication and one addition, so 2 FLOPs. A data-sheet figure for one GPU of 2020 is $F$ = 312 · 10¹² (A100, 16 bits). With $u$ = 0.3:

# %% tags=["check"]
def needed(macs: float, flops_per_second: float = 312e12, share: float = 0.3) -> float:
    """Return the images/s that a processor trains on."""
    return share * flops_per_second / (3 * 2 * macs)


need = {"ResNet-50": needed(4_089_184_256), "MobileNetV2": needed(300_774_272)}
for name, rate in need.items():
    print(f"{name}: {rate:,.0f} images/s")

# %% [markdown]
# Depthwise convolutions reach a smaller share (unit 10), so the number of MobileNetV2 is an upper bound.
#
# And what do these cores decode? The two sample photos have 640×427 pixels; they are saved again as JPEG of quality 90. Four ways: Pillow; Pillow told that 192 pixels are enough, so that it decodes at half
# the size; torchvision; OpenCV, where it is installed. Each resizes to 192×192.

# %% tags=["nbval-ignore-output"]
import io
import os
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter

from torchvision.io import ImageReadMode, decode_jpeg

SIDE = 192  # pixels: the photos are at least twice as large


def as_jpeg(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "jpeg", quality=90)
    return file.getvalue()


def pillow(encoded: bytes, least: int | None = None):
    image = Image.open(io.BytesIO(encoded))
    if least:
        image.draft("RGB", (least, least))
    return image.convert("RGB").resize((SIDE, SIDE))


def torch_jpeg(encoded: bytes):
    pixels = decode_jpeg(torch.frombuffer(bytearray(encoded), dtype=torch.uint8), ImageReadMode.RGB)
    return v2.functional.resize(pixels, [SIDE, SIDE], antialias=True)


# %% tags=["nbval-ignore-output"]
READERS = {"Pillow": pillow, "Pillow, half size": lambda encoded: pillow(encoded, SIDE), "torchvision": torch_jpeg}
if find_spec("cv2"):
    cv2 = import_module("cv2")
    READERS["OpenCV"] = lambda encoded: cv2.resize(cv2.imdecode(np.frombuffer(encoded, np.uint8), 1), (SIDE, SIDE))

# %% tags=["nbval-ignore-output"]
def rate(read, workers: int, count: int = 64) -> float:
    """Return the images/s that so many threads decode and resize: the best of three."""
    with ThreadPoolExecutor(workers) as pool:
        seconds = []
        list(pool.map(read, encoded))  # starts the threads
        for _ in range(3):
            start = perf_counter()
            list(pool.map(read, (encoded[n % 2] for n in range(count))))
            seconds.append(perf_counter() - start)
    return count / min(seconds)


encoded = [as_jpeg(photo) for photo in load_sample_images().images]
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
workers = sorted({1, 2, min(4, cores), cores})
rates = {name: [rate(read, number) for number in workers] for name, read in READERS.items()}
for name, found_rates in rates.items():
    print(f"{name:18}" + "".join(f"{number:3} workers {value:6,.0f}/s" for number, value in zip(workers, found_rates, strict=True)))

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(6.4, 2.6))
ends = []
for number, (name, found_rates) in enumerate(rates.items()):
    ax.plot(workers, found_rates, "o-")
    ends.append((workers[-1], found_rates[-1], name, f"C{number}"))
ax.axhline(need["ResNet-50"], color="0.5", ls="--", lw=1)
ax.text(workers[0], 1.05 * need["ResNet-50"], "what one GPU wants for ResNet-50", color="0.4", fontsize=7)
plot.name_ends(ax, ends)
ax.set(xlabel="workers", ylabel="images/s", yscale="log", ylim=(None, 2 * need["ResNet-50"]), xticks=workers)
plt.show()

# %% [markdown]
# A GPU wants about ten times as many, or more. This machine has two cores, so no more than two workers were tried. Other programs ran beside the measurement, and a second worker did not make every reader faster. Half size helps, because a JPEG can be decoded at half its size by skipping work. What remains is
# to do the work once: store smaller images, or keep decoded ones in memory, as `course_lib.data` does for what fits.
#
# ## Take-aways
#
# 1. Since 2012 the challenge has 1,281,167 training images in 1,000 classes; from 2010 to 2017 the winners' top-5 error fell from 28.2 to 2.3 %.
# 2. The devkit's class numbers are not the labels of sorted folders. If the two are mixed up, a perfect network scores about 0.1 %, as by chance.
# 3. Training sees a random part, in the median 38 % of the photo; evaluation always sees the centre.
# 4. Ten crops gained 2.5 ± 1.4 points of top-1 here, for ten times the work. Most of these images had been in the network's training: file names tell.
# 5. Top-5 forgave 175 of 245 wrong first guesses: *monastery* for *church* was the most frequent, on 30 images.
#
# ## Before and after
#
# Before ImageNet, image classification was measured on Caltech-101 (9,144 photos, 2004) and PASCAL VOC (20 classes). The challenge had over 100 times as many photos as Caltech-101, and kept its test labels secret from 2011 on. After 2017 the score was nearly
# exhausted, and the data set itself was studied. ImageNetV2 (2019) collected new test images by the same protocol. Accuracies fell by 11 to 14 points, and the order of the networks stayed nearly the same [8]. "Are we done with ImageNet?" (2020)
# labelled the validation images again, with all right answers [9].
#
# ## Questions
#
# **1.** ImageNet's training archive has 147.9 GB. A disk reads 500 MB/s. How many images/s is that at most?
# <details><summary>Answer</summary>
# 147,897,477,120 / 1,281,167 = 115,440 bytes an image; 500,000,000 / 115,440 = 4,331 images/s.
# </details>
#
# **2.** What is the top-5 error of a network that always names the same five classes, on a test set with equally many images a class?
# <details><summary>Answer</summary>
# 995 of the 1,000 classes are never named: 99.5 %.
# </details>
#
# **3.** `data.load` numbers the classes by their sorted wnids, the devkit numbers them otherwise. What accuracy does a perfect network seem to have if the two are mixed up?
# <details><summary>Answer</summary>
# About 0.1 %: only classes whose two numbers happen to be equal are scored as right.
# </details>
#
# **4.** Ten crops raise the accuracy a little. What do they cost, and when is that worth it?
# <details><summary>Answer</summary>
# Ten forward passes an image. A larger network with one crop usually buys more for the same cost, so today ten crops are for comparing with papers of their time.
# </details>
#
# **5.** (open) The label says what is there, and not what else is there. How would you score a network fairly on photos of many things?
# <details><summary>A start</summary>
# [9] collects all right labels and counts a first guess as right if it is any of them. Who says which labels are right, and from which guesses?
# </details>
#
# ## References
#
# 1. J. Deng et al., *ImageNet: A Large-Scale Hierarchical Image Database*, CVPR 2009: the data set.
# 2. O. Russakovsky et al., *ImageNet Large Scale Visual Recognition Challenge*, arXiv:1409.0575, 2015: rules, winners to 2014, the trained person; image-net.org/challenges/LSVRC: winners of 2015 to 2017.
# 3. D. Mahajan et al., arXiv:1805.00932, 2018: ResNeXt, pre-trained on 940 million photos of Instagram.
# 4. H. Touvron et al., *Fixing the train-test resolution discrepancy*, arXiv:1906.06423, 2019: FixRes.
# 5. Q. Xie et al., arXiv:1911.04252, 2020: Noisy Student.
# 6. H. Pham et al., arXiv:2003.10580, 2021: Meta Pseudo Labels.
# 7. A. Krizhevsky et al., NIPS 2012: ten crops.
# 8. B. Recht et al., *Do ImageNet Classifiers Generalize to ImageNet?*, arXiv:1902.10811, 2019: ImageNetV2.
# 9. L. Beyer et al., *Are we done with ImageNet?*, arXiv:2006.07159, 2020: new labels.
