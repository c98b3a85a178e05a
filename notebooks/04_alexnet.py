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
# # 04 · AlexNet

# %% tags=["export"]
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LocalResponseNorm(nn.Module):
    """Divide each activation by (k + α Σ a²)^β, the sum over n neighbouring channels.

    Maps (N, C, H, W) to the same shape. Beyond the first and the last channel there is
    nothing to add. Source: section 3.3 of Krizhevsky et al., 2012.
    """

    def __init__(self, n=5, k=2.0, alpha=1e-4, beta=0.75):
        super().__init__()
        self.n, self.k, self.alpha, self.beta = n, k, alpha, beta

    def forward(self, a: Tensor) -> Tensor:
        before, after = self.n // 2, (self.n - 1) // 2
        squares = F.pad(a.square(), (0, 0, 0, 0, before, after))  # (N, C + n - 1, H, W)
        energy = sum(squares[:, i : i + a.shape[1]] for i in range(self.n))
        return a / (self.k + self.alpha * energy) ** self.beta


# %% tags=["export"]
def stage(channels, width, kernel_size, stride, padding, groups, norm, pool):
    """Return convolution, ReLU, then, where the table asks, a norm and a max pooling."""
    conv = nn.Conv2d(channels, width, kernel_size, stride, padding, groups=groups)
    layers = [conv, nn.ReLU()]
    if norm:
        layers.append(LocalResponseNorm(**norm))
    if pool:
        layers.append(nn.MaxPool2d(3, stride=2))
    return nn.Sequential(*layers)


# %% tags=["export"]
class AlexNet(nn.Module):
    """Map images (N, 3, S, S) to logits (N, num_classes).

    table: a row a stage; side: height and width of the last feature map;
    hidden: width of the two hidden layers of the head.
    """

    def __init__(self, table, side: int, hidden: int, num_classes: int):
        super().__init__()
        channels, stages = 3, []
        for width, *row in table:
            stages.append(stage(channels, width, *row))
            channels = width
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * side * side, hidden), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(images))


# %% tags=["export"]
IMAGE_SIZE = 227  # pixels; Figure 2 prints 224, with which conv1 does not give 55x55

LRN = {"n": 5, "k": 2.0, "alpha": 1e-4, "beta": 0.75}  # section 3.3

ALEXNET_STAGES = [  # section 3.5 and Figure 2; two groups are two towers, one a GPU
    # width, kernel_size, stride, padding, groups, norm, pool
    (96, 11, 4, 0, 1, LRN, True),
    (256, 5, 1, 2, 2, LRN, True),
    (384, 3, 1, 1, 1, None, False),
    (384, 3, 1, 1, 2, None, False),
    (256, 3, 1, 1, 2, None, True),
]


# %% tags=["export"]
def alexnet(num_classes: int = 1000) -> AlexNet:
    """Return the two-tower network for images (N, 3, 227, 227), initialised as in section 5.

    60,965,224 parameters and 724,406,816 MACs at 1000 classes.
    """
    net = AlexNet(ALEXNET_STAGES, side=6, hidden=4096, num_classes=num_classes)
    layers = [layer for layer in net.modules() if hasattr(layer, "weight")]
    for number, layer in enumerate(layers, start=1):
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(layer.bias, float(number in (2, 4, 5, 6, 7)))
    return net


# %% tags=["export"]
SMALL_LRN = {**LRN, "alpha": 1e-4 * 62**2}  # our pixels are divided by their std, 62

SMALL_STAGES = [
    (24, 5, 1, 2, 1, SMALL_LRN, True),
    (64, 5, 1, 2, 2, SMALL_LRN, True),
    (96, 3, 1, 1, 1, None, False),
    (96, 3, 1, 1, 2, None, False),
    (64, 3, 1, 1, 2, None, True),
]


# %% tags=["export"]
def alexnet_small(num_classes: int = 10) -> AlexNet:
    """Return AlexNet for images (N, 3, 32, 32): the same eight layers, 0.3 million weights."""
    net = AlexNet(SMALL_STAGES, side=3, hidden=192, num_classes=num_classes)
    for layer in net.modules():
        if hasattr(layer, "weight"):  # variance 2 / fan-in: see "Against the paper"
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return net


# %% tags=["export"]
def race_network(activation, num_classes: int = 10) -> nn.Sequential:
    """Return a four-layer network for images (N, 3, 32, 32).

    activation: a class such as nn.ReLU, or its name. The paper does not print the layers;
    these are the first author's for CIFAR-10 (layers-80sec.cfg of cuda-convnet, 2011).
    """
    if isinstance(activation, str):
        activation = getattr(nn, activation)
    pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}  # 32 to 16 to 8 to 4
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.MaxPool2d(**pool), activation(),
        nn.Conv2d(32, 32, 5, padding=2), activation(), nn.AvgPool2d(**pool),
        nn.Conv2d(32, 64, 5, padding=2), activation(), nn.AvgPool2d(**pool),
        nn.Flatten(), nn.Linear(64 * 4 * 4, num_classes),
    )


# %% tags=["export"]
def epochs_to(history, error: float = 0.25) -> float:
    """Return after how many epochs the training error fell to `error`; nan if it never did.

    Between two epochs the error counts as a straight line.
    """
    before = 1.0
    for epoch in history:
        now = 1 - epoch.train_top1
        if now <= error:
            return epoch.epoch - (error - now) / (before - now)
        before = now
    return math.nan


# %% tags=["export"]
RECIPES = {  # keyword arguments of course_lib.train.Recipe
    "digits": {"epochs": 10, "batch_size": 32, "learning_rate": 0.05,
               "channels_last": True},
    "cifar10": {"epochs": 10, "batch_size": 64, "learning_rate": 0.05, "flip": True,
                "crop_padding": 2, "channels_last": True},
}
