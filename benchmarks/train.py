"""Our training loop against PyTorch's tutorial, Lightning and fastai, images a second.

    python benchmarks/train.py [--cpu]

All train the tutorial's network from the same weights on the same CIFAR-10 images
(found through COURSE_DATA, or else the digits as 32x32 colour, and it says so) with the
same recipe and two CPU threads, in turn in one process. The peers read PIL images
through ToTensor and Normalize from a DataLoader, the tutorial's also with 2 workers.
The first round warms up, of the others the median counts. A peer's clock starts when
its first batch has come, so starting costs it nothing; ours counts its preparations,
too. Top-1 is of validation images, which nothing was chosen by.

--cpu counts the seconds that one thread computed, not those that passed: the ratios
hold on a machine that others use, too. The tutorial with workers is left out then.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import time
import warnings
from functools import partial

import torch
import torch.nn.functional as F
from fastai.callback.core import Callback as FastaiCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.optimizer import OptimWrapper
from lightning.pytorch import Callback, LightningModule, Trainer
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_lib import data
from course_lib.data import download
from course_lib.train import Recipe, evaluate, fit

ROUNDS = 6  # epochs of each contender, the first of which warms up
# batch size -> images an epoch, learning rate; the tutorial's are 4 and 0.001
SETTINGS = {4: (1_000, 0.001), 128: (6_400, 0.02)}


clock = time.perf_counter  # or the CPU's, see --cpu


class Net(nn.Module):
    """The tutorial's network: 62,006 parameters."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class Pictures(Dataset):
    """Images as torchvision.datasets.CIFAR10 gives them: PIL, then the transforms."""

    def __init__(self, images: data.Images):
        self.pixels = images.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = images.labels.tolist()
        normalize = transforms.Normalize(images.mean, images.std)
        self.transform = transforms.Compose([transforms.ToTensor(), normalize])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.pixels[i])), self.labels[i]


def batches(images: data.Images, recipe: Recipe, workers: int = 0) -> DataLoader:
    chosen = {"shuffle": True, "num_workers": workers}
    return DataLoader(Pictures(images), recipe.batch_size, **chosen)


def ours(net: Net, images: data.Images, recipe: Recipe) -> float:
    """Train one more epoch and return its seconds, as all contenders do."""
    begin = clock()
    fit(net, images, None, recipe, device="cpu", quiet=True)
    return clock() - begin


def tutorial(net: Net, images: data.Images, recipe: Recipe, workers: int) -> float:
    net.train()
    optimizer = sgd(net.parameters(), recipe)
    criterion, begin = nn.CrossEntropyLoss(), None
    total = 0.0  # the tutorial prints it
    for inputs, labels in batches(images, recipe, workers):
        begin = begin or clock()
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return clock() - begin


def sgd(parameters, recipe: Recipe) -> torch.optim.SGD:
    rate, momentum = recipe.learning_rate, recipe.momentum
    return torch.optim.SGD(parameters, lr=rate, momentum=momentum)


class Module(LightningModule):
    """The network as Lightning's own first example has it; it logs the mean loss."""

    def __init__(self, net: Net, recipe: Recipe):
        super().__init__()
        self.net, self.recipe = net, recipe

    def training_step(self, batch, number):
        inputs, labels = batch
        loss = F.cross_entropy(self.net(inputs), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self):
        return sgd(self.parameters(), self.recipe)


class LightningClock(Callback):
    def on_train_batch_start(self, trainer, module, batch, number):
        if number == 0:
            self.begin = clock()

    def on_train_epoch_end(self, trainer, module):
        self.seconds = clock() - self.begin


def lightning(net: Net, images: data.Images, recipe: Recipe) -> float:
    watch = LightningClock()
    off = ("logger", "enable_checkpointing", "enable_progress_bar")
    settings = dict.fromkeys((*off, "enable_model_summary"), False)
    trainer = Trainer(
        accelerator="cpu", devices=1, max_epochs=1, callbacks=watch, **settings
    )
    trainer.fit(Module(net, recipe), batches(images, recipe))
    return watch.seconds


class FastaiClock(FastaiCallback):
    def before_batch(self):
        if self.iter == 0:
            self.begin = clock()

    def after_train(self):
        self.seconds = clock() - self.begin


def fastai(net: Net, images: data.Images, recipe: Recipe) -> float:
    watch, loaders = FastaiClock(), DataLoaders(batches(images, recipe), [])
    optimizer = {"opt": torch.optim.SGD, "momentum": recipe.momentum}
    learner = Learner(
        loaders,
        net,
        nn.CrossEntropyLoss(),
        opt_func=partial(OptimWrapper, **optimizer),
        lr=recipe.learning_rate,
        cbs=watch,
    )
    with learner.no_logging():
        learner.fit(1)
    return watch.seconds


WORKERS = "tutorial, 2 workers"
CONTENDERS = {
    "fit": ours,
    "tutorial": partial(tutorial, workers=0),
    WORKERS: partial(tutorial, workers=2),
    "Lightning": lightning,
    "fastai": fastai,
}


def images_to_train_on() -> tuple[data.Images, ...]:
    """Return training and validation images."""
    if download.find("cifar10", download.data_root()):
        return tuple(data.load("cifar10", split) for split in ("train", "val"))
    print("no CIFAR-10 here (set COURSE_DATA): scikit-learn's digits as 32x32 colour")
    form = {"size": 32, "channels": 3}
    return tuple(data.load("digits", split, **form) for split in ("train", "val"))


def seeded() -> Net:
    torch.manual_seed(0)
    return Net()


def compare(train: data.Images, val: data.Images, recipe: Recipe) -> None:
    """Print a row for each contender at one batch size."""
    networks = {name: seeded() for name in CONTENDERS}
    seconds = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, epoch in CONTENDERS.items():
            seconds[name].append(epoch(networks[name], train, recipe))
    median = {name: statistics.median(each[1:]) for name, each in seconds.items()}
    what = f"{ROUNDS} epochs of {len(train):,} images of {train.name}"
    print(f"\nbatch {recipe.batch_size}, {what}")
    for name, network in networks.items():
        top1 = evaluate(network, val).top1
        print(
            f"  {name:19} {len(train) / median[name]:9,.0f} images/s   fit is "
            f"{median[name] / median['fit']:4.1f}x   top-1 {top1:.1%}"
        )


def main(cpu: bool) -> None:
    global clock
    torch.set_num_threads(1 if cpu else 2)
    if cpu:
        clock = time.process_time
        del CONTENDERS[WORKERS]
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")  # advice on workers, logs
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores as this starts")
    train, val = images_to_train_on()
    for batch_size, (count, rate) in SETTINGS.items():
        recipe = Recipe(
            epochs=1,
            batch_size=batch_size,
            learning_rate=rate,
            weight_decay=0.0,
            schedule="constant",
            channels_last=True,  # the same sums in another order of memory
        )
        compare(train.take(min(count, len(train))), val, recipe)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cpu", action="store_true")
    main(**vars(parser.parse_args()))
