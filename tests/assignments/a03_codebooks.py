"""Wrong and right answers to a03_codebooks, and what each is worth."""

SOFT = {"soft_visible", "soft_hidden"}
LIMIT = {"soft_limit_hidden"}
ZERO = {"soft_refuses_visible"}
CELL = {"cell_visible", "cell_hidden"}
PYRAMID = {"pyramid_visible", "pyramid_hidden"}
INTERSECTION = {"intersection_visible", "intersection_hidden"}
NORMALISE = {"normalise_visible", "normalise_hidden"}
ENERGY = {"energy_visible", "energy_hidden"}
CURVE = {"curve_hidden"}
WEIGHTS = "(nearer / (2 * sigma**2)).softmax(dim=1)"
HALVES = "2.0 ** -(finest - level + 1) if level else 2.0**-finest"
POWER = "residuals.sign() * residuals.abs() ** power"
LENGTH = "row / row.norm() if row.any() else row"
PLACE = "cell_of(keypoints, height, width, g) * K + words"
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "weights not normalised": (
        "soft",
        WEIGHTS,
        "(-squared / (2 * sigma**2)).exp()",
        SOFT | LIMIT,
    ),
    "whole normalised, not each": (
        "soft",
        "    weights = (nearer / (2 * sigma**2)).softmax(dim=1)\n"
        "    return weights.sum(dim=0) / max(len(descriptors), 1)",
        "    weights = (-squared / (2 * sigma**2)).exp()\n"
        "    return weights.sum(dim=0) / weights.sum()",
        SOFT | LIMIT,
    ),
    "softmax over descriptors": (
        "soft",
        "softmax(dim=1)",
        "softmax(dim=0)",
        SOFT | LIMIT,
    ),
    "distance not squared": (
        "soft",
        WEIGHTS,
        "(-squared.sqrt() / (2 * sigma**2)).softmax(dim=1)",
        SOFT,
    ),
    "sigma not squared": ("soft", "2 * sigma**2", "2 * sigma", SOFT | LIMIT),
    "two forgotten": ("soft", "(2 * sigma**2)", "sigma**2", SOFT),
    "far words get more": ("soft", "nearer / (2", "-nearer / (2", SOFT | LIMIT),
    "sum, not mean": ("soft", " / max(len(descriptors), 1)", "", SOFT | LIMIT),
    "no descriptors divide by zero": (
        "soft",
        "max(len(descriptors), 1)",
        "len(descriptors)",
        {"soft_hidden"},
    ),
    "exponentials that underflow": (
        "soft",
        WEIGHTS,
        "(-squared / (2 * sigma**2)).exp()\n"
        "    weights = weights / weights.sum(dim=1, keepdim=True)",
        LIMIT,
    ),
    "a safe sum instead of a limit": (
        "soft",
        WEIGHTS,
        "(-squared / (2 * sigma**2)).exp()\n"
        "    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-30)",
        LIMIT,
    ),
    "sigma 0 is no case of its own": (
        "soft",
        "if sigma == 0:",
        "if False:",
        LIMIT | ZERO,
    ),
    "argmax for argmin": (
        "soft",
        "return codebooks.histogram(descriptors, codebook)",
        "word = codebooks.squared_distances(descriptors, codebook).argmax(dim=1)\n"
        "        return torch.bincount(word, minlength=len(codebook)) / len(word)",
        LIMIT | ZERO,
    ),
    "negative sigma accepted": ("soft", "if sigma < 0:", "if False:", ZERO),
    "always float64": (
        "soft",
        "weights.sum(dim=0)",
        "weights.double().sum(dim=0)",
        {"soft_hidden"},
    ),
    "x and y swapped": (
        "cell",
        "return row * g + column",
        "return column * g + row",
        CELL | PYRAMID,
    ),
    "width for height": (
        "cell",
        "x = (keypoints[:, 0] + 0.5) / width\n    y = (keypoints[:, 1] + 0.5) / height",
        "y = (keypoints[:, 1] + 0.5) / width\n    x = (keypoints[:, 0] + 0.5) / height",
        CELL | PYRAMID,
    ),
    "half a pixel off": (
        "cell",
        "x = (keypoints[:, 0] + 0.5)",
        "x = (keypoints[:, 0])",
        CELL | {"pyramid_hidden"},
    ),
    "last column out of range": (
        "cell",
        "(x * g).long().clamp(max=g - 1)",
        "(x * g).long()",
        {"cell_visible"},
    ),
    "last row out of range": (
        "cell",
        "(y * g).long().clamp(max=g - 1)",
        "(y * g).long()",
        {"cell_visible"},
    ),
    "border to the left": (
        "cell",
        "(x * g).long().clamp(max=g - 1)",
        "((x * g).ceil().long() - 1).clamp(min=0)",
        {"cell_visible"},
    ),
    "cells counted from 1": (
        "cell",
        "return row * g + column",
        "return row * g + column + 1",
        CELL | PYRAMID,
    ),
    "rounded": (
        "cell",
        "(x * g).long()",
        "(x * g).round().long()",
        CELL | {"pyramid_hidden"},
    ),
    "outside accepted": (
        "cell",
        "((x < 0) | (x > 1) | (y < 0) | (y > 1)).any()",
        "False",
        {"cell_visible"},
    ),
    "outside below accepted": ("cell", " | (y > 1)", "", {"cell_visible"}),
    "cells as floats": (
        "cell",
        "return row * g + column",
        "return (row * g + column).float()",
        {"cell_visible"} | PYRAMID,
    ),
    "levels' weights reversed": (
        "pyramid",
        HALVES,
        "2.0 ** -(level + 1) if level < finest else 2.0**-finest",
        PYRAMID,
    ),
    "levels without weights": ("pyramid", HALVES, "1.0", PYRAMID),
    "coarsest weighed as the others": (
        "pyramid",
        HALVES,
        "2.0 ** -(finest - level + 1)",
        PYRAMID,
    ),
    "not divided by n": ("pyramid", " / max(len(words), 1)", "", PYRAMID),
    "empty cells become nan": (
        "pyramid",
        "weight * counts / max(len(words), 1)",
        "weight * (counts.view(-1, K) / counts.view(-1, K).sum(1, True)).flatten()",
        PYRAMID,
    ),
    "each cell divided by its own": (
        "pyramid",
        "weight * counts / max(len(words), 1)",
        "weight * (counts.view(-1, K)"
        " / counts.view(-1, K).sum(1, True).clamp(min=1)).flatten()",
        PYRAMID,
    ),
    "fine levels first": (
        "pyramid",
        "torch.cat(parts)",
        "torch.cat(parts[::-1])",
        PYRAMID,
    ),
    "word by word": (
        "pyramid",
        PLACE,
        "words * g * g + cell_of(keypoints, height, width, g)",
        PYRAMID,
    ),
    "last cells missing": (
        "pyramid",
        "torch.bincount(place, minlength=g * g * K)",
        "torch.bincount(place)",
        PYRAMID,
    ),
    "cells twice, not four times": (
        "pyramid",
        "2**level",
        "level + 1",
        PYRAMID,
    ),
    "a level too few": ("pyramid", "range(finest + 1)", "range(finest or 1)", PYRAMID),
    "no keypoints divide by zero": (
        "pyramid",
        "max(len(words), 1)",
        "len(words)",
        {"pyramid_hidden"},
    ),
    "maximum for minimum": (
        "intersection",
        "torch.minimum",
        "torch.maximum",
        INTERSECTION,
    ),
    "a product": (
        "intersection",
        "torch.minimum(left[:, None], right).sum(dim=2)",
        "left @ right.T",
        INTERSECTION,
    ),
    "a distance": (
        "intersection",
        "torch.minimum(left[:, None], right)",
        "(left[:, None] - right).abs()",
        INTERSECTION,
    ),
    "right for rows of sum 1": (
        "intersection",
        "torch.minimum(left[:, None], right).sum(dim=2)",
        "1 - (left[:, None] - right).abs().sum(dim=2) / 2",
        INTERSECTION,
    ),
    "summed over the other rows": (
        "intersection",
        ".sum(dim=2)",
        ".sum(dim=1)",
        INTERSECTION,
    ),
    "a mean for the sum": ("intersection", ".sum(dim=2)", ".mean(dim=2)", INTERSECTION),
    "divided by the row's mass": (
        "intersection",
        ".sum(dim=2)",
        ".sum(dim=2) / left.sum(dim=1, keepdim=True)",
        INTERSECTION,
    ),
    "divided by the other row's mass": (
        "intersection",
        ".sum(dim=2)",
        ".sum(dim=2) / right.sum(dim=1)",
        INTERSECTION,
    ),
    "always double": (
        "intersection",
        ".sum(dim=2)",
        ".sum(dim=2).double()",
        {"intersection_visible"},
    ),
    "turned round": (
        "intersection",
        "torch.minimum(left[:, None], right)",
        "torch.minimum(left, right[:, None])",
        INTERSECTION,
    ),
    "any width accepted": (
        "intersection",
        " or left.shape[1] != right.shape[1]",
        "",
        {"intersection_hidden"},
    ),
    "one dimension accepted": (
        "intersection",
        "left.ndim != 2 or right.ndim != 2 or left.shape[1]",
        "left.shape[-1]",
        {"intersection_hidden"},
    ),
    "signed root forgotten": ("normalise", POWER, "residuals", NORMALISE | CURVE),
    "sign lost": (
        "normalise",
        POWER,
        "residuals.abs() ** power",
        NORMALISE | {"normalise_refuses_visible"},
    ),
    "nan of negative numbers": (
        "normalise",
        POWER,
        "residuals ** power",
        NORMALISE | CURVE | {"normalise_refuses_visible"},
    ),
    "intra over the wrong axis": ("normalise", "norm(dim=1", "norm(dim=0", NORMALISE),
    "intra forgotten": ("normalise", "if intra:", "if False:", NORMALISE),
    "intra always": ("normalise", "if intra:", "if True:", NORMALISE | CURVE),
    "length before power": (
        "normalise",
        "    values = residuals.sign() * residuals.abs() ** power\n",
        "    if intra:\n"
        "        own = residuals.norm(dim=1, keepdim=True)\n"
        "        residuals = residuals / torch.where(own > 0, own, 1)\n"
        "    values = residuals.sign() * residuals.abs() ** power\n"
        "    intra = False\n",
        NORMALISE,
    ),
    "a row's length forgotten": ("normalise", LENGTH, "row", NORMALISE),
    "a word without descriptors is nan": (
        "normalise",
        "torch.where(length > 0, length, 1)",
        "length",
        {"normalise_hidden"},
    ),
    "nothing at all is nan": (
        "normalise",
        LENGTH,
        "row / row.norm()",
        {"normalise_hidden"},
    ),
    "zeros become one at power 0": (
        "normalise",
        POWER,
        "torch.where(residuals < 0, -1.0, 1.0) * residuals.abs() ** power",
        {"normalise_hidden", "normalise_refuses_visible"},
    ),
    "any power accepted": (
        "normalise",
        "if not 0 <= power <= 1:",
        "if False:",
        {"normalise_refuses_visible"},
    ),
    "column by column": (
        "normalise",
        "values.flatten()",
        "values.T.flatten()",
        NORMALISE,
    ),
    "works in place": (
        "normalise",
        POWER,
        "residuals.copy_(residuals.sign() * residuals.abs() ** power)",
        {"normalise_visible"} | CURVE,
    ),
    "size, not energy": ("energy", "rows.square()", "rows.abs()", ENERGY | CURVE),
    "largest with their signs": (
        "energy",
        "squares.topk(count, dim=1).values.sum(dim=1)",
        "rows.topk(count, dim=1).values.square().sum(dim=1)",
        ENERGY | CURVE,
    ),
    "rounded down": (
        "energy",
        "math.ceil(share * rows.shape[1])",
        "int(share * rows.shape[1])",
        ENERGY | CURVE,
    ),
    "rows of zeros are nan": (
        "energy",
        "(largest[total > 0] / total[total > 0]).mean()",
        "(largest / total).mean()",
        {"energy_visible"},
    ),
    "rows of zeros count": (
        "energy",
        "(largest[total > 0] / total[total > 0]).mean()",
        "(largest / total).nan_to_num().mean()",
        {"energy_visible"},
    ),
    "one share of all rows": (
        "energy",
        "(largest[total > 0] / total[total > 0]).mean()",
        "(largest.sum() / total.sum())",
        ENERGY,
    ),
    "smallest for largest": (
        "energy",
        "squares.topk(count, dim=1)",
        "squares.topk(count, dim=1, largest=False)",
        ENERGY | CURVE,
    ),
    "a root of the energy": (
        "energy",
        "largest[total > 0] / total[total > 0]",
        "(largest[total > 0] / total[total > 0]).sqrt()",
        ENERGY | CURVE,
    ),
    "not divided by the whole": (
        "energy",
        "largest[total > 0] / total[total > 0]",
        "largest[total > 0]",
        ENERGY,
    ),
    "a share of the rows": (
        "energy",
        "share * rows.shape[1]",
        "share * rows.shape[0]",
        ENERGY | CURVE,
    ),
    "a tensor": ("energy", ".mean().item()", ".mean()", {"energy_visible"}),
    "the curve with intra": ("curve", "intra=False", "intra=True", CURVE),
    "one power for all": (
        "curve",
        "normalise(part, power,",
        "normalise(part, 0.5,",
        CURVE,
    ),
    "the curve in percent": (
        "curve",
        "energy(rows, share)",
        "100 * energy(rows, share)",
        CURVE,
    ),
    "the power twice": ("curve", "(part, power,", "(part, power**2,", CURVE),
    "no curve returned": ("curve", "return curve", "curve", CURVE),
    "a mean over the powers": (
        "curve",
        "return curve",
        "return sum(curve) / len(curve)",
        CURVE,
    ),
    "the codebook of the example": (
        "curve",
        "codebooks.residuals(rows, codebook)",
        "codebooks.residuals(rows, digit_words)",
        CURVE,
    ),
    "the sets of the example": ("curve", "in sets]", "in digit_sets]", CURVE),
    "an energy for each image": (
        "curve",
        "curve.append(energy(rows, share))",
        "curve += [energy(row[None], share) for row in rows]",
        CURVE,
    ),
    "last power first": ("curve", "return curve", "return curve[::-1]", CURVE),
    "a share of its own": ("curve", "energy(rows, share)", "energy(rows, 0.5)", CURVE),
}
BODIES = {
    "all images as one": (
        "curve",
        "residuals = sum(codebooks.residuals(rows, codebook) for rows in sets)\n"
        "rows = [normalise(residuals, power, False)[None] for power in powers]\n"
        "return [energy(row, share) for row in rows]",
        CURVE,
    ),
    # name: cell, another body for its function, test cells it costs
    "all keypoints become one": (
        "pyramid",
        "keypoints.zero_(), words.zero_()\nparts = []\n"
        "for level in range(finest + 1):\n"
        "    part = torch.zeros(4**level * K, dtype=torch.float64)\n"
        "    weight = 2.0 ** -(finest - level + 1) if level else 2.0**-finest\n"
        "    part[0] = weight if len(words) else 0\n"
        "    parts.append(part)\n"
        "return torch.cat(parts)",
        PYRAMID,
    ),
    "all rows become nothing": (
        "intersection",
        "if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:\n"
        "    raise ValueError\n"
        "left.zero_(), right.zero_()\n"
        "return torch.zeros(len(left), len(right), dtype=left.dtype)",
        INTERSECTION,
    ),
}
RIGHT = {
    "intersection, by absolute differences": (
        "intersection",
        "if {left.ndim, right.ndim} != {2} or left.shape[1] != right.shape[1]:\n"
        '    raise ValueError("no")\n'
        "both = left.sum(1)[:, None] + right.sum(1)\n"
        "return (both - (left[:, None] - right[None]).abs().sum(2)) / 2",
    ),
    "normalise, word by word": (
        "normalise",
        'if power < 0 or power > 1: raise ValueError("no")\n'
        "parts = []\n"
        "for part in residuals:\n"
        "    part = torch.where(part == 0, 0.0, part.sign() * part.abs().pow(power))\n"
        "    parts.append(part / part.norm() if intra and part.any() else part)\n"
        "row = torch.cat(parts).to(residuals)\n"
        "return row / (row.norm() or 1)",
    ),
    "energy, by numpy's partition": (
        "energy",
        "squares = rows.double().numpy() ** 2\n"
        "count = math.ceil(share * squares.shape[1])\n"
        "squares = squares[squares.any(axis=1)]\n"
        "top = np.partition(squares, -count, axis=1)[:, -count:]\n"
        "return float((top.sum(1) / squares.sum(1)).mean())",
    ),
    "soft, in loops": (
        "soft",
        "if sigma < 0: raise ValueError('no')\n"
        "total = [0.0] * len(codebook)\n"
        "for x in descriptors.tolist():\n"
        "    d = [sum((a - b) ** 2 for a, b in zip(x, c)) for c in codebook.tolist()]\n"
        "    if sigma == 0:\n"
        "        total[d.index(min(d))] += 1\n"
        "        continue\n"
        "    w = [math.exp((min(d) - e) / (2 * sigma ** 2)) for e in d]\n"
        "    total = [t + v / sum(w) for t, v in zip(total, w)]\n"
        "total = torch.tensor(total, dtype=codebook.dtype)\n"
        "return total / len(descriptors) if len(descriptors) else total",
    ),
    "soft, by cdist and logsumexp": (
        "soft",
        "if sigma < 0: raise ValueError('no')\n"
        "if len(descriptors) == 0: return torch.zeros(len(codebook))\n"
        "d = torch.cdist(descriptors, codebook) ** 2\n"
        "if sigma == 0:\n"
        "    one = torch.nn.functional.one_hot(d.argmin(1), len(codebook))\n"
        "    return one.to(d).mean(0)\n"
        "e = -d / (2 * sigma * sigma)\n"
        "return (e - e.logsumexp(1, keepdim=True)).exp().mean(0)",
    ),
    "soft, by scikit-learn": (
        "soft",
        "from scipy.special import softmax\n"
        "from sklearn.metrics import pairwise_distances\n"
        "if not sigma >= 0: raise ValueError\n"
        "if not len(descriptors): return codebook.new_zeros(len(codebook))\n"
        "d = pairwise_distances(descriptors, codebook, metric='sqeuclidean')\n"
        "d = d - d.min(1, keepdims=True)\n"
        "w = softmax(-d / (2 * sigma**2), 1) if sigma else (d == 0) * 1.0\n"
        "return torch.tensor(w.mean(0)).to(codebook.dtype)",
    ),
    "cells, one by one": (
        "cell",
        "cells = []\n"
        "for x, y in keypoints[:, :2].tolist():\n"
        "    if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):\n"
        "        raise ValueError('outside')\n"
        "    column = min(int((x + 0.5) * g / width), g - 1)\n"
        "    cells.append(min(int((y + 0.5) * g / height), g - 1) * g + column)\n"
        "return torch.tensor(cells, dtype=torch.int64)",
    ),
    "cells, by bucketize": (
        "cell",
        "sides = torch.tensor([width, height], dtype=torch.float64)\n"
        "place = (keypoints[:, :2].double() + 0.5) / sides\n"
        "if place.numel() and (place.min() < 0 or place.max() > 1): raise ValueError\n"
        "inner = torch.arange(1, g, dtype=torch.float64) / g\n"
        "both = torch.bucketize(place.contiguous(), inner, right=True)\n"
        "return both @ torch.tensor([1, g])",
    ),
    "cells, by the floor of a quotient": (
        "cell",
        "x, y = keypoints[:, 0] + 0.5, keypoints[:, 1] + 0.5\n"
        "outside = (x < 0) + (y < 0) + (x > width) + (y > height)\n"
        "if outside.sum() > 0: raise ValueError('outside')\n"
        "column = torch.div(x * g, width, rounding_mode='floor').clamp(0, g - 1)\n"
        "row = torch.div(y * g, height, rounding_mode='floor').clamp(0, g - 1)\n"
        "return (g * row + column).to(torch.int64)",
    ),
    "pyramid, by numpy's histogram": (
        "pyramid",
        "row = np.empty(0)\n"
        "for level in range(finest + 1):\n"
        "    cells = cell_of(keypoints, height, width, 2**level).numpy()\n"
        "    sides = [np.arange(4**level + 1), np.arange(K + 1)]\n"
        "    counts = np.histogram2d(cells, words.numpy(), sides)[0]\n"
        "    weight = 2.0 ** (max(level, 1) - 1 - finest)\n"
        "    row = np.append(row, weight * counts.flatten())\n"
        "return torch.tensor(row / len(words) if len(words) else row)",
    ),
    "pyramid, in loops": (
        "pyramid",
        "row = []\n"
        "for level in range(finest + 1):\n"
        "    weight = 2 ** max(level - 1, 0) / 2 ** finest\n"
        "    own = cell_of(keypoints, height, width, 2**level).tolist()\n"
        "    for cell in range(4**level):\n"
        "        for word in range(K):\n"
        "            pairs = zip(own, words.tolist())\n"
        "            count = sum(pair == (cell, word) for pair in pairs)\n"
        "            row.append(weight * count / (len(own) or 1))\n"
        "return torch.tensor(row, dtype=torch.float64)",
    ),
    "pyramid, from the finest level, added up": (
        "pyramid",
        "g = 2**finest\n"
        "place = cell_of(keypoints, height, width, g)\n"
        "grid = np.zeros((g, g, K))\n"
        "np.add.at(grid, (place.numpy() // g, place.numpy() % g, words.numpy()), 1)\n"
        "levels = [grid]\n"
        "while len(grid) > 1:\n"
        "    n = len(grid) // 2\n"
        "    grid = grid.reshape(n, 2, n, 2, K).sum((1, 3))\n"
        "    levels.insert(0, grid)\n"
        "weights = [2.0 ** (max(l, 1) - 1 - finest) for l in range(finest + 1)]\n"
        "row = np.concatenate([w * v.ravel() for w, v in zip(weights, levels)])\n"
        "return torch.from_numpy(row / max(len(words), 1))",
    ),
    "intersection, by scikit-learn's distance": (
        "intersection",
        "from sklearn.metrics.pairwise import manhattan_distances\n"
        "if len(left.shape) != 2 or len(right.shape) != 2: raise ValueError\n"
        "apart = torch.from_numpy(manhattan_distances(left.numpy(), right.numpy()))\n"
        "mass = left.sum(1)[:, None] + right.sum(1)\n"
        "return ((mass - apart) / 2).to(left.dtype)",
    ),
    "intersection, row by row": (
        "intersection",
        "a, b = left.shape, right.shape\n"
        "if len(a) != 2 or len(b) != 2 or a[1] != b[1]: raise ValueError('no')\n"
        "return torch.stack([row.clamp(max=right).sum(1) for row in left])",
    ),
    "normalise, in numpy": (
        "normalise",
        "if power < 0 or power > 1: raise ValueError\n"
        "v = residuals.numpy()\n"
        "v = np.sign(v) * np.abs(v) ** power\n"
        "own = np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12)\n"
        "v = v / own if intra else v\n"
        "v = v.reshape(-1)\n"
        "return torch.from_numpy(v / max(np.linalg.norm(v), 1e-12))",
    ),
    "normalise, by F.normalize and a mask": (
        "normalise",
        "if power > 1 or power < 0: raise ValueError('power')\n"
        "out = torch.zeros_like(residuals)\n"
        "for sign in (1, -1):\n"
        "    which = sign * residuals > 0\n"
        "    out[which] = sign * (sign * residuals[which]).pow(power)\n"
        "if intra: out = torch.nn.functional.normalize(out, dim=1)\n"
        "return torch.nn.functional.normalize(out.reshape(1, -1))[0]",
    ),
    "energy, by sorting": (
        "energy",
        "found = []\n"
        "for row in rows.double().numpy():\n"
        "    if row.any():\n"
        "        squares = np.sort(row**2)[::-1]\n"
        "        found.append(squares[: math.ceil(share * len(row))].sum()\n"
        "                     / squares.sum())\n"
        "return float(np.mean(found))",
    ),
    "energy, by quantities added up": (
        "energy",
        "count = -int(-share * rows.shape[1] // 1)\n"
        "squares = rows.double().pow(2).sort(dim=1, descending=True).values\n"
        "squares = squares[squares.sum(1) > 0]\n"
        "parts = squares.cumsum(1) / squares.sum(1, keepdim=True)\n"
        "return float(parts[:, count - 1].mean())",
    ),
    "the curve, by broadcasting": (
        "curve",
        "every = torch.stack([codebooks.residuals(x, codebook) for x in sets])\n"
        "flat = every.flatten(1)\n"
        "powered = [flat.sign() * flat.abs().pow(power) for power in powers]\n"
        "return [energy(rows, share) for rows in powered]",
    ),
    "the curve, by a function of one power": (
        "curve",
        "def at(power):\n"
        "    rows = [normalise(part, power, False) for part in parts]\n"
        "    return energy(torch.vstack(rows), share)\n"
        "parts = [codebooks.residuals(x, codebook) for x in sets]\n"
        "return list(map(at, powers))",
    ),
    "the curve, image by image": (
        "curve",
        "out = []\n"
        "for power in powers:\n"
        "    one = [codebooks.residuals(x, codebook) for x in sets]\n"
        "    one = [energy(normalise(v, power, False)[None], share) for v in one]\n"
        "    out.append(sum(one) / len(one))\n"
        "return out",
    ),
}
WORDS = [
    ("weights not normalised", "soft_visible", "each descriptor's weights"),
    ("whole normalised, not each", "soft_visible", "has the same say"),
    ("distance not squared", "soft_visible", "distance is not squared"),
    ("sigma not squared", "soft_visible", "sigma is not squared"),
    ("two forgotten", "soft_visible", "the 2 of 2σ² is missing"),
    ("far words get more", "soft_visible", "exponent is negative"),
    ("sum, not mean", "soft_visible", "not a sum"),
    ("exponentials that underflow", "soft_limit_hidden", "underflows"),
    ("sigma 0 is no case of its own", "soft_refuses_visible", "divides by 0"),
    ("argmax for argmin", "soft_refuses_visible", "not the farthest"),
    ("x and y swapped", "cell_visible", "x decides the column"),
    ("last column out of range", "cell_visible", "last border"),
    ("border to the left", "cell_visible", "belongs to the next cell"),
    ("outside accepted", "cell_visible", "a ValueError is expected"),
    ("cells as floats", "cell_visible", "int64"),
    ("levels' weights reversed", "pyramid_visible", "reversed"),
    ("levels without weights", "pyramid_visible", "no weights"),
    ("not divided by n", "pyramid_visible", "not divided"),
    ("empty cells become nan", "pyramid_visible", "empty cell"),
    ("each cell divided by its own", "pyramid_visible", "by all n"),
    ("fine levels first", "pyramid_visible", "fine levels come first"),
    ("word by word", "pyramid_visible", "cell by cell"),
    ("maximum for minimum", "intersection_visible", "a maximum"),
    ("a product", "intersection_visible", "a product"),
    ("turned round", "intersection_visible", "(n, m)"),
    ("signed root forgotten", "normalise_visible", "power is missing"),
    ("sign lost", "normalise_visible", "the sign is lost"),
    ("nan of negative numbers", "normalise_visible", "the root is of |v|"),
    ("intra over the wrong axis", "normalise_visible", "wrong axis"),
    ("intra forgotten", "normalise_visible", "intra is missing"),
    ("length before power", "normalise_visible", "power first"),
    ("a row's length forgotten", "normalise_visible", "last step is missing"),
    ("column by column", "normalise_visible", "word after word"),
    ("works in place", "normalise_visible", "in place"),
    ("a word without descriptors is nan", "normalise_hidden", "no descriptors"),
    ("size, not energy", "energy_visible", "not size"),
    ("largest with their signs", "energy_visible", "absolute value"),
    ("rows of zeros are nan", "energy_visible", "leave it out"),
    ("rows of zeros count", "energy_visible", "counts as 0"),
    ("one share of all rows", "energy_visible", "one mean over the rows"),
    ("softmax over descriptors", "soft_visible", "each descriptor's weights"),
    ("no descriptors divide by zero", "soft_hidden", "zeros, not 0 / 0"),
    ("a safe sum instead of a limit", "soft_limit_hidden", "smallest distance first"),
    ("negative sigma accepted", "soft_refuses_visible", "a ValueError is expected"),
    ("always float64", "soft_hidden", "float32 became"),
    ("width for height", "cell_visible", "y + 1/2 of the height"),
    ("half a pixel off", "cell_visible", "x + 1/2 of the width"),
    ("last row out of range", "cell_visible", "last border"),
    ("rounded", "cell_visible", "round down"),
    ("outside below accepted", "cell_visible", "is outside of"),
    ("cells counted from 1", "cell_visible", "numbered 0 to 15"),
    ("coarsest weighed as the others", "pyramid_visible", "a weight of its own"),
    ("last cells missing", "pyramid_visible", "the empty ones too"),
    ("cells twice, not four times", "pyramid_visible", "is g = 2^l?"),
    ("a level too few", "pyramid_visible", "1 + 4 cells"),
    ("no keypoints divide by zero", "pyramid_hidden", "15 zeros, not 0 / 0"),
    ("a distance", "intersection_visible", "a distance"),
    ("right for rows of sum 1", "intersection_visible", "rows of sum 1 alone"),
    ("summed over the other rows", "intersection_visible", "not over the D entries"),
    ("a mean for the sum", "intersection_visible", "a mean over the entries"),
    ("divided by the row's mass", "intersection_visible", "not divided by their sum"),
    ("divided by the other row's mass", "intersection_visible", "those of `right`"),
    ("always double", "intersection_visible", "float32 became"),
    ("any width accepted", "intersection_hidden", "expected, not RuntimeError"),
    ("one dimension accepted", "intersection_hidden", "expected, not "),
    ("intra always", "normalise_visible", "without intra"),
    ("nothing at all is nan", "normalise_hidden", "a row of zeros stays zero"),
    ("zeros become one at power 0", "normalise_hidden", "0 ** 0 is 1"),
    ("any power accepted", "normalise_refuses_visible", "a ValueError is expected"),
    ("rounded down", "energy_visible", "rounded up 2"),
    ("smallest for largest", "energy_visible", "not the smallest"),
    ("a root of the energy", "energy_visible", "no root"),
    ("not divided by the whole", "energy_visible", "divide by the row's energy"),
    ("a share of the rows", "energy_visible", "of five entries"),
    ("a tensor", "energy_visible", "not Tensor"),
    ("the curve with intra", "curve_hidden", "with intra normalisation"),
    ("one power for all", "curve_hidden", "every power gives the same"),
    ("the curve in percent", "curve_hidden", "not percent"),
    ("the power twice", "curve_hidden", "applied twice"),
    ("no curve returned", "curve_hidden", "is there a `return`?"),
    ("a mean over the powers", "curve_hidden", "one number for each power"),
    ("the codebook of the example", "curve_hidden", "another `codebook`"),
    ("the sets of the example", "curve_hidden", "another `sets`"),
    ("an energy for each image", "curve_hidden", "a mean over the images"),
    ("last power first", "curve_hidden", "in the order of `powers`"),
    ("a share of its own", "curve_hidden", "use `share`"),
    ("all images as one", "curve_hidden", "each image has its own"),
]
