"""CIFAR-10 in ten epochs: a network and a recipe that are made for speed.

`python experiments/speed.py` trains it and leaves parts out. The network is that of
airbench94 (arXiv:2404.00498, section 3), most numbers are those of airbench94_muon
(github.com/KellerJordan/cifar10-airbench). They build on hlb-CIFAR10
(github.com/tysam-code/hlb-CIFAR10) and on D. Page, "How to train your ResNet" (2018).
Shapes: N images, C channels, H rows, W columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.data import Images

PARTS = "whitening dirac biases muon shifts flips alternation smoothing".split()
VIEWS = [(0, False), (0, True)]  # shift down and right, in pixels; mirrored
VIEWS += [(shift, mirrored) for shift in (-1, 1) for mirrored in (False, True)]
WEIGHTS = {"top1": [1.0], "mirror": [0.5] * 2, "views": [0.25] * 2 + [0.125] * 4}
NHWC = torch.channels_last


@dataclass(frozen=True)
class Recipe:
    """What decides a training, besides the images.

    width: channels of the first stage; the others have four times as many.
    rate: SGD's highest learning rate, for a batch of 1,024; it grows with the batch.
    decay: which part of a weight its step takes at that rate, likewise.
    bias_factor: how much faster the biases of the normalisations learn.
    kernel_rate, kernel_momentum: of Muon, for the kernels of the stages.
    shift: most pixels.  precision: "float32" or "bfloat16", which has half of the bits.
    left_out: names of PARTS that the training does without.
    """

    epochs: int = 10
    batch_size: int = 2_000
    width: int = 64
    rate: float = 1.5
    decay: float = 0.002
    momentum: float = 0.85
    bias_factor: float = 64.0
    kernel_rate: float = 0.24
    kernel_momentum: float = 0.6
    smoothing: float = 0.2
    shift: int = 2
    precision: str = "bfloat16"
    seed: int = 0
    left_out: tuple[str, ...] = ()

    def has(self, part: str) -> bool:
        return part not in self.left_out


class SpeedNet(nn.Module):
    """A stem of 2x2 kernels, three stages of two convolutions, a linear head."""

    def __init__(self, width: int = 64, dirac: bool = True):
        super().__init__()
        stem = nn.Conv2d(3, 24, 2)  # 12 numbers a patch, each with both signs
        nn.init.zeros_(stem.bias)
        widths = 24, width, 4 * width, 4 * width
        self.stem = nn.Sequential(stem, nn.GELU())
        pairs = itertools.pairwise(widths)
        self.stages = nn.Sequential(*(stage(*pair, dirac) for pair in pairs))
        classifier = nn.Linear(widths[-1], 10, bias=False)
        self.head = nn.Sequential(nn.MaxPool2d(3), nn.Flatten(), classifier)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(images))) / 9  # small first logits


def stage(channels: int, width: int, dirac: bool) -> nn.Sequential:
    first, second = conv(channels, width, dirac), conv(width, width, dirac)
    halved = first, nn.MaxPool2d(2), norm(width), nn.GELU()
    return nn.Sequential(*halved, second, norm(width), nn.GELU())


def conv(channels: int, width: int, dirac: bool) -> nn.Conv2d:
    """Return a 3x3 convolution; with `dirac` its first channels copy their input.

    Source: hlb-CIFAR10; arXiv:2404.00498, section 3.3.
    """
    layer = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    if dirac:
        nn.init.dirac_(layer.weight.data[:channels])
    return layer


def norm(width: int) -> nn.BatchNorm2d:
    """Return a batch normalisation with a scale of 1 and a trained bias."""
    layer = nn.BatchNorm2d(width, momentum=0.4)  # few steps: follow the last ones
    layer.weight.requires_grad_(False)
    return layer


@torch.no_grad()
def whiten(layer: nn.Conv2d, images: Tensor, epsilon: float = 5e-4) -> None:
    """Set and freeze kernels that make a patch's numbers uncorrelated, of power 1.

    images: float (N, C, H, W), normalised. The second half of the kernels is the first
    with the other sign. epsilon: keeps weak directions, which are noise, from growing.
    Source: Page 2018, part 8; hlb-CIFAR10; arXiv:2404.00498, section 3.2.
    """
    patches = F.unfold(images, layer.kernel_size)  # (N, C*2*2, places)
    moments = torch.einsum("npl,nql->pq", patches, patches).double()
    moments /= len(patches) * patches.shape[2]
    values, vectors = torch.linalg.eigh(moments)
    kernels = (vectors / (values + epsilon).sqrt()).T.to(layer.weight)
    kernels = kernels.reshape(-1, *layer.weight.shape[1:])
    layer.weight.copy_(torch.cat([kernels, -kernels]))
    layer.weight.requires_grad_(False)


def moved(pixels: Tensor, down: Tensor, right: Tensor, mirrored: Tensor) -> Tensor:
    """Return images, each shifted, then perhaps mirrored, by one gather.

    pixels: (N, C, H, W). down, right: int (N,), the pixel that comes first; outside the
    image lies its reflection. mirrored: bool (N,).
    """
    (height, width), at = pixels.shape[2:], pixels.device
    rows = reflected(down[:, None] + torch.arange(height, device=at), height)
    columns = reflected(right[:, None] + torch.arange(width, device=at), width)
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    which = torch.arange(len(pixels), device=at)[:, None, None]
    rows, columns = rows[:, :, None], columns[:, None, :]
    return pixels.permute(0, 2, 3, 1)[which, rows, columns].permute(0, 3, 1, 2)


def reflected(places: Tensor, size: int) -> Tensor:
    last = size - 1
    return last - (last - places.abs()).abs()


def normalised(pixels: Tensor, images: Images) -> Tensor:
    """Return uint8 pixels as float32, with the training images' mean 0 and std 1."""
    moments = torch.tensor([images.mean, images.std], device=pixels.device)
    mean, std = moments[:, :, None, None] * 255
    return (pixels.float() - mean) / std


def batches(images: Images, recipe: Recipe, epoch: int) -> Iterator:
    """Yield an epoch's whole batches: normalised images (N, C, H, W), labels (N,).

    Alternation: half of the images, always the same, are mirrored in even epochs, the
    others in odd ones, so two epochs show both sides of each. Without it chance decides
    in every epoch. Source: arXiv:2404.00498, section 3.6.
    """
    device, count = images.images.device, len(images)
    alternates = recipe.has("flips") and recipe.has("alternation")
    sides = torch.Generator().manual_seed(recipe.seed)
    half = torch.rand(count, generator=sides) < 0.5
    chance = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch + 1)
    order = torch.randperm(count, generator=chance)
    shift = recipe.shift * recipe.has("shifts")
    shifts = torch.randint(-shift, shift + 1, (2, count), generator=chance)
    drawn = torch.rand(count, generator=chance) < 0.5
    mirrored = half ^ (epoch % 2 == 1) if alternates else drawn & recipe.has("flips")
    order, shifts, mirrored = (x.to(device) for x in (order, shifts, mirrored))
    for which in order.split(recipe.batch_size):
        if len(which) == recipe.batch_size:
            chosen = images.images[which], *shifts[:, which], mirrored[which]
            yield normalised(moved(*chosen), images), images.labels[which]


def sgd(net: nn.Module, kernels: list[Tensor], recipe: Recipe) -> torch.optim.SGD:
    """Return SGD for all but some kernels; a group keeps its highest rate as `peak`.

    The biases of the normalisations learn faster and lose no more of themselves in a
    step. Source: Page 2018, part 6; hlb-CIFAR10; arXiv:2404.00498, section 3.4.
    """
    biases = [m.bias for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    apart = {id(value) for value in [*biases, *kernels]}
    others = [p for p in net.parameters() if p.requires_grad and id(p) not in apart]
    part = recipe.batch_size / 1024
    factor = recipe.bias_factor if recipe.has("biases") else 1.0
    rates = recipe.rate * part, recipe.rate * part * factor
    groups = [
        {"params": params, "peak": rate, "weight_decay": recipe.decay * part / rate}
        for params, rate in zip((others, biases), rates, strict=True)
    ]
    return torch.optim.SGD(groups, rates[0], recipe.momentum, nesterov=True)


class KernelMuon(torch.optim.Muon):
    """Muon for kernels: a step whose singular values are about equal.

    A kernel (out, in, 3, 3), channels last, is trained as a matrix of `out` rows, which
    shares its memory. Before a step, its norm is set to the root of `out`.
    Source: K. Jordan et al., "Muon" (2024); airbench94_muon.
    """

    def __init__(self, kernels: list[Tensor], recipe: Recipe):
        self.kernels = kernels
        matrices = [nn.Parameter(as_rows(kernel.data)) for kernel in kernels]
        group = {"params": matrices, "peak": recipe.kernel_rate}
        momentum = recipe.kernel_momentum
        super().__init__([group], momentum=momentum, weight_decay=0.0, ns_steps=3)

    @torch.no_grad()
    def step(self) -> None:
        matrices = self.param_groups[0]["params"]
        for kernel, matrix in zip(self.kernels, matrices, strict=True):
            matrix.grad = as_rows(kernel.grad.contiguous(memory_format=NHWC))
            matrix.mul_(len(matrix) ** 0.5 / matrix.norm())
        super().step()


def as_rows(kernel: Tensor) -> Tensor:
    """Return a matrix that shares the memory of a kernel (out, in, 3, 3)."""
    return kernel.permute(0, 2, 3, 1).view(len(kernel), -1)


class Training:
    """The state of a training: begin with it, and call `epoch()` until it is done."""

    def __init__(self, recipe: Recipe, images: Images):
        self.recipe, self.images, self.device = recipe, images, images.images.device
        torch.manual_seed(recipe.seed)
        self.net = SpeedNet(recipe.width, recipe.has("dirac"))
        self.net.to(self.device, memory_format=NHWC)
        if recipe.has("whitening"):
            whiten(self.net.stem[0], normalised(images.images[:5_000], images))
        layers = (m for m in self.net.stages.modules() if isinstance(m, nn.Conv2d))
        kernels = [layer.weight for layer in layers if recipe.has("muon")]
        self.optimizers = [sgd(self.net, kernels, recipe)]
        if kernels:
            self.optimizers.append(KernelMuon(kernels, recipe))
        self.step, self.steps = 0, len(images) // recipe.batch_size * recipe.epochs

    def state_dict(self) -> dict:
        """Return all that another training of the same recipe and images lacks."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        parts = {"net": self.net.state_dict(), "optimizers": optimizers}
        return parts | {"step": self.step}

    def load_state_dict(self, state: dict) -> None:
        self.net.load_state_dict(state["net"])
        for optimizer, its in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(its)
        self.step = state["step"]

    def epoch(self, told: Callable = lambda step, loss: None) -> float:
        """Train on each image once; return the mean loss, in nats an image.

        told: is called after each step, with how many there were and the last loss.
        """
        recipe, losses = self.recipe, []
        smoothing = recipe.smoothing * recipe.has("smoothing")
        done = self.step * recipe.epochs // self.steps
        for images, labels in batches(self.images, recipe, done):
            self.before_step()
            with autocast(self.device, recipe):
                logits = self.net.train()(images)
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing)
            self.net.zero_grad()
            loss.backward()
            for optimizer in self.optimizers:
                optimizer.step()
            self.step += 1
            losses.append(loss.detach())
            told(self.step, losses[-1])
        return torch.stack(losses).mean().item()

    def before_step(self) -> None:
        """Let the rates fall to 0 in a line; the stem's bias rests after 0.3 of it."""
        done = self.step / self.steps
        if self.recipe.has("whitening"):
            self.net.stem[0].bias.requires_grad_(done < 0.3)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * (1 - done)


def autocast(device: torch.device, recipe: Recipe) -> torch.autocast:
    """Compute convolutions and matrix products in the recipe's precision."""
    low = recipe.precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=low)


@torch.inference_mode()
def predict(net: nn.Module, images: Images, recipe: Recipe, views=VIEWS) -> Tensor:
    """Return the logits (views, N, 10) of each view of the images."""
    net.eval()
    ones = torch.ones_like(images.labels)
    found = []
    for shift, mirrored in views:
        chosen = images.images, ones * shift, ones * shift, ones == mirrored
        logits = []
        for part in zip(*(tensor.split(1_000) for tensor in chosen), strict=True):
            with autocast(ones.device, recipe):
                logits.append(net(normalised(moved(*part), images)))
        found.append(torch.cat(logits).float())
    return torch.stack(found)


def top1(logits: Tensor, labels: Tensor, weights: list[float]) -> float:
    """Return the share of right images by the mean logits of the first views.

    logits: (views, N, 10). Source: arXiv:2404.00498, section 3.5.
    """
    weighed = torch.tensor(weights, device=logits.device)[:, None, None]
    answers = (weighed * logits[: len(weights)]).sum(0).argmax(1)
    return (answers == labels).float().mean().item()
