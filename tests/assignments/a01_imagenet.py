"""Wrong and right answers to a01_imagenet, and what each is worth."""

TOPK = {"topk_visible", "topk_hidden"}
CENTER = {"center_visible", "center_hidden"}
TEN = {"ten_visible", "ten_hidden"}
AVERAGE = {"average_visible", "average_left", "average_hidden"}
VALUES = {"average_visible", "average_hidden"}
MOMENTS = {
    "moments_visible",
    "moments_precise",
    "moments_hidden",
    "moments_merge_hidden",
}
EXPECT = {"expect_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "ties for the network": (
        "topk",
        "(logits >= own).sum(dim=1) - 1",
        "(logits > own).sum(dim=1)",
        TOPK,
    ),
    "its own logit is a rival": (
        "topk",
        "(logits >= own).sum(dim=1) - 1",
        "(logits >= own).sum(dim=1)",
        TOPK,
    ),
    "the smallest": ("topk", "logits >= own", "logits <= own", TOPK),
    "the share that is right": ("topk", "rivals >= k", "rivals < k", TOPK),
    "one rank too many": ("topk", "rivals >= k", "rivals > k", TOPK),
    "a number of images": (
        "topk",
        "(rivals >= k).double().mean()",
        "(rivals >= k).double().sum()",
        TOPK,
    ),
    "percent": (
        "topk",
        "(rivals >= k).double().mean().item()",
        "100 * (rivals >= k).double().mean().item()",
        TOPK,
    ),
    "a tensor": (
        "topk",
        ".double().mean().item()",
        ".double().mean()",
        {"topk_visible"},
    ),
    "k of 0 accepted": ("topk", "1 <= k <=", "0 <= k <=", {"topk_hidden"}),
    "k above the classes accepted": (
        "topk",
        "not 1 <= k <= classes",
        "k < 1",
        {"topk_hidden"},
    ),
    "k of all classes refused": ("topk", "k <= classes", "k < classes", TOPK),
    "negative labels accepted": (
        "topk",
        "0 <= label < classes",
        "label < classes",
        {"topk_hidden"},
    ),
    "an empty batch accepted": (
        "topk",
        " or count == 0",
        "",
        {"topk_hidden"},
    ),
    "labels of another batch accepted": (
        "topk",
        "len(labels) != count or count == 0",
        "count == 0",
        {"topk_hidden"},
    ),
    "NaN is right": (
        "topk",
        "logits.isnan().any(dim=1).nonzero().flatten().tolist()",
        "[]",
        {"topk_hidden"},
    ),
    "NaN of the true class alone": (
        "topk",
        "logits.isnan().any(dim=1)",
        "logits.gather(1, labels[:, None]).isnan().any(dim=1)",
        {"topk_hidden"},
    ),
    "an error without the value": (
        "topk",
        'f"k is {k}: expected 1 to {classes}"',
        '"bad k"',
        {"topk_hidden"},
    ),
    "halves rounded down": (
        "center",
        "round((height - side) / 2), round((width - side) / 2)",
        "(height - side) // 2, (width - side) // 2",
        CENTER,
    ),
    "halves rounded up": (
        "center",
        "round((height - side) / 2), round((width - side) / 2)",
        "(height - side + 1) // 2, (width - side + 1) // 2",
        CENTER,
    ),
    "the columns' half rounded down": (
        "center",
        "round((width - side) / 2)",
        "(width - side) // 2",
        {"center_hidden"},
    ),
    "rows and columns exchanged": (
        "center",
        "height, width = images.shape[2:]",
        "width, height = images.shape[2:]",
        CENTER | {"ten_visible", "average_hidden"},
    ),
    "one pixel further": (
        "center",
        "top : top + side",
        "top + 1 : top + side + 1",
        CENTER | {"ten_visible"},
    ),
    "one row too few": (
        "center",
        "top : top + side",
        "top : top + side - 1",
        CENTER | TEN | AVERAGE,
    ),
    "no crop returned": (
        "center",
        "return images[:, :, top",
        "images[:, :, top",
        CENTER | TEN | AVERAGE,
    ),
    "a refusal that names no side": (
        "center",
        'f"no crop of {side} pixels in an image of {height}×{width}"',
        '"too small"',
        {"center_hidden", "ten_hidden"},
    ),
    "another error for a ValueError": (
        "center",
        "raise ValueError(",
        "raise IndexError(",
        {"center_hidden", "ten_hidden"},
    ),
    "the top left corner for the centre": (
        "center",
        "top, left = round((height - side) / 2), round((width - side) / 2)",
        "top, left = 0, 0",
        CENTER | {"ten_visible"},
    ),
    "images that are too small": (
        "center",
        "1 <= side <= min(height, width)",
        "1 <= side",
        {"center_hidden", "ten_hidden"},
    ),
    "images that are not high enough": (
        "center",
        "min(height, width)",
        "width",
        {"center_hidden", "ten_hidden"},
    ),
    "a crop of nothing": (
        "center",
        "1 <= side",
        "0 <= side",
        {"center_hidden", "ten_hidden"},
    ),
    "the whole image refused": (
        "center",
        "side <= min",
        "side < min",
        CENTER | {"ten_hidden"},
    ),
    "floats for bytes": (
        "center",
        "left : left + side]",
        "left : left + side].float()",
        CENTER | {"ten_hidden"},
    ),
    "upside down": ("ten", "five.flip(-1)", "five.flip(-2)", TEN),
    "turned by half": ("ten", "five.flip(-1)", "five.flip(-1, -2)", TEN),
    "mirrored patches in reverse": ("ten", "five.flip(-1)", "five.flip(-1, 0)", TEN),
    "the images of the batch in reverse": (
        "ten",
        "five.flip(-1)",
        "five.flip(-1, 1)",
        TEN,
    ),
    "not mirrored": ("ten", "five.flip(-1)", "five", TEN),
    "corners in another order": (
        "ten",
        "for part in (top, bottom) for columns in (slice(side), slice(-side, None))",
        "for columns in (slice(side), slice(-side, None)) for part in (top, bottom)",
        TEN,
    ),
    "centre first": (
        "ten",
        "torch.stack([*corners, middle])",
        "torch.stack([middle, *corners])",
        TEN,
    ),
    "crops off by one": (
        "ten",
        "images[:, :, -side:]",
        "images[:, :, -side - 1 : -1]",
        TEN,
    ),
    "images before patches": (
        "ten",
        "torch.cat([five, five.flip(-1)])",
        "torch.cat([five, five.flip(-1)]).transpose(0, 1)",
        TEN | AVERAGE,
    ),
    "each patch beside its mirror image": (
        "ten",
        "torch.cat([five, five.flip(-1)])",
        "torch.stack([five, five.flip(-1)], dim=1).flatten(0, 1)",
        TEN,
    ),
    "a list": (
        "ten",
        "torch.cat([five, five.flip(-1)])",
        "[*five, *five.flip(-1)]",
        TEN,
    ),
    "averaged before the softmax": (
        "average",
        "network(patches).softmax(dim=1) for patches in ten_crop(images, side)]",
        "network(patches) for patches in ten_crop(images, side)]\n"
        "            outputs = [torch.stack(outputs).mean(dim=0).softmax(dim=1)]",
        VALUES,
    ),
    "logarithms averaged": (
        "average",
        "return torch.stack(outputs).mean(dim=0)",
        "return torch.stack(outputs).log().mean(dim=0).exp()",
        AVERAGE,
    ),
    "no softmax": ("average", ".softmax(dim=1)", "", AVERAGE),
    "softmax over the images": ("average", "softmax(dim=1)", "softmax(dim=0)", AVERAGE),
    "a sum": (
        "average",
        "torch.stack(outputs).mean(dim=0)",
        "torch.stack(outputs).sum(dim=0)",
        AVERAGE,
    ),
    "the largest of ten": (
        "average",
        "torch.stack(outputs).mean(dim=0)",
        "torch.stack(outputs).amax(dim=0)",
        AVERAGE,
    ),
    "five patches": (
        "average",
        "in ten_crop(images, side)",
        "in ten_crop(images, side)[:5]",
        VALUES,
    ),
    "in train mode": ("average", "    network.eval()\n", "", AVERAGE),
    "left in eval mode": (
        "average",
        "module.training = mode",
        "pass",
        {"average_left", "average_hidden"},
    ),
    "left in train mode": (
        "average",
        "        for module, mode in modes:\n            module.training = mode\n",
        "        network.train()\n",
        {"average_left", "average_hidden"},
    ),
    "one mode for all modules": (
        "average",
        "        for module, mode in modes:\n            module.training = mode\n",
        "        network.train(modes[0][1])\n",
        {"average_left", "average_hidden"},
    ),
    "modes lost when the network raises": (
        "average",
        "    finally:\n",
        "    except ZeroDivisionError:\n        pass\n    if True:\n",
        {"average_hidden"},
    ),
    "ten times the memory": (
        "average",
        "outputs = [network(patches).softmax(dim=1) "
        "for patches in ten_crop(images, side)]",
        "every = ten_crop(images, side)\n"
        "            outputs = network(every.flatten(0, 1)).softmax(dim=1)\n"
        "            outputs = [*outputs.view(10, len(images), -1)]",
        AVERAGE,
    ),
    "with gradients": ("average", "torch.no_grad()", "torch.enable_grad()", AVERAGE),
    "gradients off for good": (
        "average",
        "with torch.no_grad():",
        "torch.set_grad_enabled(False)\n        if True:",
        {"average_left"},
    ),
    "the sample's std": (
        "moments",
        "(self.squares / self.count).sqrt()",
        "(self.squares / max(self.count - 1, 1)).sqrt()",
        MOMENTS,
    ),
    "the variance": ("moments", ".sqrt()", "", MOMENTS),
    "unequal batches averaged as equal": (
        "moments",
        "part.count = pixels.shape[1]",
        "part.count = min(pixels.shape[1], 1)",
        MOMENTS,
    ),
    "a batch counts by its images": (
        "moments",
        "part.count = pixels.shape[1]",
        "part.count = len(images)",
        MOMENTS,
    ),
    "mean over channels, too": (
        "moments",
        "pixels.mean(dim=1)",
        "pixels.mean().expand(len(pixels))",
        MOMENTS,
    ),
    "images for channels": (
        "moments",
        "images.double().movedim(1, 0).flatten(1)",
        "images.double().flatten(1).view(images.shape[1], -1)",
        MOMENTS,
    ),
    "nothing between the means": (
        "moments",
        "self.squares + other.squares + between",
        "self.squares + other.squares",
        MOMENTS,
    ),
    "the step not squared": ("moments", "delta**2", "delta.abs()", MOMENTS),
    "between without the total": (
        "moments",
        "(self.count / total) * other.count",
        "self.count * other.count",
        MOMENTS,
    ),
    "the step by the old count": (
        "moments",
        "delta * (other.count / total)",
        "delta * (self.count / total)",
        MOMENTS,
    ),
    "the step's sign": (
        "moments",
        "self.center + delta",
        "self.center - delta",
        MOMENTS,
    ),
    "count not kept": ("moments", "            self.count = total\n", "", MOMENTS),
    "in float32": (
        "moments",
        "images.double()",
        "images.float()",
        MOMENTS,
    ),
    "the mean as float32": (
        "moments",
        "return self.center\n",
        "return self.center.float()\n",
        MOMENTS,
    ),
    "two empty parts": (
        "moments",
        "        if other.count:\n",
        "        if True:\n",
        {"moments_hidden", "moments_merge_hidden"},
    ),
    "the other one changed": (
        "moments",
        "            self.count = total\n",
        "            self.count = other.count = total\n",
        {"moments_merge_hidden"},
    ),
    "other channels accepted": (
        "moments",
        "len(other.center) != len(self.center)",
        "False",
        {"moments_hidden", "moments_merge_hidden"},
    ),
    "a mean of nothing": (
        "moments",
        '            raise ValueError("no pixel was seen yet: there is no mean")',
        "            return self.center",
        {"moments_hidden"},
    ),
    "a std of nothing": (
        "moments",
        '            raise ValueError("no pixel was seen yet: there is no standard '
        'deviation")',
        "            return self.center",
        {"moments_hidden"},
    ),
    "margins on one side": ("expect", "256 - 2 * margin", "256 - margin", EXPECT),
    "one corner": ("expect", "4 * margin**2", "margin**2", EXPECT),
    "margins of the patch": (
        "expect",
        "(256 - 2 * margin) ** 2",
        "(224 - 2 * margin) ** 2",
        EXPECT,
    ),
    "the central patch a corner, too": (
        "expect",
        "4 * margin**2",
        "4 * margin**2 - margin**2",
        EXPECT,
    ),
    "all but the middle": (
        "expect",
        "4 * margin**2",
        "256**2 - (256 - 2 * margin) ** 2",
        EXPECT,
    ),
    "one patch read": ("expect", "10 * 224**2", "224**2", EXPECT),
    "each pixel read once": ("expect", "10 * 224**2", "256**2", EXPECT),
    "numbers of three channels": ("expect", "10 * 224**2", "30 * 224**2", EXPECT),
    "five patches read": ("expect", "10 * 224**2", "5 * 224**2", EXPECT),
    "the image read ten times": ("expect", "10 * 224**2", "10 * 256**2", EXPECT),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "torch.topk": (
        "topk",
        "if not 1 <= k <= logits.shape[1]:\n"
        "    raise ValueError(f'{k}')\n"
        "found = (logits.topk(k).indices == labels[:, None]).any(dim=1)\n"
        "return 1 - found.double().mean().item()",
        TOPK,
    ),
    "it refuses every k": ("topk", "raise ValueError(k)", TOPK),
    "it refuses every side": (
        "center",
        "raise ValueError(side)",
        CENTER | TEN | AVERAGE,
    ),
    "it refuses every side, ten times": (
        "ten",
        "raise ValueError(side)",
        TEN | AVERAGE,
    ),
    "the image mirrored, then cropped": (
        "ten",
        "found = []\n"
        "for view in (images, images.flip(-1)):\n"
        "    for rows in (view[:, :, :side], view[:, :, -side:]):\n"
        "        found += [rows[..., :side], rows[..., -side:]]\n"
        "    found.append(center_crop(view, side))\n"
        "return torch.stack(found)",
        TEN,
    ),
}
HEAD = "class RunningMoments:\n    def __init__(self, channels):\n"
SUMS = (
    HEAD
    + """
        self.n = 0
        self.a = torch.zeros(channels, dtype=KIND)
        self.b = torch.zeros(channels, dtype=KIND)

    def update(self, images):
        x = images.to(KIND)
        if x.shape[1] != len(self.a):
            raise ValueError("channels")
        self.n += x[:, 0].numel()
        self.a = self.a + x.sum((0, 2, 3))
        self.b = self.b + (x * x).sum((0, 2, 3))

    def merge(self, other):
        if len(other.a) != len(self.a):
            raise ValueError("channels")
        self.a, self.b = self.a + other.a, self.b + other.b
        self.n += other.n

    @property
    def mean(self):
        if self.n == 0:
            raise ValueError("nothing")
        return (self.a / self.n).double()

    @property
    def std(self):
        if self.n == 0:
            raise ValueError("nothing")
        variance = self.b / self.n - (self.a / self.n) ** 2
        return variance.clamp(min=0).sqrt().double()
"""
)
KEPT = (
    HEAD
    + """
        self.channels, self.images = channels, []

    def update(self, images):
        if images.shape[1] != self.channels:
            raise ValueError("channels")
        self.images.append(images.double().movedim(1, 0).flatten(1))

    def merge(self, other):
        if other.channels != self.channels:
            raise ValueError("channels")
        self.images = self.images + other.images

    def all(self):
        found = torch.cat(self.images, 1) if self.images else torch.zeros(0, 0)
        if not found.numel():
            raise ValueError("nothing")
        return found

    mean = property(lambda self: self.all().mean(1))
    std = property(lambda self: self.all().std(1, correction=0))
"""
)
LAST = (
    HEAD
    + """
        self.channels = channels

    def update(self, images):
        if images.shape[1] != self.channels:
            raise ValueError("channels")
        found = torch.std_mean(images.double(), (0, 2, 3), correction=0)
        self.std, self.mean = found

    def merge(self, other):
        self.update(torch.stack([self.mean, other.mean])[..., None, None])
"""
)
COURSE = (
    HEAD
    + """
        self.images = None

    def update(self, images):
        old = images[:0] if self.images is None else self.images
        self.images = torch.cat([old.flatten(2), images.flatten(2)], 2)

    def merge(self, other):
        self.update(other.images)

    @property
    def mean(self):
        from course_lib.data.images import moments_of
        return torch.tensor(moments_of(self.images[..., None])[0]) * 255

    @property
    def std(self):
        from course_lib.data.images import moments_of
        return torch.tensor(moments_of(self.images[..., None])[1]) * 255
"""
)
CONSTANT = (
    HEAD
    + """
        self.mean = torch.full((channels,), 0.45, dtype=torch.float64)
        self.std = self.mean / 2

    def update(self, images):
        pass

    merge = update
"""
)
SOURCES = {
    # name: cell, its whole source, test cells it costs
    "the short formula in float32": (
        "moments",
        SUMS.replace("KIND", "torch.float32"),
        MOMENTS,
    ),
    "squares in the images' own type": (
        "moments",
        SUMS.replace("KIND", "torch.float64").replace(
            "(x * x).sum((0, 2, 3))", "(images * images).double().sum((0, 2, 3))"
        ),
        MOMENTS,
    ),
    "all images kept": ("moments", KEPT, {"moments_merge_hidden"}),
    "all images kept, not copied": (
        "moments",
        KEPT.replace("images.double().movedim(1, 0).flatten(1)", "images").replace(
            "torch.cat(self.images, 1)",
            "torch.cat([x.double().movedim(1, 0).flatten(1) for x in self.images], 1)",
        ),
        MOMENTS,
    ),
    "torch's moments of the last batch": ("moments", LAST, MOMENTS),
    "the course's moments": ("moments", COURSE, MOMENTS),
    "a constant": ("moments", CONSTANT, MOMENTS),
}
RIGHT = {
    "ranks by sorting": (
        "topk",
        "n, classes = logits.shape\n"
        "if k < 1 or k > classes:\n"
        "    raise ValueError(f'k = {k}')\n"
        "if not n or labels.shape != (n,):\n"
        "    raise ValueError(f'{labels.numel()} labels, {n} images')\n"
        "if labels.min() < 0 or labels.max() >= classes:\n"
        "    bad = [x for x in labels.tolist() if x not in range(classes)]\n"
        "    raise ValueError(f'labels {bad}')\n"
        "if torch.isnan(logits).any():\n"
        "    rows = logits.isnan().any(1).float()\n"
        "    raise ValueError(f'NaN in image {int(rows.argmax())}')\n"
        "if k == classes:\n"
        "    return 0.0\n"
        "fence = logits.sort(dim=1, descending=True).values[:, k]\n"
        "right = logits[torch.arange(n), labels] > fence\n"
        "return 1 - right.sum().item() / n",
    ),
    "image by image": (
        "topk",
        "rows, truth = logits.tolist(), labels.tolist()\n"
        "if not rows or len(rows) != len(truth):\n"
        "    raise ValueError(f'{len(truth)} labels of {len(rows)} images')\n"
        "if k not in range(1, len(rows[0]) + 1):\n"
        "    raise ValueError(f'k {k}')\n"
        "wrong = 0\n"
        "for i, (row, label) in enumerate(zip(rows, truth)):\n"
        "    if label not in range(len(row)):\n"
        "        raise ValueError(f'label {label}')\n"
        "    if any(value != value for value in row):\n"
        "        raise ValueError(f'image {i}')\n"
        "    own = row.pop(label)\n"
        "    wrong += sum(value >= own for value in row) >= k\n"
        "return wrong / len(rows)",
    ),
    "by topk of the others": (
        "topk",
        "n, classes = logits.shape\n"
        "if not 0 < k <= classes:\n"
        "    raise ValueError(k)\n"
        "if n == 0 or len(labels) != n:\n"
        "    raise ValueError(len(labels), n)\n"
        "for label in labels:\n"
        "    if label < 0 or label > classes - 1:\n"
        "        raise ValueError(f'{label.item()} is no class')\n"
        "if (logits != logits).any():\n"
        "    raise ValueError((logits != logits).nonzero()[0, 0].item())\n"
        "mask = torch.nn.functional.one_hot(labels, classes).bool()\n"
        "others = logits[~mask].view(n, classes - 1)\n"
        "if k == classes:\n"
        "    return 0.0\n"
        "last = others.topk(k).values[:, -1]\n"
        "return float((last >= logits[mask]).sum()) / n",
    ),
    "margins by hand": (
        "center",
        "h, w = images.size(2), images.size(3)\n"
        "if side < 1 or side > h or side > w:\n"
        "    raise ValueError(f'{side} does not fit')\n"
        "def half(margin):\n"
        "    low = margin // 2\n"
        "    return low + 1 if margin % 4 == 3 else low\n"
        "return images.narrow(2, half(h - side), side).narrow(3, half(w - side), side)",
    ),
    "centre by index": (
        "center",
        "h, w = images.shape[-2:]\n"
        "if not (0 < side <= h and side <= w):\n"
        "    raise ValueError('side', side)\n"
        "import numpy as np\n"
        "start = np.round([(h - side) / 2, (w - side) / 2]).astype(int)\n"
        "rows, columns = (torch.arange(side) + int(s) for s in start)\n"
        "return images[:, :, rows][:, :, :, columns]",
    ),
    "centre by splitting": (
        "center",
        "h, w = images.shape[2:]\n"
        "if side < 1 or min(h, w) < side: raise ValueError(f'side is {side}')\n"
        "for dim, size in ((2, h), (3, w)):\n"
        "    before = round((size - side) / 2)\n"
        "    parts = images.split([before, side, size - side - before], dim)\n"
        "    images = parts[1]\n"
        "return images",
    ),
    "patches in numpy": (
        "ten",
        "import numpy as np\n"
        "x, middle = images.numpy(), center_crop(images, side).numpy()\n"
        "up, down = x[:, :, :side], x[:, :, x.shape[2] - side :]\n"
        "cut = x.shape[3] - side\n"
        "five = up[..., :side], up[..., cut:], down[..., :side], down[..., cut:], middle\n"
        "both = [*five, *(np.flip(patch, axis=3) for patch in five)]\n"
        "return torch.from_numpy(np.stack(both))",
    ),
    "expected by counting rows": (
        "expect",
        "all_five, one = len(range(32, 224)), len(range(32)) + len(range(224, 256))\n"
        "read = sum(224 * 224 for patch in range(10))\n"
        "return (all_five * all_five, one * one, read)",
    ),
    "patches one by one": (
        "ten",
        "h, w = images.shape[2:]\n"
        "if side < 1 or side > h or side > w:\n"
        "    raise ValueError(f'side {side}')\n"
        "y, x = h - side, w - side\n"
        "places = [(0, 0), (0, x), (y, 0), (y, x), (round(y / 2), round(x / 2))]\n"
        "found = images.new_empty(10, *images.shape[:2], side, side)\n"
        "for i, (top, left) in enumerate(places):\n"
        "    found[i] = images[:, :, top:top + side, left:left + side]\n"
        "    found[i + 5] = torch.fliplr(found[i].movedim(3, 1)).movedim(1, 3)\n"
        "return found",
    ),
    "patches by unfolding": (
        "ten",
        "middle = center_crop(images, side)\n"
        "every = images.unfold(2, side, 1).unfold(3, side, 1)\n"
        "corners = [every[:, :, i, j] for i in (0, -1) for j in (0, -1)]\n"
        "five = [*corners, middle]\n"
        "back = torch.arange(side - 1, -1, -1)\n"
        "return torch.stack(five + [x[..., back] for x in five])",
    ),
    "averaged in inference mode": (
        "average",
        "was = {name: m.training for name, m in network.named_modules()}\n"
        "try:\n"
        "    network.train(False)\n"
        "    with torch.inference_mode():\n"
        "        total = 0\n"
        "        for patches in ten_crop(images, side):\n"
        "            total = total + torch.softmax(network(patches), -1) / 10\n"
        "        return total\n"
        "finally:\n"
        "    for name, m in network.named_modules():\n"
        "        m.training = was[name]",
    ),
    "averaged with a copy of the network": (
        "average",
        "import copy\n"
        "twin = copy.deepcopy(network).eval().requires_grad_(False)\n"
        "with torch.set_grad_enabled(False):\n"
        "    every = [twin(p).log_softmax(1).exp() for p in ten_crop(images, side)]\n"
        "return sum(every) / len(every)",
    ),
    "averaged image by image": (
        "average",
        "trained = [m for m in network.modules() if m.training]\n"
        "network.eval()\n"
        "try:\n"
        "    with torch.no_grad():\n"
        "        return torch.cat([\n"
        "            torch.cat([network(p) for p in ten_crop(image[None], side)])\n"
        "            .softmax(1).mean(0, keepdim=True) for image in images])\n"
        "finally:\n"
        "    for m in trained:\n"
        "        m.training = True",
    ),
    "expected as numbers": ("expect", "return [36_864, 4_096, 501_760]"),
    "expected by corners": (
        "expect",
        "all_five = (224 - 32) * (224 - 32)\n"
        "return all_five, (2 * 32) ** 2, 224 * 224 * 5 * 2",
    ),
}
WELFORD = (
    HEAD
    + """
        self.n, self.channels = 0, channels
        self._mean = self._m2 = torch.zeros(channels).double()

    def update(self, images):
        for image in images.double():
            flat = image.flatten(1)
            if len(flat) != self.channels:
                raise ValueError(f"{len(flat)} channels")
            n = flat.shape[1]
            self._add(n, flat.mean(1), flat.var(1, correction=0) * n)

    def _add(self, n, mean, m2):
        step = mean - self._mean
        self.n += n
        weight = n / self.n
        self._mean = self._mean + step * weight
        self._m2 = self._m2 + m2 + step * step * weight * (self.n - n)

    def merge(self, other):
        if self.channels != other.channels:
            raise ValueError("channels")
        if other.n > 0:
            self._add(other.n, other._mean, other._m2)

    def __getattr__(self, name):
        if name not in ("mean", "std"):
            raise AttributeError(name)
        if not self.n:
            raise ValueError("nothing seen")
        return self._mean if name == "mean" else torch.sqrt(self._m2 / self.n)
"""
)
SHIFTED = (
    HEAD
    + """
        self.n, self.channels = 0, channels
        self.shift = self.first = self.second = torch.zeros(channels).double()

    def update(self, images):
        part = RunningMoments(images.shape[1])
        part.n = images[:, 0].numel()
        x = images.double().transpose(0, 1).reshape(part.channels, part.n)
        if part.n:
            part.shift = x[:, 0].clone()
            x = x - part.shift[:, None]
            part.first, part.second = x.sum(1), (x * x).sum(1)
        self.merge(part)

    def merge(self, other):
        if self.channels != other.channels:
            raise ValueError(other.channels)
        if self.n == 0:
            self.shift = other.shift
        step, first, n = other.shift - self.shift, other.first, other.n
        self.second = self.second + other.second + 2 * step * first + n * step**2
        self.first = self.first + first + n * step
        self.n += n

    @property
    def mean(self):
        if self.n < 1:
            raise ValueError("no pixels")
        return self.shift + self.first / self.n

    @property
    def std(self):
        far = self.mean - self.shift
        return (self.second / self.n - far * far).clamp(min=0) ** 0.5
"""
)
RIGHT_SOURCES = {
    "moments from a first pixel on": ("moments", SHIFTED),
    "sums in float64": ("moments", SUMS.replace("KIND", "torch.float64")),
    "moments image by image": ("moments", WELFORD),
}
WORDS = [
    ("ties for the network", "topk_visible", "a tie counts against the network"),
    ("torch.topk", "topk_visible", "a tie counts against the network"),
    ("the share that is right", "topk_visible", "the share that is right"),
    ("a number of images", "topk_visible", "a share, please"),
    ("percent", "topk_visible", "a share, please"),
    ("an error without the value", "topk_hidden", "does not name"),
    ("halves rounded down", "center_visible", "101.5, is rounded to the even 102"),
    ("halves rounded up", "center_visible", "0.5, is rounded to the even 0"),
    ("floats for bytes", "center_visible", "the photos are torch.uint8"),
    ("upside down", "ten_visible", "upside down"),
    ("not mirrored", "ten_visible", "not mirrored"),
    ("corners in another order", "ten_visible", "bottom left the third"),
    ("centre first", "ten_visible", "after the corners"),
    ("images before patches", "ten_visible", "the ten come first"),
    (
        "the image mirrored, then cropped",
        "ten_visible",
        "torchvision mirrors the image",
    ),
    ("averaged before the softmax", "average_visible", "the logits are averaged"),
    ("logarithms averaged", "average_visible", "logarithms are averaged"),
    ("no softmax", "average_visible", "where is the softmax?"),
    ("softmax over the images", "average_visible", "over the classes, dim=1"),
    ("a sum", "average_visible", "divide by ten"),
    ("five patches", "average_visible", "the mirrored ones are missing"),
    ("ten times the memory", "average_visible", "60 patches at once"),
    ("with gradients", "average_visible", "gradients are recorded"),
    ("left in eval mode", "average_left", "left in eval mode"),
    (
        "one mode for all modules",
        "average_left",
        "was in eval mode and is left in train",
    ),
    ("gradients off for good", "average_left", "switched off for good"),
    ("the sample's std", "moments_visible", "the std of a sample"),
    ("the variance", "moments_visible", "where is the root?"),
    (
        "unequal batches averaged as equal",
        "moments_visible",
        "a small batch counts less",
    ),
    ("a batch counts by its images", "moments_visible", "its *pixels* count"),
    ("mean over channels, too", "moments_visible", "over channels, too"),
    ("torch's moments of the last batch", "moments_visible", "the last batch alone"),
    (
        "the short formula in float32",
        "moments_precise",
        "squares lose digits in float32",
    ),
    ("its own logit is a rival", "topk_visible", "itself is no rival"),
    ("the smallest", "topk_visible", "not the k smallest"),
    ("one rank too many", "topk_visible", "one rank too many"),
    ("a tensor", "topk_visible", "a float, please"),
    ("k of all classes refused", "topk_visible", "k from 1 to K is allowed"),
    ("k of 0 accepted", "topk_hidden", "k = 0 of 3 classes: a Val"),
    ("k above the classes accepted", "topk_hidden", "k = 4 of 3 classes"),
    ("negative labels accepted", "topk_hidden", "a label -1"),
    ("an empty batch accepted", "topk_hidden", "no image"),
    ("labels of another batch accepted", "topk_hidden", "labels of 4 images"),
    ("NaN is right", "topk_hidden", "a NaN in the logits of image 2"),
    ("NaN of the true class alone", "topk_hidden", "a NaN in the logits of image 2"),
    ("rows and columns exchanged", "center_visible", "(N, C, H, W)"),
    ("the top left corner for the centre", "center_visible", "the top left corner"),
    ("images that are too small", "center_hidden", "a ValueError is expected"),
    ("no crop returned", "center_visible", "is there a `return`?"),
    ("one row too few", "center_visible", "expected (2, 3, 224, 224)"),
    ("a refusal that names no side", "center_hidden", "does not name"),
    ("another error for a ValueError", "center_hidden", "not IndexError"),
    ("a crop of nothing", "center_hidden", "a crop of 0"),
    ("turned by half", "ten_visible", "turned by half"),
    ("mirrored patches in reverse", "ten_visible", "the same order"),
    ("each patch beside its mirror image", "ten_visible", "first the five patches"),
    ("a list", "ten_visible", "one tensor, please"),
    ("the largest of ten", "average_visible", "the largest of the ten"),
    ("in train mode", "average_visible", "in eval mode"),
    ("modes lost when the network raises", "average_hidden", "are not what they were"),
    ("nothing between the means", "moments_visible", "within the batches"),
    ("the mean as float32", "moments_visible", "mean is torch.float32"),
    ("in float32", "moments_precise", "squares lose digits in float32"),
    ("the other one changed", "moments_merge_hidden", "which stays as it was"),
    ("other channels accepted", "moments_merge_hidden", "1 channel merged into 2"),
    ("a mean of nothing", "moments_hidden", "mean before the first pixel"),
    ("a std of nothing", "moments_hidden", "std before the first pixel"),
    ("margins on one side", "expect_hidden", "fewer in all"),
    ("margins of the patch", "expect_hidden", "not of 224"),
    ("one corner", "expect_hidden", "one of the four corners"),
    ("the central patch a corner, too", "expect_hidden", "none of the corner patches"),
    ("all but the middle", "expect_hidden", "two corner patches overlap"),
    ("five patches read", "expect_hidden", "mirror images are read"),
    ("the image read ten times", "expect_hidden", "not 256×256"),
    ("one patch read", "expect_hidden", "one patch"),
    ("each pixel read once", "expect_hidden", "as often as it is read"),
    ("numbers of three channels", "expect_hidden", "three channels"),
]
