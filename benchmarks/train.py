"""`fit` against the loop of PyTorch's own CIFAR-10 tutorial, in images a second.

    python benchmarks/train.py

The peer is the tutorial's: its network, its SGD with momentum, a DataLoader over PIL
images that go through ToTensor and Normalize, with 0 and with 2 workers. Both sides
train that network on the same CIFAR-10 images (found through COURSE_DATA, or else the
digits as 32x32 colour, and it says so) with the same recipe and two CPU threads, in
turn in one process. The first round warms up, of the others the median counts. The
peer's clock starts when its first batch has come, so starting its workers costs it
nothing.
"""

from __future__ import annotations

import statistics
import time

import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from course_lib import data
from course_lib.data import download
from course_lib.train import Recipe, fit

ROUNDS = 6  # epochs of each contender, the first of which warms up
SETTINGS = {4: 1_000, 128: 6_400}  # batch size -> images an epoch
WORKERS = (0, 2)


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


def tutorial(images: data.Images, recipe: Recipe, workers: int):
    """Return a function that trains one more epoch: images/s and mean loss."""
    torch.manual_seed(0)
    net, criterion = Net(), nn.CrossEntropyLoss()
    loader = DataLoader(
        Pictures(images), recipe.batch_size, shuffle=True, num_workers=workers
    )

    def epoch() -> tuple[float, float]:
        optimizer = torch.optim.SGD(
            net.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum
        )
        total, seen, begin = 0.0, 0, None
        for inputs, labels in loader:
            begin = begin or time.perf_counter()
            optimizer.zero_grad()
            loss = criterion(net(inputs), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            seen += len(labels)
        return seen / (time.perf_counter() - begin), total / seen

    return epoch


def ours(images: data.Images, recipe: Recipe):
    """Return the same for `fit`."""
    torch.manual_seed(0)
    net = Net()

    def epoch() -> tuple[float, float]:
        (done,) = fit(net, images, None, recipe, device="cpu", quiet=True)
        return len(images) / done.seconds, done.train_loss

    return epoch


def images_to_train_on() -> data.Images:
    if download.find("cifar10", download.data_root()):
        return data.load("cifar10")
    print("no CIFAR-10 here (set COURSE_DATA): scikit-learn's digits as 32x32 colour")
    return data.load("digits", size=32, channels=3)


def compare(images: data.Images, batch_size: int, learning_rate: float) -> None:
    """Print a row for each contender at one batch size."""
    recipe = Recipe(
        epochs=1,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=0.0,
        schedule="constant",
        channels_last=True,  # the same sums in another order of memory
    )
    contenders = {"fit": ours(images, recipe)}
    for workers in WORKERS:
        contenders[f"tutorial, {workers} workers"] = tutorial(images, recipe, workers)
    rounds = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, epoch in contenders.items():
            rounds[name].append(epoch())
    speeds = {
        name: statistics.median(speed for speed, _ in done[1:])
        for name, done in rounds.items()
    }
    print(f"\nbatch {batch_size}, {len(images):,} images of {images.name} an epoch")
    for name, done in rounds.items():
        ratio = speeds["fit"] / speeds[name]
        print(
            f"  {name:21} {speeds[name]:9,.0f} images/s   fit is {ratio:4.1f}x   "
            f"loss {done[0][1]:.3f} -> {done[-1][1]:.3f} in {ROUNDS} epochs"
        )


def main() -> None:
    torch.set_num_threads(2)
    images = images_to_train_on()
    for batch_size, count in SETTINGS.items():
        few = images.take(min(count, len(images)))
        # the tutorial's 0.001 is for its batch of 4: larger batches, larger steps
        compare(few, batch_size, 0.001 * min(batch_size / 4, 10))


if __name__ == "__main__":
    main()
