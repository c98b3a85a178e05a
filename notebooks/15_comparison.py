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
# # 15 · Comparison
#
# No network is the best one: each is the answer to a budget, and the budget decides which numbers count.
#
# | | |
# |---|---|
# | networks | 27, from units 04 to 14, loaded from their notebooks |
# | years | 2012 to 2021, and SIFT with Fisher vectors from 2011 |
# | parameters | 470,072 (MobileNet 0.25) to 304,715,752 (ViT-L/16) |
# | MACs | 41,030,272 to 191,066,300,416 |
# | time here | 2 to 3 minutes on two CPU cores |
#
# **You need** some of units 04 to 14; each network is built in the notebook of its unit.
#
# **You will be able to** choose a network under your own limits, and place a new network among those that you know.

# %% tags=["export"]
from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from course_lib import notebook

# %% [markdown]
# ## Where we stand
#
# In 2017 a network for phones was set beside two older ones. This is Table 8 of [1], as printed.
#
# | model | ImageNet top-1 | million MACs | million parameters |
# |---|---|---|---|
# | 1.0 MobileNet-224 | 70.6 % | 569 | 4.2 |
# | GoogLeNet | 69.8 % | 1,550 | 6.8 |
# | VGG 16 | 71.5 % | 15,300 | 138 |
#
# The three have nearly the same accuracy, and their MACs differ 27 times. Each unit since has compared its network with one or two others. Here all of them
# stand in one table, counted in one way and timed on one machine.
#
# ## Idea
#
# A network has no single cost. Four numbers are in use:
#
# - **parameters**: what has to be stored and sent;
# - **MACs**: multiplications with an addition, the work of the arithmetic units;
# - **activations**: the numbers that all operations write for one image, normalisation and ReLU included; training keeps most of them;
# - **time**: what the user waits for, on one machine.
#
# The first three belong to the network. The fourth belongs to the network, the machine and the software. How far do the first three predict it? A simple model
# has two terms. A processor does at most $p$ MACs in a second, and its memory moves at most $b$ bytes in a second:
#
# $$t \;\approx\; \frac{\text{MACs}}{p} + \frac{\text{bytes}}{b}$$
#
# Bytes are all that the operations read (the weights included) and write, as if nothing stayed in a cache. We measure $t$ for all networks and fit $p$ and $b$.
#
# ## Implementation
#
# One row for each network. It has the image size at which its accuracy was published.

# %% tags=["export"]
class Network(NamedTuple):
    """A network, and what its paper says of it."""

    name: str
    year: int
    build: Callable[[], nn.Module]
    side: int  # of the square image, in pixels
    params: int  # as the unit proves them
    top1: float  # %, printed; ILSVRC-2012 validation, one crop: see below

    @property
    def family(self) -> str:
        return self.name.replace("-", " ").split()[0]


def of(unit: str, build: str, *arguments) -> Callable[[], nn.Module]:
    return lambda: getattr(notebook.load(unit), build)(*arguments)


# %% tags=["export"]
COURSE = [
    Network("AlexNet", 2012, of("04_alexnet", "alexnet"), 227, 60_965_224, 57.2),
    Network("VGG-16", 2014, of("05_vgg", "vgg", "D"), 224, 138_357_544, 71.5),
    Network("GoogLeNet", 2014, of("06_googlenet", "googlenet", 1000, False), 224, 6_998_552, 69.8),
    Network("Inception v3", 2015, of("07_inception", "inception_v3", 1000, False), 299, 23_834_568, 78.8),
    Network("ResNet-50", 2015, of("08_resnet", "resnet", 50), 224, 25_557_032, 75.3),
    Network("ResNet-101", 2015, of("08_resnet", "resnet", 101), 224, 44_549_160, 76.4),
    Network("ResNet-152", 2015, of("08_resnet", "resnet", 152), 224, 60_192_808, 77.0),
    Network("Xception", 2016, of("09_xception", "xception"), 299, 22_855_952, 79.0),
    Network("MobileNet 0.25", 2017, of("10_mobilenet", "mobilenet", 0.25), 224, 470_072, 50.6),
    Network("MobileNet 0.5", 2017, of("10_mobilenet", "mobilenet", 0.5), 224, 1_331_592, 63.7),
    Network("MobileNet 1.0", 2017, of("10_mobilenet", "mobilenet"), 224, 4_231_976, 70.6),
    Network("MobileNetV2 1.0", 2018, of("11_mobilenet_v2", "mobilenet_v2"), 224, 3_504_872, 72.0),
    Network("MobileNetV2 1.4", 2018, of("11_mobilenet_v2", "mobilenet_v2", 1.4), 224, 6_108_776, 74.7),
]


# %% [markdown]
# EfficientNet, EfficientNetV2 and ViT come in sizes, so their rows have the same form. ViT is the one pre-trained on ImageNet alone and fine-tuned at 384 pixels.

# %% tags=["export"]
EFFICIENTNET = {  # pixels, parameters, printed top-1
    "B0": (224, 5_288_548, 77.1), "B1": (240, 7_794_184, 79.1), "B2": (260, 9_109_994, 80.1),
    "B3": (300, 12_233_232, 81.6), "B4": (380, 19_341_616, 82.9), "B5": (456, 30_389_784, 83.6),
    "B6": (528, 43_040_704, 84.0), "B7": (600, 66_347_960, 84.3),
}  # fmt: skip
V2 = {"S": (384, 21_458_488, 83.9), "M": (480, 54_139_356, 85.1), "L": (480, 118_515_272, 85.7)}
VIT = {"B/32": (88_297_192, 73.4), "B/16": (86_859_496, 77.9), "L/16": (304_715_752, 76.5)}
for size, row in EFFICIENTNET.items():
    build = of("12_efficientnet", "efficientnet", size)
    COURSE.append(Network(f"EfficientNet {size}", 2019, build, *row))
for size, row in V2.items():
    build = of("13_efficientnet_v2", "efficientnet_v2", size)
    COURSE.append(Network(f"EfficientNetV2 {size}", 2021, build, *row))
for size, row in VIT.items():
    COURSE.append(Network(f"ViT-{size}", 2020, of("14_vit", "vit", size, 384), 384, *row))

# %% [markdown]
# The accuracies of AlexNet, VGG-16 and GoogLeNet are those of Tables 8 and 9 of [1]: one crop. Their own papers print other settings: ten crops, dense
# evaluation, or no top-1 at all. The ResNets' one-crop numbers are from their authors' page [2], the MobileNets' from [1], the others from [4–9].
#
# Three cautions. The ResNets' accuracies were measured with the stride on the first 1×1; ours has it on the 3×3, and 231 million MACs more. GoogLeNet's and VGG-16's are of networks that others trained again.
# Inception v3 and Xception left out about 1,760 disputed validation images; Xception's paper prints 78.2 % for Inception v3.
#
# ## Against the papers
#
# A network on PyTorch's *meta* device has shapes and no numbers, so that counting takes no memory.

# %% tags=["check"]
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
import torchvision

from course_lib import flops, page, plot, results
from course_lib.latency import milliseconds


def cost(network: Network) -> flops.Cost:
    """Count a network for one image; its parameters must be those that its unit proves."""
    with torch.device("meta"):
        found = flops.count(network.build(), (1, 3, network.side, network.side))
    assert found.params == network.params, f"{network.name}: {found.params:,} parameters"
    return found


costs = {network.name: cost(network) for network in COURSE}
print(f"{len(costs)} networks, each with the parameters that its unit proves, and nothing left uncounted:")
assert not any(found.uncounted for found in costs.values())
for name, million_macs, million_params in (("MobileNet 1.0", 569, 4.2), ("GoogLeNet", 1550, 6.8), ("VGG-16", 15300, 138)):
    found = costs[name]
    print(f"{name:13} {found.macs / 1e6:8,.1f} million MACs, printed {million_macs:6,}; {found.params / 1e6:5.1f} million parameters, printed {million_params}")
    assert abs(found.macs / 1e6 / million_macs - 1) < 0.03
    assert abs(found.params / 1e6 / million_params - 1) < 0.03

# %% [markdown]
# Table 8 holds to 3 %. The units say where the differences come from.
#
# Now the time. Weights do not change it, so all are 0.01: initialising 300 million numbers would take longer than the measurement. The batch is smaller for an
# expensive network, about 4 billion MACs in all.

# %% tags=["check"]
def speed(network: Network, macs: int) -> tuple[float, float]:
    """Return milliseconds for one image, and images/s in batches of at most 16."""
    with torch.device("meta"):
        net = network.build()
    net = net.to_empty(device="cpu").eval()
    with torch.no_grad():
        for values in (*net.parameters(), *net.buffers()):
            values.fill_(0.01)
    image = torch.zeros(1, 3, network.side, network.side)
    one = milliseconds(net, image, repeats=3 if macs < 1e10 else 1)
    count = int(min(16, max(1, 4e9 // macs)))
    if count == 1:
        return one, 1000 / one
    many = milliseconds(net, image.expand(count, -1, -1, -1), repeats=2)
    return one, 1000 * count / many


# %% tags=["nbval-ignore-output"]
speeds = {network.name: speed(network, costs[network.name].macs) for network in COURSE}
ms = {name: found[0] for name, found in speeds.items()}
print(f"{torch.get_num_threads()} threads; one image: {min(ms.values()):.0f} to {max(ms.values()):,.0f} ms")
for name in ("VGG-16", "EfficientNet B4"):
    print(f"{name}: {1e9 * ms[name] / costs[name].macs:.0f} ms for a billion MACs")

# %% [markdown]
# How much of the time do the counted numbers explain? Three fits by least squares on relative errors: MACs alone, bytes alone, both.

# %% tags=["nbval-ignore-output"]
def fit(*columns: list[float]) -> tuple[float, np.ndarray]:
    """Return the median relative error (%) of the best sum of multiples, and these (ms)."""
    counted = np.array(columns, dtype=float).T / np.array(list(ms.values()))[:, None]
    factors = np.linalg.lstsq(counted, np.ones(len(counted)), rcond=None)[0]
    return 100 * np.median(abs(counted @ factors - 1)), factors


macs = [found.macs for found in costs.values()]
moved = [found.bytes_moved for found in costs.values()]
for name, columns in {"MACs": [macs], "bytes moved": [moved], "both": [macs, moved]}.items():
    error, factors = fit(*columns)
    print(f"time from {name:12} median error {error:3.0f} %")
print("p = {:.0f} billion MACs/s, b = {:.1f} billion bytes/s".format(*1e-6 / factors))

# %% [markdown]
# The cell prints the median errors of one run on one machine; another run, or a busy machine, gives others. In all our runs both together missed by less than either alone. The fit was made on these 27 networks, so a new one may be further off.
# Two networks of equal MACs need not be equally fast. MobileNet 1.0 and MobileNetV2 1.4 have 569 and 582 million MACs, and the second moves 1.8 times the bytes. Compare their times in the table.
#
# ## The table
#
# A click on a head sorts by that column. CIFAR-10 is the record of the unit's *small* network for 32×32 pixels, trained in this repository (`course records`).
# A short record is no judgement on an architecture: the epochs stand beside it.

# %% jupyter={"source_hidden": true} tags=["check"]
UNITS = {  # the first network of a unit carries its record on CIFAR-10
    "AlexNet": "04_alexnet", "VGG-16": "05_vgg", "GoogLeNet": "06_googlenet",
    "Inception v3": "07_inception", "ResNet-50": "08_resnet", "Xception": "09_xception",
    "MobileNet 1.0": "10_mobilenet", "MobileNetV2 1.0": "11_mobilenet_v2",
    "EfficientNet B0": "12_efficientnet", "EfficientNetV2 S": "13_efficientnet_v2", "ViT-B/16": "14_vit",
}  # fmt: skip


def record(unit: str) -> results.Record | None:
    """Return the best record of a unit's small networks."""
    found = [results.read(path) for path in results.RESULTS.glob(f"{unit}-*_small*-cifar10*.json")]
    return max(found, key=lambda record: record.test_top1, default=None)


records = {name: found for name, unit in UNITS.items() if (found := record(unit))}
print(f"records on CIFAR-10: {', '.join(records)}")

# %% tags=["nbval-ignore-output"]
columns = {"network": "", "year": "", "params (M)": ",.1f", "MACs (M)": ",.0f", "× MobileNet": ",.2f", "activations (M)": ",.1f",
           "ms": ",.0f", "images/s": ",.1f", "top-1 (%)": ".1f", "CIFAR-10 (%)": ".1f", "epochs": ""}  # fmt: skip


def row(network: Network) -> list:
    count, name, trained = costs[network.name], network.name, records.get(network.name)
    times = count.macs / costs["MobileNet 1.0"].macs
    ours = (100 * trained.test_top1, len(trained.history)) if trained else (None, None)
    scale = 1e6
    sizes = count.params / scale, count.macs / scale, times, count.activations / scale
    return [name, network.year, *sizes, *speeds[name], network.top1, *ours]


page.sortable(columns, map(row, COURSE))

# %% [markdown]
# ## Accuracy against cost
#
# A bubble is a network, its area the number of parameters. A line joins the sizes of a family.

# %% jupyter={"source_hidden": true} tags=["check"]
PLACES = {  # of a name beside its bubble, in points
    "Inception": (-4, 4, "right"), "Xception": (2, 6, "center"), "ResNet": (4, -13, "center"),
    "VGG": (8, -10, "left"), "EfficientNet": (0, -13, "center"), "EfficientNetV2": (0, 8, "center"),
    "ShuffleNetV2": (-4, 4, "right"), "ViT": (0, 15, "center"),
}  # fmt: skip


def bubbles(ax, networks: list[Network], across: dict[str, float], label: str) -> None:
    """Draw printed top-1 against a cost (log scale), a colour for each family."""
    families = {}
    for network in networks:
        families.setdefault(network.family, []).append(network)
    ends = []
    for number, (family, members) in enumerate(families.items()):
        members = sorted(members, key=lambda network: across[network.name])
        x = [across[network.name] for network in members]
        y = [network.top1 for network in members]
        color = plt.get_cmap("tab20")(2 * number % 20 + number // 10)
        ax.plot(x, y, "-", color=color, lw=1)
        ax.scatter(x, y, [network.params / 4e5 for network in members], color=color, alpha=0.6)
        ends.append((x[-1], y[-1], family, color))
    for x, y, family, color in ends:
        right, up, side = PLACES.get(family, (0, 6, "center"))
        ax.annotate(family, (x, y), (right, up), textcoords="offset points", color=color, fontsize=8, ha=side)
    ax.set(xscale="log", xlabel=label, ylabel="printed top-1 (%)")
    ax.margins(0.08)


# %% tags=["thumbnail"]
figure, ax = plt.subplots(figsize=(6.4, 3.8))
million_macs = {name: found.macs / 1e6 for name, found in costs.items()}
bubbles(ax, COURSE, million_macs, "million MACs")
pretrained = {"ViT-B/32": 81.3, "ViT-B/16": 84.0, "ViT-L/16": 85.2}  # on ImageNet-21k
ax.plot([million_macs[name] for name in pretrained], pretrained.values(), "o", mfc="none", color="0.5")
ax.text(million_macs["ViT-L/16"], 86.5, "pre-trained", color="0.4", fontsize=8, ha="center")
plt.show()

# %% [markdown]
# The three rings are the same ViTs, pre-trained on the 14 million images of ImageNet-21k: 6 to 9 points, for the same MACs [9]. Data is a cost, too, and no axis here shows it.
#
# Which networks are worth a look? Those with no other that is both cheaper and more accurate. They form the *Pareto front*, and which they are depends on the cost.

# %% tags=["export"]
def front(networks: list[Network], across: dict[str, float]) -> list[str]:
    """Return the networks that no cheaper one equals in top-1, cheapest first."""
    found, best = [], -1.0
    for network in sorted(networks, key=lambda network: (across[network.name], -network.top1)):
        if network.top1 > best:
            found.append(network.name)
            best = network.top1
    return found


# %% tags=["check"]
by_macs = front(COURSE, {name: found.macs for name, found in costs.items()})
by_params = front(COURSE, {network.name: network.params for network in COURSE})
by_activations = front(COURSE, {name: found.activations for name, found in costs.items()})
for what, names in (("MACs", by_macs), ("parameters", by_params), ("activations", by_activations)):
    print(f"{what}: {', '.join(names)}")

# %% [markdown]
# MobileNet, MobileNetV2, EfficientNet and EfficientNetV2 make up the front of MACs, and the same networks that of parameters. By activations AlexNet and Inception v3 enter it. ViT, trained on ImageNet alone, is on none.
#
# At the accuracy of VGG-16, MobileNetV2 has 51 times fewer MACs and 39 times fewer parameters. Their papers are four years apart.
#
# One caution: these are accuracies of *recipes* as well as of networks. The ResNets of 2015 were trained with the recipe of 2015.
#
# ## The timeline
#
# From SIFT to ViT: on ImageNet as printed, on CIFAR-10 as recorded here. "SIFT + FV" is SIFT with Fisher vectors, 54.3 % on ILSVRC-2010, from Table 1 of [3]. On CIFAR-10 it is
# the best pipeline of unit 03: Fisher vectors of shape and colour, with mirrored test images.

# %% jupyter={"source_hidden": true} tags=["check"]
import csv
from statistics import mean

with open(results.RESULTS / "03_codebooks-cifar10.csv", encoding="utf-8") as file:
    arms = {}
    for line in csv.DictReader(file):
        if line["train_images"] == "50000":
            arms.setdefault((line["pipeline"], line["words"]), []).append(100 * float(line["top1"]))
codebooks = max(map(mean, arms.values()))
figure, axes = plt.subplots(2, 1, figsize=(6.4, 3.7), sharex=True)
years = [(2011, 54.3, "SIFT + FV"), *((n.year, n.top1, n.family) for n in COURSE)]
ours = [(2011, codebooks, "SIFT + FV")]
ours += [(n.year, 100 * records[n.name].test_top1, n.family) for n in COURSE if n.name in records]
for ax, points, title in zip(axes, (years, ours), ("ImageNet, printed", "CIFAR-10, our records"), strict=True):
    best = {}
    for year, top1, name in points:
        ax.plot(year, top1, "C0.")
        best[name] = max(best.get(name, (0, 0)), (top1, year))
    ax.margins(y=0.2)
    span = max(top1 for _, top1, _ in points) - min(top1 for _, top1, _ in points)
    for year in {year for year, _, _ in points}:
        up = span / 12 * (1 if year % 2 else -1)  # names of neighbours, one above the other
        names = [(year, top1 + up, name, "0.3") for name, (top1, of_year) in best.items() if of_year == year]
        plot.name_ends(ax, names)
    plt.setp(ax.texts, fontsize=8)
    ax.set(title=title, ylabel="top-1 (%)", xlim=(2010.5, 2022.9))
axes[1].set_xlabel("year")
plt.show()

# %% [markdown]
# On ImageNet the climb is about 31 points in ten years; the first point is of ILSVRC-2010, the others of 2012. Two thirds of it lie between AlexNet and Inception v3, three years apart. On CIFAR-10 the course's own records are small networks, trained on CPU cores.
# ResNet's small network (20 layers, 100 epochs) has passed the codebook pipeline by ten points. Inception v3's and AlexNet's with stride 1 have passed it after 30 epochs, and so has a VGG with batch normalisation, with 89.5 %.
# So have GoogLeNet's after 20, with 88.2 %, and the five efficient networks of units 09 to 13 after 10 to 20, with 88.2 to 89.8 %. ViT's has 80.8 % after 80: it stays below the codebooks.
#
# The next figure shows our records against their cost, with the number of epochs behind each name. The dashed line is the codebook pipeline.

# %% jupyter={"source_hidden": true} tags=["check"]
figure, ax = plt.subplots(figsize=(6.4, 2.6))
ax.set(xscale="log", xlabel="million MACs at 32×32", ylabel="test top-1 (%)", ylim=(78, 93))
spots = []
for name, found in records.items():
    with torch.device("meta"):
        net = getattr(notebook.load(found.unit), found.network)(**found.arguments)
    count = flops.count(net, (1, 3, 32, 32))
    family = next(network.family for network in COURSE if network.name == name)
    label = f"{family} ({len(found.history)})"
    spots.append((count.macs / 1e6, 100 * found.test_top1, count.params / 4e3, label))
beside = {  # points to the right and up of a dot whose neighbours are near, and which end is there
    "EfficientNetV2": (2, 9, "right"), "EfficientNet": (2, -16, "left"), "ResNet": (0, 9, "right"),
    "VGG": (4, 13, "left"), "Xception": (9, -3, "left"), "MobileNet": (10, -5, "left"),
    "MobileNetV2": (0, -18, "center"), "GoogLeNet": (-8, -3, "right")}
for x, y, area, label in spots:
    ax.scatter(x, y, area, color="C0", alpha=0.5)
    right, up, end = beside.get(label.partition(" (")[0], (0, 9, "center"))
    ax.annotate(label, (x, y), (right, up), textcoords="offset points", fontsize=8, ha=end)
ax.axhline(codebooks, color="0.5", ls="--")
ax.set_xlim(5, 120)
ticks = 5, 10, 20, 50, 100
ax.set_xticks(ticks, map(str, ticks))
ax.minorticks_off()
plt.show()

# %% [markdown]
# These are single runs, of unequal lengths. They show what was reached here, and they do not rank the architectures.
#
# ## Which should I choose?
#
# Say what you have; the function says what is best. Memory is that of the weights in float32.

# %% tags=["export"]
def choose(networks: list[Network], ms: dict[str, float], most_ms=float("inf"), most_mb=float("inf")):
    """Return the networks within both limits, the most accurate first."""
    within = [n for n in networks if ms[n.name] <= most_ms and 4 * n.params / 1e6 <= most_mb]
    return sorted(within, key=lambda network: -network.top1)

# %% tags=["nbval-ignore-output"]
for limits in ({"most_ms": 100}, {"most_mb": 25}, {"most_ms": 500, "most_mb": 100}):
    best = choose(COURSE, ms, **limits)[:3]
    print(limits, "→", ", ".join(f"{network.name} {network.top1} %" for network in best))

# %% [markdown]
# Move the limit: what lies right of it is too slow.

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
def draw_choice(limit: int) -> None:
    _, ax = plt.subplots(figsize=(6.0, 2.8))
    bubbles(ax, COURSE, ms, "milliseconds an image")
    ax.axvspan(limit, ax.get_xlim()[1], color="white", alpha=0.75, zorder=5)
    best = choose(COURSE, ms, most_ms=limit)
    ax.set_title(f"{limit} ms: {best[0].name}, {best[0].top1} %" if best else f"{limit} ms: none")


draw_choice(100)
plt.show()
plot.slider(draw_choice, "milliseconds", (int(min(ms.values())) + 1, 1000), frames=5)

# %% [markdown]
# ## What the lecture left out
#
# Five networks that you will meet, from torchvision and from unit 14.

# %% tags=["check"]
VIT14 = notebook.load("14_vit")
deit = partial(VIT14.ViT, 224, 16, VIT14.Row(12, 384, 1536, 6), 1000)
MORE = [
    Network("DenseNet-121", 2016, torchvision.models.densenet121, 224, 7_978_856, 75.0),
    Network("ResNeXt-50", 2016, torchvision.models.resnext50_32x4d, 224, 25_028_904, 77.8),
    Network("DeiT-S", 2020, deit, 224, 22_050_664, 79.8),
    Network("Swin-T", 2021, torchvision.models.swin_t, 224, 28_288_354, 81.3),
    Network("ConvNeXt-T", 2022, torchvision.models.convnext_tiny, 224, 28_589_128, 82.1),
]
more = {network.name: cost(network) for network in MORE}
page.table(
    ["network", "parameters", "MACs", "activations", "printed top-1 (%)"],
    [(n.name, n.params, more[n.name].macs, more[n.name].activations, str(n.top1)) for n in MORE],
)

# %% [markdown]
# - **DenseNet-121** [10] gives each layer the outputs of *all* earlier layers of its stage, joined. It has 31 % of ResNet-50's parameters and 69 % of its MACs, at nearly its accuracy.
# - **ResNeXt-50** [11] splits the 3×3 of ResNet's bottleneck into 32 groups and widens it. Parameters and MACs stay close to ResNet-50's. Its paper trains ResNet-50, too: top-1 rises from 76.1 to 77.8 %.
# - **DeiT-S** [12] is ViT's encoder of width 384, trained on ImageNet alone with strong augmentation. It has 25 % of ViT-B/16's parameters, and 1.9 points more than ViT-B/16 from ImageNet alone.
# - **Swin-T** [13] attends inside windows of 7×7 patches, which shift from block to block. It starts from patches of 4×4 and halves the map three times, as a convolutional network does.
# - **ConvNeXt-T** [14] is a ResNet made similar to Swin: 7×7 depthwise convolutions in place of attention windows, inverted bottlenecks, layer normalisation. It has Swin-T's cost, and 0.8 points more.
#
# ## A network of your own
#
# Put your network in the first line and run the cell: it is counted, timed, and drawn among the others. Ours is ShuffleNetV2, whose paper prints 69.4 %.

# %% tags=["nbval-ignore-output"]
mine = Network("ShuffleNetV2", 2018, torchvision.models.shufflenet_v2_x1_0, 224, 2_278_604, 69.4)
costs[mine.name] = cost(mine)
speeds[mine.name] = speed(mine, costs[mine.name].macs)
ms[mine.name] = speeds[mine.name][0]
everyone = [*COURSE, mine]
figure, axes = plt.subplots(1, 2, figsize=(6.4, 2.6), sharey=True)
bubbles(axes[0], everyone, million_macs | {mine.name: costs[mine.name].macs / 1e6}, "million MACs")
bubbles(axes[1], everyone, ms, "milliseconds an image")
plt.show()
place = [n.name for n in choose(everyone, ms)].index(mine.name) + 1
print(f"{mine.name}: {costs[mine.name].macs / 1e6:,.0f} million MACs, {ms[mine.name]:.0f} ms, place {place} of {len(everyone)} by top-1")
page.sortable(columns, map(row, everyone))

# %% [markdown]
# ## Take-aways
#
# 1. 27 networks have the parameters that their units prove, and Table 8 of MobileNet holds to 3 %. Not every printed count can be reproduced: MobileNetV2 1.4 prints 6.9 million and has 6.1 million.
# 2. VGG-16 and MobileNetV2 have the same accuracy to half a point; their MACs differ 51 times.
# 3. MACs alone do not say how long a network takes. Together with the bytes moved they come closer, in each of our runs.
# 4. On the front of MACs are only MobileNets and EfficientNets of both versions, from 50.6 to 85.7 %.
# 5. Pre-training on more images gives ViT 6 to 9 points for no MAC: an axis that the figure does not have.
#
# ## Before and after
#
# An early comparison of this kind was Canziani et al. [15] in 2016, with bubbles of parameters over operations. "Designing Network Design Spaces" [16] found in 2020 that activations predict the time on a GPU better than MACs
# do. (Activations there are the outputs of convolutions only.) Since then comparisons ask for the recipe as well. "ResNet strikes back" [17] took ResNet-50 from 75.3 to 80.4 % with the network almost unchanged.
#
# ## Questions
#
# **1.** MobileNet has 568,740,352 MACs and 4,231,976 parameters. How often is a weight used, on average?
# <details><summary>Answer</summary>
# 568,740,352 / 4,231,976 = 134 times: a weight of a convolution is used once at each position of its map.
# </details>
#
# **2.** VGG-16's largest layer by parameters is not its largest by MACs. Which are the two?
# <details><summary>Answer</summary>
# The first linear layer has 102.8 of 138.4 million parameters and 0.7 % of the MACs. The second 3×3 of the first stage, 64 to 64 channels on 224×224, has 1.85 of 15.5 billion MACs, as five others have.
# </details>
#
# **3.** Two networks have equal MACs, and the second moves four times as many bytes. By the model of this notebook, when is it hardly slower?
# <details><summary>Answer</summary>
# When the first term is much larger than the second for both: MACs/p far above bytes/b. A machine with fast memory and slow arithmetic is like that.
# </details>
#
# **4.** Why is a network on the front of MACs and not on that of activations?
# <details><summary>Answer</summary>
# Another network has fewer activations and at least its accuracy. B4 is such a case: EfficientNetV2-S writes 118 million numbers and B4 166 million.
# </details>
#
# **5.** (open) The accuracies are those of the papers' recipes. How would you compare two architectures so that the recipe does not decide?
# <details><summary>A start</summary>
# Tune the recipe of each with the same number of trainings, then compare several seeds. Also train both with the other's recipe: if the order changes, it was the recipe.
# </details>
#
# ## References
#
# 1. A. Howard et al., *MobileNets*, arXiv:1704.04861, 2017: Tables 8 and 9, and the MobileNets.
# 2. K. He, github.com/KaimingHe/deep-residual-networks: one-crop accuracies of the ResNets of arXiv:1512.03385.
# 3. A. Krizhevsky et al., *ImageNet Classification with Deep Convolutional Neural Networks*, NIPS 2012: Table 1, SIFT + FV.
# 4. C. Szegedy et al., arXiv:1512.00567, 2015: Inception v3.
# 5. F. Chollet, arXiv:1610.02357, 2016: Xception.
# 6. M. Sandler et al., arXiv:1801.04381, 2018: MobileNetV2.
# 7. M. Tan, Q. V. Le, arXiv:1905.11946, 2019: EfficientNet, accuracies of the latest version.
# 8. M. Tan, Q. V. Le, arXiv:2104.00298, 2021: EfficientNetV2.
# 9. A. Dosovitskiy et al., arXiv:2010.11929, 2020: ViT, Table 5.
# 10. G. Huang et al., arXiv:1608.06993, 2016: DenseNet.
# 11. S. Xie et al., arXiv:1611.05431, 2016: ResNeXt.
# 12. H. Touvron et al., arXiv:2012.12877, 2020: DeiT.
# 13. Z. Liu et al., arXiv:2103.14030, 2021: Swin.
# 14. Z. Liu et al., arXiv:2201.03545, 2022: ConvNeXt.
# 15. A. Canziani et al., arXiv:1605.07678, 2016: the bubbles.
# 16. I. Radosavovic et al., arXiv:2003.13678, 2020: activations and time.
# 17. R. Wightman et al., arXiv:2110.00476, 2021: the recipe.
