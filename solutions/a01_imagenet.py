# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,nbgrader,-all
#     notebook_metadata_filter: kernelspec,jupytext,-all
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
# # Assignment 1 · ImageNet and how it is measured (20 points)
#
# The notebook `01_imagenet` measured a network of 1,000 classes with ready-made functions. Here you
# write the measures yourself: the top-k error and the ten crops of 2012. You also compute the mean
# and standard deviation of a data set that memory cannot hold.
#
# | | exercise | points |
# |---|---|---|
# | 1 | The top-k error, with ties | 3 |
# | 2 | One crop and ten | 4 |
# | 3 | The mean of ten softmax outputs | 4 |
# | 4 | Mean and standard deviation of a stream | 5 |
# | 5 | What ten crops see | 2 |
# | 6 | Why top-5? | 2 |
#
# Replace each `raise NotImplementedError`. The free cell after each solution is for your own prints
# and drawings; it is not graded. The *visible* tests give some of the points, and you can run them.
# After you hand in, *hidden* tests ask the same function about other inputs; the first line of a
# hidden test says which. Images are (N, C, H, W) throughout. All of it computes in a few seconds.
#
# "The paper" is Krizhevsky et al., *ImageNet Classification with Deep Convolutional Neural
# Networks*, [NeurIPS
# 2012](https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks).

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

from course_lib import check, data


def refusal(function, *arguments) -> Exception | None:
    """Return what a call raises, or None where it answers."""
    try:
        function(*arguments)
    except Exception as error:
        return error

# %% [markdown]
# ### 1 · The top-k error, with ties (3 points)
#
# ImageNet counts an image as right when its class is among the network's five largest logits. What
# if the fifth and the sixth are equal? `torch.topk` then keeps one of them; which one is not
# defined. A network that answers the same for all classes would look better than it is. Numbers of
# 16 bits make such ties common.
#
# **Contract.** `top_k_error(logits, labels, k)` takes logits (N, K) and labels (N,), which are
# integers. It returns a `float` from 0 to 1: the share of images that are wrong. An image is right
# when *fewer than k other classes* have a logit that is as large as that of its class or larger. So
# a tie counts against the network. With k = K every image is right. It raises a `ValueError` whose
# message names the bad value:
#
# - k, when it is below 1 or above K;
# - a label that is below 0 or not below K;
# - the number of labels, when it is not the number of images, or when it is 0;
# - the index of an image that has a NaN among its logits.
#
# *Hint:* `logits.gather(1, labels[:, None])` is the logit of the true class. A negative index
# counts from the end, and no comparison with NaN is true. *To see it:* compare with `torch.topk`
# for logits that are all zero.

# %% nbgrader={"grade": false, "grade_id": "topk", "locked": false, "schema_version": 3, "solution": true, "task": false}
def top_k_error(logits: Tensor, labels: Tensor, k: int) -> float:
    """Return the share of images whose class is not among the k largest logits.

    logits: (N, K). labels: (N,). A tie counts against the network. Raises ValueError.
    """
    ### BEGIN SOLUTION
    count, classes = logits.shape
    if not 1 <= k <= classes:
        raise ValueError(f"k is {k}: expected 1 to {classes}")
    if len(labels) != count or count == 0:
        raise ValueError(f"{len(labels)} labels of {count} images: expected as many, 1 or more")
    for label in labels.tolist():
        if not 0 <= label < classes:
            raise ValueError(f"the label {label} is none of 0 to {classes - 1}")
    for index in logits.isnan().any(dim=1).nonzero().flatten().tolist():
        raise ValueError(f"image {index} has a logit that is not a number")
    own = logits.gather(1, labels[:, None].long())
    rivals = (logits >= own).sum(dim=1) - 1  # its own logit is no rival
    return (rivals >= k).double().mean().item()
    ### END SOLUTION

# %%
# Yours: for example, the top-1 to top-10 error of logits that are all zero.

# %% nbgrader={"grade": true, "grade_id": "topk_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
logits = torch.tensor([[5.0, 4, 3, 2], [1, 9, 8, 7], [0, 1, 2, 3], [6, 5, 8, 7]])
labels = torch.tensor([0, 2, 0, 1])  # of rank 1, 2, 4 and 4
mine = top_k_error(logits, labels, 1)
assert mine is not None, "your function returns None: is there a `return`?"
assert isinstance(mine, float), f"a float, please; yours is {mine!r}"
assert mine != 0.25, "0.25 is the share that is right: the error is 1 minus it"
try:
    errors = [top_k_error(logits, labels, k) for k in (1, 2, 3, 4)]
except ValueError as error:
    raise AssertionError(f"k from 1 to K is allowed; your function says: {error}") from error
for mistake, wrong in {
    "the class itself is no rival: fewer than k *other* classes": [1.0, 0.75, 0.5, 0.5],
    "right means among the k largest, not the k smallest": [0.5, 0.5, 0.25, 0.0],
    "one rank too many: with k rivals the image is wrong": [0.5, 0.5, 0.0, 0.0],
}.items():
    assert errors != wrong, mistake
for k, mine, true in zip((1, 2, 3, 4), errors, (0.75, 0.5, 0.5, 0.0), strict=True):
    assert mine <= 1, f"{mine} is a number of images or percent: a share, please"
    assert mine == true, f"top-{k} error: yours is {mine}, expected {true}"
same = torch.zeros(4, 6)
for k, true in [(1, 1.0), (5, 1.0), (6, 0.0)]:
    mine = top_k_error(same, torch.tensor([0, 1, 4, 5]), k)
    assert mine == true, f"six equal logits, k = {k}: a tie counts against the network ({mine}, expected {true})"

# %% nbgrader={"grade": true, "grade_id": "topk_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: digits with logits of 16 bits, many classes, minus infinity; bad k, labels and logits.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(1)
written = data.load("digits", "test")
pixels = written.images.flatten(1).double() / 255
means = torch.stack([pixels[written.labels == c].mean(dim=0) for c in range(10)])
near = -torch.cdist(pixels, means)
cut = torch.where(near < near.median(), -torch.inf, near)
wide = torch.randint(0, 40, (60, 100), generator=rng).float()
cases = [(near, written.labels), (near.bfloat16(), written.labels), (cut, written.labels)]
cases += [(wide, torch.randint(0, 100, (60,), generator=rng))]
cases += [(wide[:1], torch.tensor([99])), (wide[:, :1], torch.zeros(60, dtype=torch.long))]
for logits, labels in cases:
    rows = list(zip(logits.tolist(), labels.tolist(), strict=True))
    rivals = [sum(value >= row[label] for value in row) - 1 for row, label in rows]
    for k in (k for k in (1, 2, 5, 10, 37, 99, 100) if k <= logits.shape[1]):
        before = logits.clone(), labels.clone()
        mine, true = top_k_error(logits, labels, k), sum(r >= k for r in rivals) / len(rows)
        what = f"top-{k} error of {tuple(logits.shape)} {logits.dtype}"
        assert abs(mine - true) < 1e-9, f"{what}: yours is {mine}, expected {true}"
        assert torch.equal(logits, before[0]), "your function changed the logits"
        assert torch.equal(labels, before[1]), "your function changed the labels"
good, four = torch.arange(12.0).view(4, 3), torch.tensor([0, 2, 1, 0])
bad = good.clone()
bad[2, 1] = torch.nan
for logits, labels, k, word, what in [
    *((good, four, k, str(k), f"k = {k} of 3 classes") for k in (0, 4, -7)),
    *((good, torch.tensor([0, c, 1, 0]), k, str(c), f"a label {c} of 3 classes, k = {k}") for c, k in [(3, 1), (-1, 1), (11, 3)]),
    (good, four[:3], 1, "3", "3 labels of 4 images"),
    (good[:3], four, 1, "4", "4 labels of 3 images"),
    (good[:0], four[:0], 1, "0", "no image"),
    (bad, four, 1, "2", "a NaN in the logits of image 2"),
    (bad, torch.tensor([0, 0, 2, 0]), 3, "2", "a NaN in the logits of image 2, k = K"),
]:
    found = refusal(top_k_error, logits, labels, k)
    right = isinstance(found, ValueError)
    assert right, f"{what}: a ValueError is expected, not {found!r}"
    assert word in str(found), f"{what}: the message {str(found)!r} does not name {word}"
### END HIDDEN TESTS

# %% [markdown]
# ### 2 · One crop and ten (4 points)
#
# A photo is resized to 256 pixels, and the network sees 224 of them. Which ones? The middle is the
# usual answer. The paper takes the four corners and the centre "as well as their horizontal
# reflections" (section 4.1).
#
# **Contract.** `center_crop(images, side)` returns (N, C, side, side). The number of rows above is
# half of H − side, the number of columns to the left is half of W − side. A half is rounded to the
# *even* number, as torchvision does: 0.5 to 0, 1.5 to 2.
#
# The second function, `ten_crop(images, side)`, returns (10, N, C, side, side). The first five are
# the patches top left, top right, bottom left, bottom right and centre. Patch 5 + i is patch i
# mirrored, left to right. That is the paper's definition. It is not torchvision's order:
# torchvision mirrors the image and then crops it, so its sixth patch is our seventh. Both functions
# raise a `ValueError` that names `side` when it is below 1, above H or above W. The type of the
# numbers stays, and the input is not changed. torchvision's functions are forbidden here.
#
# *Hint:* Python's `round` rounds a half to the even number; `Tensor.flip`. *To see it:* draw the
# ten patches of a photo.

# %% nbgrader={"grade": false, "grade_id": "center", "locked": false, "schema_version": 3, "solution": true, "task": false}
def center_crop(images: Tensor, side: int) -> Tensor:
    """Return the middle (N, C, side, side) of images (N, C, H, W).

    Raises ValueError when an image is smaller than the crop.
    """
    ### BEGIN SOLUTION
    height, width = images.shape[2:]
    if not 1 <= side <= min(height, width):
        raise ValueError(f"no crop of {side} pixels in an image of {height}×{width}")
    top, left = round((height - side) / 2), round((width - side) / 2)
    return images[:, :, top : top + side, left : left + side]
    ### END SOLUTION

# %% nbgrader={"grade": false, "grade_id": "ten", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ten_crop(images: Tensor, side: int) -> Tensor:
    """Return (10, N, C, side, side): four corners, the centre, and their mirror images.

    Raises ValueError when an image is smaller than a crop. Source: section 4.1 of the paper.
    """
    ### BEGIN SOLUTION
    middle = center_crop(images, side)
    top, bottom = images[:, :, :side], images[:, :, -side:]
    corners = [part[..., columns] for part in (top, bottom) for columns in (slice(side), slice(-side, None))]
    five = torch.stack([*corners, middle])
    return torch.cat([five, five.flip(-1)])
    ### END SOLUTION

# %%
# Yours: for example, the ten patches of a photo of load_sample_images().

# %% nbgrader={"grade": false, "grade_id": "ready", "locked": true, "schema_version": 3, "solution": false, "task": false}
READY_MADE = (
    "torchvision.transforms.functional.crop",
    "torchvision.transforms.v2.functional._geometry.crop_image",
    "torchvision.transforms.v2.functional._geometry.center_crop_image",
)
PHOTOS = torch.stack([torch.tensor(p).movedim(2, 0) for p in load_sample_images().images])

# %% nbgrader={"grade": true, "grade_id": "center_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
before = PHOTOS.clone()
with check.without(*READY_MADE):
    mine = center_crop(PHOTOS, 224)
assert mine is not None, "your function returns None: is there a `return`?"
shape = tuple(mine.shape)
assert shape != (2, 3, 219, 224), "rows and columns are exchanged: images are (N, C, H, W)"
assert shape == (2, 3, 224, 224), f"the crop is {shape}, expected (2, 3, 224, 224)"
assert mine.dtype == torch.uint8, f"the crop is {mine.dtype}, the photos are torch.uint8"
assert torch.equal(PHOTOS, before), "your function changed the photos"
corner = torch.equal(mine, PHOTOS[:, :, :224, :224])
assert not corner, "that is the top left corner: half of the rest lies above, half below"
down = [n for n in range(204) if torch.equal(mine[0], PHOTOS[0, :, n : n + 224, 208:432])]
assert down != [101], "203 rows are left: half of it, 101.5, is rounded to the even 102"
assert down == [102], f"your crop begins at row {down or 'none'}, expected row 102, column 208"
line = torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 5, 6)
with check.without(*READY_MADE):
    mine = center_crop(line, 5)[0, 0, 0].tolist()
assert mine != [1, 2, 3, 4, 5], "1 column is left: half of it, 0.5, is rounded to the even 0"
assert mine == [0, 1, 2, 3, 4], f"a row 0 to 5, side 5: yours is {mine}, expected 0 to 4"

# %% nbgrader={"grade": true, "grade_id": "center_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: all margins from 0 to 11, high and wide images; the whole image; sides that do not fit.
### BEGIN HIDDEN TESTS
half_even = [0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 5, 6]  # of the margins 0 to 11
for above in range(12):
    side, left = (1, 4, 7)[above % 3], (5 * above + 2) % 12
    height, width = side + above, side + left
    images = torch.arange(6 * height * width).view(2, 3, height, width)
    with check.without(*READY_MADE):
        mine = center_crop(images, side)
    top, first = half_even[above], half_even[left]
    true = images[:, :, top : top + side, first : first + side]
    what = f"the crop of {side} from {height}×{width}"
    assert mine.shape == true.shape, f"{what} is {tuple(mine.shape)}"
    assert mine.dtype == true.dtype, f"{what} is {mine.dtype}"
    start = divmod(int(mine[0, 0, 0, 0]), width)
    assert torch.equal(mine, true), f"{what} begins at {start}, expected {(top, first)}"
for height, width, side in [(5, 9, 6), (9, 5, 6), (4, 4, 5), (4, 4, 0), (4, 4, -2)]:
    refused, what = None, f"a crop of {side} from {height}×{width}"
    try:
        center_crop(torch.zeros(1, 3, height, width), side)
    except Exception as error:
        refused = error
    right = isinstance(refused, ValueError)
    assert right, f"{what}: a ValueError is expected, not {refused!r}"
    assert str(side) in str(refused), f"the message {str(refused)!r} does not name {side}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ten_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
images = torch.arange(48).view(2, 1, 4, 6)
with check.without(*READY_MADE):
    mine = ten_crop(images, 2)
assert mine is not None, "your function returns None: is there a `return`?"
assert isinstance(mine, Tensor), f"one tensor, please; yours is a {type(mine).__name__}"
shape = tuple(mine.shape)
assert shape != (2, 10, 1, 2, 2), "the ten come first: (10, N, C, side, side)"
assert shape == (10, 2, 1, 2, 2), f"the patches are {shape}, expected (10, 2, 1, 2, 2)"
starts = mine[:, 0, 0, 0, 0].tolist()
assert starts[:5] != [0, 12, 4, 16, 8], "top right is the second patch, bottom left the third"
assert starts[:5] != [0, 1, 4, 5, 12], "first the five patches, then their mirror images"
assert starts[:5] != [8, 0, 4, 12, 16], "the centre comes after the corners"
assert starts[:5] == [0, 4, 12, 16, 8], f"the first five begin with {starts[:5]}, expected 0, 4, 12, 16, 8"
assert starts[5:] != [5, 1, 17, 13, 9], "mirror the patch; torchvision mirrors the image, and then crops"
assert starts[5:] != [6, 10, 18, 22, 14], "left to right: yours are upside down"
assert starts[5:] != [9, 17, 13, 5, 1], "patch 5 + i is patch i mirrored: the same order"
assert starts[5:] != [7, 11, 19, 23, 15], "left to right alone: yours are turned by half"
assert starts[5:] != starts[:5], "the last five are not mirrored"
assert starts[5:] == [1, 5, 13, 17, 9], f"the last five begin with {starts[5:]}, expected 1, 5, 13, 17, 9"

# %% nbgrader={"grade": true, "grade_id": "ten_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: a photo, odd margins, the whole image, other types; sides that do not fit.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(2)
small = torch.randn(3, 2, 8, 7, generator=rng)
for images, side in [(PHOTOS[:, :, ::2, ::2], 99), (small, 5), (small, 7), (small, 1), (small.double(), 4)]:
    height, width = images.shape[2:]
    before = images.clone()
    with check.without(*READY_MADE):
        mine = ten_crop(images, side)
    assert torch.equal(images, before), "your function changed the images"
    what = f"ten_crop of {tuple(images.shape)}, side {side}"
    assert mine.shape == (10, *images.shape[:2], side, side), f"{what} is {tuple(mine.shape)}"
    assert mine.dtype == images.dtype, f"{what} is {mine.dtype}, not {images.dtype}"
    low, right = height - side, width - side
    places = [(0, 0), (0, right), (low, 0), (low, right)]
    five = [images[:, :, y : y + side, x : x + side] for y, x in places]
    five.append(center_crop(images, side))  # yours
    names = "top left", "top right", "bottom left", "bottom right", "centre"
    for i, true in enumerate(five):
        assert torch.equal(mine[i], true), f"{what}: patch {i}, {names[i]}"
        assert torch.equal(mine[5 + i], true.flip(3)), f"{what}: patch {5 + i}, {names[i]} mirrored"
for height, width, side in [(5, 9, 6), (9, 5, 6), (4, 4, 0), (4, 4, -1)]:
    refused, what = None, f"ten crops of {side} from {height}×{width}"
    try:
        ten_crop(torch.zeros(2, 3, height, width), side)
    except Exception as error:
        refused = error
    right = isinstance(refused, ValueError)
    assert right, f"{what}: a ValueError is expected, not {refused!r}"
    assert str(side) in str(refused), f"the message {str(refused)!r} does not name {side}"
### END HIDDEN TESTS

# %% [markdown]
# ### 3 · The mean of ten softmax outputs (4 points)
#
# The paper predicts "by averaging the predictions made by the network's softmax layer on the ten
# patches" (section 4.1). If the logits were averaged, one patch with a far too large logit could
# outvote the nine others.
#
# **Contract.** `ten_crop_probabilities(network, images, side)` takes a network that returns logits
# (N, K) for patches (N, C, side, side). It returns the mean of the ten softmax outputs, (N, K), for
# the patches of `ten_crop`. The network sees at most N patches at once: those of one place, then
# those of the next. So the network needs no more memory than for one crop. The network computes in
# *eval* mode, and no gradients are recorded. Afterwards *each* module of the network has the mode
# that it had before, also when the network raises an error.
#
# *Hint:* modules may have different modes; `network.modules()` has them all. `try` and `finally`.
# *To see it:* how far are both means apart for logits that you choose?

# %% nbgrader={"grade": false, "grade_id": "networks", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Small(nn.Module):
    """A network that refuses more than `most` patches at once, and gradients."""

    def __init__(self, channels: int, side: int, classes: int, most: int):
        super().__init__()
        self.most = most
        self.stem = nn.Sequential(nn.BatchNorm2d(channels), nn.Flatten(), nn.Dropout(0.5))
        self.head = nn.Linear(channels * side * side, classes)

    def forward(self, patches: Tensor) -> Tensor:
        if len(patches) > self.most:
            raise RuntimeError(f"{len(patches)} patches at once, memory for {self.most}: one place after another")
        if torch.is_grad_enabled():
            raise RuntimeError("gradients are recorded, which costs memory")
        return self.head(self.stem(patches))

# %% nbgrader={"grade": false, "grade_id": "average", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ten_crop_probabilities(network: nn.Module, images: Tensor, side: int) -> Tensor:
    """Return the mean softmax output (N, K) of ten patches of each image (N, C, H, W).

    The network is left as it was. Source: section 4.1 of the paper.
    """
    ### BEGIN SOLUTION
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            outputs = [network(patches).softmax(dim=1) for patches in ten_crop(images, side)]
    finally:
        for module, mode in modes:
            module.training = mode
    return torch.stack(outputs).mean(dim=0)
    ### END SOLUTION

# %%
# Yours: for example, both means for a network of your own.

# %% nbgrader={"grade": true, "grade_id": "average_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(3)
images = torch.randn(6, 3, 9, 8)
network = Small(3, 5, 4, most=6)
with torch.no_grad():
    network.head.weight.mul_(6)
with torch.enable_grad():
    mine = ten_crop_probabilities(network, images, 5)
assert mine is not None, "your function returns None: is there a `return`?"
shape = tuple(mine.shape)
assert shape == (6, 4), f"the probabilities are {shape}, expected (6, 4)"
with torch.no_grad():
    network.eval()
    logits = torch.stack([network(patch) for patch in ten_crop(images, 5)])  # yours
true = logits.softmax(dim=2).mean(dim=0)
for mistake, wrong in {
    "the logits are averaged: take the softmax first, then the mean": logits.mean(dim=0).softmax(dim=1),
    "these are mean logits: where is the softmax?": logits.mean(dim=0),
    "logarithms are averaged: take the mean of the probabilities": logits.log_softmax(dim=2).mean(dim=0).exp(),
    "the softmax runs over the images: over the classes, dim=1": logits.softmax(dim=1).mean(dim=0),
    "this is a sum: divide by ten": 10 * true,
    "the largest of the ten: take their mean": logits.softmax(dim=2).amax(dim=0),
    "the centre alone": logits[4].softmax(dim=1),
    "five patches: the mirrored ones are missing": logits[:5].softmax(dim=2).mean(dim=0),
}.items():
    same = torch.allclose(true, wrong, atol=1e-5)
    assert same or not torch.allclose(mine, wrong, atol=1e-5), mistake
check.close(mine, true, 1e-4, 1e-5, what="probabilities in eval mode")
assert mine.dtype == true.dtype, f"the probabilities are {mine.dtype}, expected {true.dtype}"

# %% nbgrader={"grade": true, "grade_id": "average_left", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
torch.manual_seed(4)
images = torch.randn(5, 1, 6, 6)
for in_eval in ([], ["stem"], ["stem", "head"], ["stem.0"], ["", "stem.2"]):
    network = Small(1, 4, 3, most=5)
    parts = dict(network.named_modules())
    for name in in_eval:
        parts[name].eval()
    before = {name: part.training for name, part in network.named_modules()}
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.enable_grad():  # what you switch off stays off to the end of this block
        mine = ten_crop_probabilities(network, images, 4)
        enabled = torch.is_grad_enabled()
    check.close(mine.sum(dim=1), torch.ones(5), what="the sum of an image's probabilities")
    assert not torch.allclose(mine[0], mine[1]), "two images have the same probabilities"
    assert not mine.requires_grad, "gradients are recorded: torch.no_grad()"
    assert enabled, "gradients are switched off for good: use `with torch.no_grad():`"
    for name, part in network.named_modules():
        was, found = ("train" if mode else "eval" for mode in (before[name], part.training))
        assert was == found, f"module {name!r} was in {was} mode and is left in {found} mode"
    for name, value in network.state_dict().items():
        assert torch.equal(value, weights[name]), f"{name} changed: eval mode leaves it"

# %% nbgrader={"grade": true, "grade_id": "average_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other sizes and networks, digits, one image, very sure patches; a network that raises.
### BEGIN HIDDEN TESTS
torch.manual_seed(5)
written = data.load("digits", "test")
pixels = data.normalise(written.images[:20], written.mean, written.std)
for images, side, classes, scale in [
    (pixels, 6, 10, 3.0), (pixels[:1], 7, 5, 1.0), (torch.randn(7, 2, 10, 5), 4, 3, 200.0), (torch.randn(2, 3, 5, 5), 4, 6, 2.0),
]:
    channels, what = images.shape[1], f"{tuple(images.shape)}, side {side}, {classes} classes"
    network = Small(channels, side, classes, most=len(images))
    with torch.no_grad():
        network.head.weight.mul_(scale)
        network.stem[0].running_mean.normal_()
        network.stem[0].running_var.uniform_(0.5, 2)
    before, modes = images.clone(), [part.training for part in network.modules()]
    with torch.enable_grad():
        mine = ten_crop_probabilities(network, images, side)
    assert torch.equal(images, before), "your function changed the images"
    assert modes == [part.training for part in network.modules()], f"{what}: modes changed"
    network.eval()
    with torch.no_grad():
        every = [network(patch).softmax(dim=1) for patch in ten_crop(images, side)]  # yours
    check.close(mine, sum(every) / 10, 1e-4, 1e-5, what=f"probabilities of {what}")
network = Small(2, 4, 3, most=0)
network.stem[1].eval()
modes = [part.training for part in network.modules()]
try:
    with torch.enable_grad():
        ten_crop_probabilities(network, torch.zeros(2, 2, 6, 6), 4)
except RuntimeError:
    left = [part.training for part in network.modules()]
    assert left == modes, "the network raised an error, and its modes are not what they were"
else:
    raise AssertionError("the network raised an error, and your function did not")
### END HIDDEN TESTS

# %% [markdown]
# ### 4 · Mean and standard deviation of a stream (5 points)
#
# ImageNet has 1.3 million photos: the memory of few machines holds all their pixels. They come in
# batches, and each pixel is seen once. The short formula is $\sigma^2 = E[x^2] - E[x]^2$. In
# float32 it loses most of its digits when the mean is large compared with the deviation. Chan et
# al. ([1983](https://doi.org/10.1080/00031305.1983.10483115)) merge two parts instead. Each part
# has n numbers, their mean, and the sum S of the squared distances from that mean:
#
# $$\delta = \mathrm{mean}_b - \mathrm{mean}_a, \quad \mathrm{mean} = \mathrm{mean}_a + \delta\,\frac{n_b}{n_a + n_b}, \quad S = S_a + S_b + \delta^2\,\frac{n_a n_b}{n_a + n_b}$$
#
# **Contract.** `RunningMoments(channels)` has seen nothing. `update(images)` adds images
# (N, C, H, W) of any type of real numbers. Batches may differ in N, and in H and W; every *pixel*
# counts the same, and N may be 0. The attributes or properties `mean` and `std` are float64 tensors
# (C,), over all pixels seen so far. The std is that of the *population*: divide by the number of
# pixels, not by one less. Both equal the two-pass result to 1e-9 of its size, however the images
# were split. The std of equal pixels is 0, to 1e-7. `merge(other)` adds all that another
# `RunningMoments` has seen. `other` stays as it was. If it is the same object, each of its pixels
# counts twice from then on. A `ValueError` is raised when `mean` or `std` is read before the first
# pixel, and when `images` or `other` have another number of channels. No images are kept. A loader
# may overwrite them, and the stream may be as long as you like.
#
# *Hint:* first `.double()`, then square; `update` may make a part of one batch and merge it.
# *To see it:* the std of `1000 + torch.randn(…)` by both formulas in float32.

# %% nbgrader={"grade": false, "grade_id": "moments", "locked": false, "schema_version": 3, "solution": true, "task": false}
class RunningMoments:
    """Mean and population standard deviation of each channel, over batches of images.

    Raises ValueError for another number of channels, and before the first pixel.
    """

    def __init__(self, channels: int):
        ### BEGIN SOLUTION
        self.count = 0  # pixels of one channel
        self.center = torch.zeros(channels, dtype=torch.float64)
        self.squares = torch.zeros(channels, dtype=torch.float64)  # Σ (x − mean)²
        ### END SOLUTION

    def update(self, images: Tensor) -> None:
        """Add the pixels of images (N, C, H, W)."""
        ### BEGIN SOLUTION
        pixels = images.double().movedim(1, 0).flatten(1)  # (C, N·H·W)
        part = RunningMoments(len(pixels))
        part.count = pixels.shape[1]
        part.center = pixels.mean(dim=1)
        part.squares = (pixels - part.center[:, None]).square().sum(dim=1)
        self.merge(part)
        ### END SOLUTION

    def merge(self, other: "RunningMoments") -> None:
        """Add all that `other` has seen; `other` stays as it was."""
        ### BEGIN SOLUTION
        if len(other.center) != len(self.center):
            raise ValueError(f"{len(other.center)} channels: expected {len(self.center)}")
        total, delta = self.count + other.count, other.center - self.center
        if other.count:
            between = delta**2 * (self.count / total) * other.count
            self.center = self.center + delta * (other.count / total)
            self.squares = self.squares + other.squares + between
            self.count = total
        ### END SOLUTION

    @property
    def mean(self) -> Tensor:
        """The mean of each channel, float64 (C,)."""
        ### BEGIN SOLUTION
        if self.count == 0:
            raise ValueError("no pixel was seen yet: there is no mean")
        return self.center
        ### END SOLUTION

    @property
    def std(self) -> Tensor:
        """The population standard deviation of each channel, float64 (C,)."""
        ### BEGIN SOLUTION
        if self.count == 0:
            raise ValueError("no pixel was seen yet: there is no standard deviation")
        return (self.squares / self.count).sqrt()
        ### END SOLUTION

# %%
# Yours: for example, the std of 1000 + torch.randn(8, 3, 64, 64) by both formulas.

# %% nbgrader={"grade": false, "grade_id": "two_pass", "locked": true, "schema_version": 3, "solution": false, "task": false}
def fed(batches: list[Tensor]) -> "RunningMoments":
    """Return your moments of the batches, from a buffer that is overwritten."""
    moments = RunningMoments(batches[0].shape[1])
    for batch in batches:
        buffer = batch.clone()
        moments.update(buffer)
        buffer.zero_()
    return moments


def two_pass(batches: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and std (C,) of all pixels, which are in memory at once."""
    pixels = torch.cat([batch.double().movedim(1, 0).flatten(1) for batch in batches], dim=1)
    mean = pixels.mean(dim=1)
    return mean, (pixels - mean[:, None]).square().mean(dim=1).sqrt()


def agrees(moments: "RunningMoments", batches: list[Tensor], what: str) -> None:
    """Check the moments against two passes."""
    mean, std = two_pass(batches)
    for name, mine, true in [("mean", moments.mean, mean), ("std", moments.std, std)]:
        assert isinstance(mine, Tensor), f"{name} is a {type(mine).__name__}, not a tensor"
        assert mine.dtype == torch.float64, f"{name} is {mine.dtype}, expected torch.float64"
        check.close(mine, true, 1e-9, 1e-12, what=f"{name} of {what}")

# %% nbgrader={"grade": true, "grade_id": "moments_visible", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
parts = [PHOTOS[:1, :, :40, :30], PHOTOS[:, :, 200:207, 300:305], PHOTOS[1:, :, 60:62, :9]]
moments = fed(parts)
mine = [moments.mean, moments.std]
assert mine[0] is not None, "mean is None: is there a `return`?"
shapes = [tuple(value.shape) for value in mine]
assert shapes == [(3,), (3,)], f"mean and std are {shapes}, expected (3,): one number a channel"
means, stds = zip(*[two_pass([part]) for part in parts], strict=True)
each = torch.tensor([len(part) for part in parts], dtype=torch.float64)[:, None]
sizes = torch.tensor([part[:, 0].numel() for part in parts], dtype=torch.float64)[:, None]
inside = ((torch.stack(stds) ** 2 * sizes).sum(dim=0) / sizes.sum()).sqrt()
pixels = torch.cat([part.double().movedim(1, 0).flatten(1) for part in parts], dim=1)
for i, mistake, wrong in [
    (0, "the mean of the last batch alone", means[-1]),
    (0, "the mean of the batches' means: a small batch counts less", torch.stack(means).mean(dim=0)),
    (0, "a batch counts by its images: its *pixels* count", (torch.stack(means) * each).sum(0) / each.sum()),
    (0, "the mean over channels, too", pixels.mean().expand(3)),
    (1, "the variance: where is the root?", pixels.var(dim=1, correction=0)),
    (1, "the std of a sample: divide by the number of pixels, not by one less", pixels.std(dim=1)),
    (1, "the std within the batches: it misses how far their means are apart", inside),
    (1, "the std over channels, too", pixels.std(correction=0).expand(3)),
    (1, "the mean of the batches' std: it misses how far their means are apart", torch.stack(stds).mean(dim=0)),
]:
    close = mine[i].shape == wrong.shape and torch.allclose(mine[i].double(), wrong, rtol=1e-7)
    assert not close, f"{('mean', 'std')[i]}: this is {mistake}"
agrees(moments, parts, "three pieces of photos")
again = moments.mean
assert torch.equal(again, mine[0]), "the mean changes when it is read twice"

# %% nbgrader={"grade": true, "grade_id": "moments_precise", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rng = torch.Generator().manual_seed(6)
away = torch.tensor([100.0, -90.0, 0.0]).view(3, 1, 1)
batches = [away + 0.5 * torch.randn(n, 3, 20, 20, generator=rng) for n in (16, 16, 5)]
moments = fed(batches)
far = (moments.std - two_pass(batches)[1]).abs().max().item()
assert far < 1e-9, f"the std of float32 pixels around 100 is off by {far:.1e}: squares lose digits in float32"
agrees(moments, batches, "float32 pixels around 100")
moments = fed([torch.full((3, 2, 5, 5), 0.1)] * 4)
largest = moments.std.abs().max().item()
assert largest < 1e-7, f"the std of equal pixels is {largest}, expected 0"

# %% nbgrader={"grade": true, "grade_id": "moments_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: digits in odd batches, any split of one set, many types of numbers, no image, one pixel; bad use.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(7)
written = data.load("digits", "test")
agrees(fed(list(written.images.split(50))), [written.images], "digits in batches of 50")
whole = 30 * torch.randn(9, 4, 5, 6, generator=rng) + torch.tensor([90.0, 0, -8, 40]).view(4, 1, 1)
for size in (1, 2, 8, 9):
    agrees(fed(list(whole.split(size))), [whole], f"9 images in batches of {size}")
for kind in (torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int8, torch.int16):
    batches = [part.to(kind) for part in whole.split(5)]
    agrees(fed(batches), batches, f"images of {kind}")
few, none = whole[:3, :, :2, :3], whole[:0]
agrees(fed([none, few, none, whole, none]), [few, whole], "batches of which some are empty")
agrees(fed([whole[:1, :, :1, :1], few]), [whole[:1, :, :1, :1], few], "one pixel and a batch")
check.close(fed([whole[:1, :, :1, :1]]).std, [0.0] * 4, 0, 1e-7, what="the std of one pixel")
moments = fed([few])
first = moments.mean, moments.std
moments.mean, moments.std  # reading them changes nothing
agrees(moments, [few], "a batch, read twice")
moments.update(whole)
agrees(moments, [few, whole], "a batch that comes after a look")
check.close(first[0], two_pass([few])[0], 1e-9, 1e-12, what="the mean that was read before")
untouched = whole.clone()
moments.update(whole.view(9, 4, 6, 5))
assert torch.equal(whole, untouched), "update changed the images"
for channels, images in [(3, whole), (5, whole), (1, whole[:2])]:
    found = refusal(RunningMoments(channels).update, images)
    what, right = f"images of 4 channels, moments of {channels}", isinstance(found, ValueError)
    assert right, f"{what}: a ValueError is expected, not {found!r}"
for name in ("mean", "std"):
    for moments in (RunningMoments(4), fed([none])):
        found = refusal(getattr, moments, name)
        right = isinstance(found, ValueError)
        assert right, f"{name} before the first pixel: a ValueError is expected, not {found!r}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "moments_merge_hidden", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: parts merged in two orders, empty parts, a part that lives on, one merged with itself; a long stream.
### BEGIN HIDDEN TESTS
rng = torch.Generator().manual_seed(8)
parts = [c + torch.randn(n, 2, 5, n, generator=rng) for c, n in [(40.0, 3), (-7.0, 8), (0.0, 1)]]
for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
    one, two, three = (fed([parts[i]]) for i in order)
    one.merge(two)
    agrees(two, [parts[order[1]]], "what was merged, which stays as it was")
    one.merge(three)
    agrees(one, parts, f"parts {order} merged")
    two.merge(three)
    agrees(two, [parts[i] for i in order[1:]], f"parts {order[1:]} merged")
empty, full = RunningMoments(2), fed(parts[:1])
full.merge(RunningMoments(2))
agrees(full, parts[:1], "a part and an empty one")
empty.merge(full)
agrees(empty, parts[:1], "an empty one that gets a part")
empty.update(parts[1])
agrees(empty, parts[:2], "an empty one that gets a part and a batch")
agrees(full, parts[:1], "a part after that it was merged elsewhere")
full.update(parts[2])
agrees(empty, parts[:2], "what had merged a part that then saw more")
both = RunningMoments(2)
both.merge(RunningMoments(2))
both.update(parts[0])
agrees(both, parts[:1], "two empty ones and a batch")
both.merge(both)
agrees(both, parts[:1] * 2, "moments merged with themselves")
found = refusal(full.merge, fed([parts[0][:, :1]]))
right = isinstance(found, ValueError)
assert right, f"1 channel merged into 2: a ValueError is expected, not {found!r}"
agrees(full, parts[::2], "moments after a merge that was refused")
image = torch.rand(1, 3, 32, 32, generator=rng)
long = fed([image])
for times in range(1, 21):
    long.merge(long)
    if times == 20:
        agrees(long, [image], "an image that was seen 2²⁰ times")
### END HIDDEN TESTS

# %% [markdown]
# ### 5 · What ten crops see (2 points)
#
# **Expect, then compute.** An image has 256×256 pixels, the patches have 224×224. How many pixels
# of the image lie in all five patches, that is in every corner patch and in the central one? How
# many lie in exactly one of the four *corner* patches? And how many pixels does the network read
# for the ten patches, each counted as often as it is read? Write the three numbers down, as
# arithmetic.
#
# *Hint:* draw the four corner patches on paper. *To see it:* add up five masks, after you have
# written your numbers.

# %% nbgrader={"grade": false, "grade_id": "expect", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_pixels() -> tuple[int, int, int]:
    """Return the pixels in all five, in one corner alone, and those that are read."""
    ### BEGIN SOLUTION
    margin = 256 - 224
    return (256 - 2 * margin) ** 2, 4 * margin**2, 10 * 224**2
    ### END SOLUTION

# %%
# Yours: did you expect it?

# %% nbgrader={"grade": true, "grade_id": "expect_hidden", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: your three numbers, against masks.
### BEGIN HIDDEN TESTS
masks = torch.zeros(5, 256, 256, dtype=torch.long)
for i, (top, left) in enumerate([(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]):
    masks[i, top : top + 224, left : left + 224] = 1
true = [masks.all(dim=0).sum(), (masks[:4].sum(dim=0) == 1).sum(), 2 * masks.sum()]
mine = list(expected_pixels())
names = "in all five patches", "in exactly one corner patch", "read for ten patches"
hints = {
    224**2: "224 of the side lie in one patch, and fewer in all",
    160**2: "32 is taken from both sides of 256, not of 224",
    32**2: "that is one of the four corners of the image",
    4 * 32**2 - 4 * 16**2: "the central patch is none of the corner patches",
    256**2 - 192**2: "between two corners of the image, two corner patches overlap",
    5 * 224**2: "the mirror images are read, too",
    10 * 256**2: "a patch has 224×224 pixels, not 256×256",
    256**2: "a pixel counts as often as it is read",
    30 * 224**2: "pixels, not the numbers of their three channels",
}
for name, found, number in zip(names, mine, map(int, true), strict=True):
    hint = hints.get(found, "draw the four corner patches on paper")
    what = f"pixels {name}: you expected {found:,}, there are {number:,}"
    assert found == number, f"{what}: {hint}"
### END HIDDEN TESTS

# %% [markdown]
# ### 6 · Why top-5? (2 points)
#
# ImageNet's contest ranked networks by the top-5 error, and not by top-1. Which property of the
# data is the reason, and which kind of mistake does top-5 forgive? What does it hide when two good
# networks are compared? Answer in two to four sentences. Give one example of a pair of classes, or
# one number from the notebook.

# %% [markdown] nbgrader={"grade": true, "grade_id": "why", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# A photo has one label, but it often shows several of the 1,000 things: a desk with a screen, a
# keyboard and a mouse. An answer that names another thing in the photo is not wrong, and five
# answers leave room for it. Top-5 also forgives the confusion of close neighbours, of which
# ImageNet has many: more than a hundred breeds of dogs, or "maillot" twice. So it hides how well a
# network tells neighbours apart. Good networks all have a top-5 error of a few percent, in which
# label errors are a large part, and their top-1 errors still differ.
#
# **Marking scheme.** 1 point: one label for a photo with several things (or classes that overlap),
# so a sensible answer may be counted as wrong. 1 point: what is forgiven and hidden (fine-grained
# confusion, little difference between good networks), with an example or a number that fits.
# ### END SOLUTION
