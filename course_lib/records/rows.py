"""The table of training records: a row a training, cheap and telling ones first."""

from __future__ import annotations

from typing import NamedTuple

CODEBOOKS = 0.812  # test top-1 of the best codebook pipeline on CIFAR-10
GOOD = 0.88  # what a small modern network reaches in a few hours of two cores


class Row(NamedTuple):
    """One training, for each of its seeds.

    name: of the record, before "-seed0". recipe: fields of `train.Recipe`.
    images: how many of the training images, or all.  size: pixels a side, if they are
    not the set's own.  bar: the least test top-1.
    until: training top-1 that ends it early.  keep: whether the weights are kept.
    """

    name: str
    unit: str
    network: str
    recipe: dict
    arguments: dict = {}
    data: str = "cifar10"
    images: int | None = None
    size: int | None = None
    seeds: tuple[int, ...] = (0,)
    bar: float | None = None
    why: str = ""
    until: float | None = None
    keep: bool = True


AUGMENTED = {"flip": True, "crop_padding": 4, "channels_last": True}
SGD = AUGMENTED | {
    "batch_size": 128,
    "learning_rate": 0.1,
    "nesterov": True,
    "warmup_epochs": 1.0,
}
NO_NORM = SGD | {"learning_rate": 0.05, "weight_decay": 1e-4, "clip_norm": 5.0}
GENTLE = SGD | {"batch_size": 64, "learning_rate": 0.02, "clip_norm": 1.0}
PAPERS = SGD | {  # on images of 16x16, which take a quarter of the time
    "epochs": 24,
    "crop_padding": 2,
    "nesterov": False,
    "weight_decay": 1e-4,
    "schedule": "steps",
}
RACE = {
    "epochs": 40,
    "batch_size": 32,
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "schedule": "constant",
    "channels_last": True,
}
FIVE = tuple(range(5))

ALEXNET = Row(
    "04_alexnet-alexnet_small-cifar10-long",
    "04_alexnet",
    "alexnet_small",
    NO_NORM | {"epochs": 30},
    {"dropout": 0.1},
    bar=CODEBOOKS,
    why="No normalisation by batch, a first convolution with stride 2.",
)
ALEXNET_FINE = ALEXNET._replace(
    name="04_alexnet-alexnet_small-fine-cifar10-long",
    network="alexnet_fine",
    why="The small network with stride 1: it skips no pixel.",
)
VGG = Row(
    "05_vgg-vgg_small-cifar10-long",
    "05_vgg",
    "vgg_small",
    GENTLE | {"epochs": 30},
    {"dropout": 0.1},
    bar=CODEBOOKS,
    why="Configuration D as in the paper, which knows no batch normalisation.",
)
VGG_WIDE = Row(
    "05_vgg-vgg_small-wide-cifar10-long",
    "05_vgg",
    "vgg_wide",
    NO_NORM | {"epochs": 20},
    {"dropout": 0.1},
    bar=CODEBOOKS,
    why="As published, without normalisation, twice as wide as the small network.",
)
VGG_BN = Row(
    "05_vgg-vgg_small-bn-cifar10-long",
    "05_vgg",
    "vgg_small",
    SGD | {"epochs": 60},
    {"batch_norm": True, "dropout": 0.1},
    bar=GOOD,
    why="Configuration D with batch normalisation; twice the width passes its bar.",
)
VGG_BN_WIDE = VGG_BN._replace(
    name="05_vgg-vgg_small-wide-bn-cifar10-long",
    network="vgg_wide",
    recipe=SGD | {"epochs": 30},
    why="What batch normalisation gives to a network that is twice as wide.",
)
INCEPTION = Row(
    "07_inception-inception_small-cifar10-long",
    "07_inception",
    "inception_small",
    SGD | {"epochs": 30},
    bar=GOOD,
)
GOOGLENET = Row(
    "06_googlenet-googlenet_small-cifar10-long",
    "06_googlenet",
    "googlenet_small",
    SGD | {"epochs": 20},
    bar=GOOD,
)
RESNET_20 = Row(
    "08_resnet-resnet_small-20-cifar10-long",
    "08_resnet",
    "resnet_small",
    SGD | {"epochs": 100, "cutout": 8},
    {"depth": 20},
    bar=0.915,
    why="The paper's smallest network on CIFAR-10, trained to the end.",
)

SHORT = SGD | {"epochs": 15, "batch_size": 64, "learning_rate": 0.05}
MOBILENET = Row(
    "10_mobilenet-mobilenet_small-cifar10-long",
    "10_mobilenet",
    "mobilenet_small",
    SHORT,
    bar=GOOD,
    why="Separable convolutions alone, without shortcuts.",
)
MOBILENET_V2 = Row(
    "11_mobilenet_v2-mobilenet_v2_small-cifar10-long",
    "11_mobilenet_v2",
    "mobilenet_v2_small",
    SHORT | {"epochs": 20},
    bar=GOOD,
    why="Inverted residuals with linear bottlenecks.",
)
XCEPTION = Row(
    "09_xception-xception_small-cifar10-long",
    "09_xception",
    "xception_small",
    SHORT | {"epochs": 12},
    bar=GOOD,
    why="Separable convolutions with shortcuts, nothing between their two steps.",
)
EFFICIENTNET = Row(
    "12_efficientnet-efficientnet_small-cifar10-long",
    "12_efficientnet",
    "efficientnet_small",
    SHORT | {"epochs": 10, "batch_size": 32},
    bar=GOOD,
    why="MBConv with squeeze-and-excite in every block.",
)
EFFICIENTNET_V2 = Row(
    "13_efficientnet_v2-efficientnet_v2_small-cifar10-long",
    "13_efficientnet_v2",
    "efficientnet_v2_small",
    SHORT | {"epochs": 20},
    bar=GOOD,
    why="Fused blocks first, MBConv with squeeze-and-excite after them.",
)
SHORTER = EFFICIENTNET_V2._replace(
    name="13_efficientnet_v2-efficientnet_v2_small-cifar10-15-epochs",
    recipe=SHORT,
    bar=None,
    why="What the last five epochs of the longer training give.",
)

VIT = Row(
    "14_vit-vit_small-cifar10-long",
    "14_vit",
    "vit_small",
    AUGMENTED
    | {
        "epochs": 80,
        "batch_size": 128,
        "learning_rate": 1e-3,
        "optimizer": "adamw",
        "weight_decay": 0.05,
        "warmup_epochs": 5.0,
        "label_smoothing": 0.1,
        "channels_last": False,
    },
    why="No convolution but the patches: attention alone, with a long recipe.",
)


def degradation(kind: str, depth: int) -> Row:
    return Row(
        f"08_resnet-degradation-{kind}{depth}",
        "08_resnet",
        f"{kind}_small",
        PAPERS,
        {"depth": depth},
        size=16,
        why="Degradation: the same recipe for plain and residual, 20 and 56 layers.",
    )


def race(activation: str) -> Row:
    return Row(
        f"04_alexnet-race-{activation}-cifar10-long",
        "04_alexnet",
        "race_network",
        RACE,
        {"activation": activation},
        seeds=(0, 1, 2),
        until=0.75,
        why="Figure 1 of the paper: trained until 25 % training error.",
    )


def googlenet_heads() -> list[Row]:
    """Auxiliary heads with and without batch normalisation, on 5,000 images."""
    recipes = {True: SGD, False: NO_NORM}
    return [
        Row(
            f"06_googlenet-{'aux' if aux else 'alone'}-{'bn' if norm else 'plain'}",
            "06_googlenet",
            "googlenet_small",
            recipes[norm] | {"epochs": 12},
            {"aux": aux, "batch_norm": norm},
            images=5_000,
            seeds=FIVE,
            why="What the auxiliary heads buy, by batch normalisation: a full grid.",
            keep=False,
        )
        for norm in (True, False)
        for aux in (True, False)
    ]


FORMS = {
    "original": "original",
    "bn-after": "BN after addition",
    "relu-before": "ReLU before addition",
    "relu-only": "ReLU-only pre-activation",
    "pre-activation": "full pre-activation",
}


def forms() -> list[Row]:
    """The five residual forms at 56 layers, on 10,000 images of 16x16."""
    return [
        Row(
            f"08_resnet-form-{word}-56",
            "08_resnet",
            "form_small",
            SGD | {"epochs": 10, "crop_padding": 2},
            {"form": form, "depth": 56},
            images=10_000,
            size=16,
            seeds=(0, 1, 2),
            why="Figure 4 of arXiv:1603.05027.",
            keep=False,
        )
        for word, form in FORMS.items()
    ]


def again(row: Row) -> Row:
    """Return a row with two more seeds, for a run of less than half an hour."""
    return row._replace(seeds=(1, 2))


ROWS = [
    ALEXNET,
    VGG,
    INCEPTION,
    RESNET_20,
    GOOGLENET,
    VGG_BN,
    ALEXNET_FINE,
    VGG_WIDE,
    VGG_BN_WIDE,
    race("ReLU"),
    race("Tanh"),
    again(ALEXNET),
    *(degradation(kind, n) for kind in ("plain", "resnet") for n in (20, 56)),
    *forms(),
    *googlenet_heads(),
    XCEPTION,
    MOBILENET,
    MOBILENET_V2,
    EFFICIENTNET,
    EFFICIENTNET_V2,
    SHORTER,
    VIT,
]
