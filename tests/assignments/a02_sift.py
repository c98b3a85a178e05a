"""Wrong and right answers to a02_sift, and what each is worth."""

FIT = {"fit_visible", "fit_hidden"}
REFINE = {"refine_visible", "refine_hidden"}
KEEP = {"keep_visible", "keep_hidden"}
PEAKS = {"peaks_visible", "peaks_hidden"}
NORMALISE = {"normalise_visible", "normalise_hidden"}
RATIO = {"ratio_visible", "ratio_hidden"}
CURVE = {"curve_visible", "curve_hidden"}
MISTAKES = {
    # name: cell, what stands there, what stands there instead, test cells it costs
    "offset points the other way": (
        "fit",
        "solve_ex(hessian, -gradient)",
        "solve_ex(hessian, gradient)",
        FIT | REFINE,
    ),
    "gradient not halved": (
        "fit",
        "(at(*a) - at(*minus)) / 2",
        "at(*a) - at(*minus)",
        FIT | REFINE,
    ),
    "gradient of one side": (
        "fit",
        "(at(*a) - at(*minus)) / 2",
        "at(*a) - middle",
        FIT | REFINE,
    ),
    "mixed term without its quarter": ("fit", "mixed / 4", "mixed", FIT | REFINE),
    "mixed term halved": ("fit", "mixed / 4", "mixed / 2", FIT | REFINE),
    "mixed term of the wrong sign": ("fit", "mixed / 4", "-mixed / 4", FIT | REFINE),
    "no mixed terms": ("fit", "mixed / 4", "0", FIT | REFINE),
    "second derivative halved": (
        "fit",
        "at(*a) - 2 * middle + at(*minus)",
        "(at(*a) - 2 * middle + at(*minus)) / 2",
        FIT | REFINE,
    ),
    "order s, y, x": (
        "fit",
        "[(0, 0, 1), (0, 1, 0), (1, 0, 0)]",
        "[(1, 0, 0), (0, 1, 0), (0, 0, 1)]",
        FIT | REFINE,
    ),
    "x and y swapped": (
        "fit",
        "[(0, 0, 1), (0, 1, 0), (1, 0, 0)]",
        "[(0, 1, 0), (0, 0, 1), (1, 0, 0)]",
        FIT | REFINE,
    ),
    "value of the pixel": (
        "fit",
        "middle + 0.5 * (gradient * offset).sum(dim=1)",
        "middle + 0.0 * offset.sum(dim=1)",
        FIT | REFINE,
    ),
    "value without its half": ("fit", "middle + 0.5 *", "middle +", FIT | REFINE),
    "value's sign": ("fit", "middle + 0.5 *", "middle - 0.5 *", FIT | REFINE),
    "no top, no nan": (
        "fit",
        "torch.where(failed[:, None] == 0, offset, torch.nan)",
        "torch.where(failed[:, None] == 0, offset, 0.0)",
        {"fit_hidden", "refine_hidden"},
    ),
    "one flat cube spoils all": (
        "fit",
        "torch.where(failed[:, None] == 0, offset, torch.nan)",
        "offset if not failed.any() else offset * torch.nan",
        {"fit_hidden"},
    ),
    "no moves": ("refine", "range(5)", "range(1)", REFINE),
    "one fit too few": ("refine", "range(5)", "range(4)", {"refine_hidden"}),
    "one fit too many": ("refine", "range(5)", "range(6)", {"refine_hidden"}),
    "moves the other way": (
        "refine",
        "(u > 0.5) - (u < -0.5)",
        "(u < -0.5) - (u > 0.5)",
        REFINE,
    ),
    "no top returned": (
        "refine",
        "return column + x, row + y, level + s, value.item()",
        "column + x, row + y, level + s, value.item()",
        REFINE,
    ),
    "the value left out": ("refine", "level + s, value.item()", "level + s", REFINE),
    "jumps": ("refine", "(u > 0.5) - (u < -0.5)", "round(u)", {"refine_hidden"}),
    "moves in x, y, s order": ("refine", "(s, y, x)]", "(x, y, s)]", REFINE),
    "place forgotten": (
        "refine",
        "column + x, row + y, level + s",
        "x, y, s",
        REFINE,
    ),
    "row for column": (
        "refine",
        "column + x, row + y, level + s",
        "row + y, column + x, level + s",
        REFINE,
    ),
    "levels' border allowed": (
        "refine",
        "if not all(inside)",
        "if not all(inside[1:])",
        {"refine_hidden"},
    ),
    "border one too wide": ("refine", "1 <= p < n - 1", "2 <= p < n - 2", REFINE),
    "whatever comes after five": (
        "refine",
        "    return None\n    ### END",
        "    return column + x, row + y, level + s, value.item()\n    ### END",
        {"refine_hidden"},
    ),
    "saddles kept": (
        "keep",
        "(determinant > 0) & (edge * trace**2 < (edge + 1) ** 2 * determinant)",
        "trace**2 / determinant < (edge + 1) ** 2 / edge",
        KEEP,
    ),
    "the bound is r": (
        "keep",
        "edge * trace**2 < (edge + 1) ** 2 * determinant",
        "trace**2 < edge * determinant",
        KEEP,
    ),
    "edges kept, blobs dropped": (
        "keep",
        "trace**2 < (edge + 1)",
        "trace**2 > (edge + 1)",
        KEEP,
    ),
    "mixed derivative forgotten": ("keep", "xx * yy - xy**2", "xx * yy", KEEP),
    "dark blobs dropped": (
        "keep",
        "value.abs() >= contrast",
        "value >= contrast",
        KEEP,
    ),
    "contrast exceeded": (
        "keep",
        "value.abs() >= contrast",
        "value.abs() > contrast",
        {"keep_hidden"},
    ),
    "faint ones kept": (
        "keep",
        "value.abs() >= contrast",
        "value.abs() < contrast",
        KEEP,
    ),
    "always 10": (
        "keep",
        "edge * trace**2 < (edge + 1) ** 2 * determinant",
        "10 * trace**2 < 121 * determinant",
        {"keep_hidden"},
    ),
    "the bound included": (
        "keep",
        "edge * trace**2 < (edge",
        "edge * trace**2 <= (edge",
        {"keep_hidden"},
    ),
    "other numbers of rows accepted": (
        "keep",
        "if len(value) != len(curvature)",
        "if False",
        {"keep_refuses_visible"},
    ),
    "any bound accepted": (
        "keep",
        "if edge < 1 or contrast < 0",
        "if False",
        {"keep_refuses_visible"},
    ),
    "parabola's sign": ("peaks", "0.5 * (left - right)", "0.5 * (right - left)", PEAKS),
    "parabola without its half": (
        "peaks",
        "0.5 * (left - right)",
        "(left - right)",
        PEAKS,
    ),
    "no parabola": ("peaks", "0.5 * (left - right)", "0 * (left - right)", PEAKS),
    "a bin off": ("peaks", "+ shift\n", "+ shift + 1\n", PEAKS),
    "half a bin off": ("peaks", "+ shift\n", "+ shift + 0.5\n", PEAKS),
    "the highest alone": ("peaks", "0.8 * histogram.max()", "histogram.max()", PEAKS),
    "every peak": ("peaks", "0.8 * histogram.max()", "0", PEAKS),
    "degrees": ("peaks", "2 * math.pi / len(histogram)", "360 / len(histogram)", PEAKS),
    "always 36 bins": (
        "peaks",
        "2 * math.pi / len(histogram)",
        "2 * math.pi / 36",
        {"peaks_hidden"},
    ),
    "negative angles": ("peaks", " % (2 * math.pi)", "", PEAKS),
    "a plateau counts twice": (
        "peaks",
        "(histogram > left)",
        "(histogram >= left)",
        {"peaks_hidden"},
    ),
    "a plateau counts never": (
        "peaks",
        "(histogram >= right)",
        "(histogram > right)",
        {"peaks_hidden"},
    ),
    "not normalised first": (
        "normalise",
        "entries = F.normalize(entries, dim=1)",
        "pass",
        NORMALISE,
    ),
    "no cut": ("normalise", "entries.clamp(max=0.2)", "entries", NORMALISE),
    "not normalised again": (
        "normalise",
        "return F.normalize(entries.clamp(max=0.2), dim=1)",
        "return entries.clamp(max=0.2)",
        NORMALISE,
    ),
    "cut at 0.3": ("normalise", "max=0.2", "max=0.3", NORMALISE),
    "sum for length": ("normalise", "dim=1", "dim=1, p=1", NORMALISE),
    "columns for rows": ("normalise", "dim=1", "dim=0", NORMALISE),
    "cut at a share of the largest": (
        "normalise",
        "entries.clamp(max=0.2)",
        "entries.minimum(0.2 * entries.max(dim=1, keepdim=True).values)",
        NORMALISE,
    ),
    "large entries dropped": (
        "normalise",
        "entries.clamp(max=0.2)",
        "entries * (entries <= 0.2)",
        NORMALISE,
    ),
    "in place": (
        "normalise",
        "entries = F.normalize(entries, dim=1)",
        "entries /= entries.norm(dim=1, keepdim=True).clamp(min=1e-12)",
        {"normalise_visible"},
    ),
    "zeros become nan": (
        "normalise",
        "entries = F.normalize(entries, dim=1)",
        "entries = entries / entries.norm(dim=1, keepdim=True)",
        NORMALISE,
    ),
    "float32": (
        "normalise",
        "entries = F.normalize(entries, dim=1)",
        "entries = F.normalize(entries.float(), dim=1)",
        {"normalise_hidden"},
    ),
    "ratio inverted": (
        "ratio",
        "nearest[:, 0] < ratio * nearest[:, 1]",
        "nearest[:, 1] < ratio * nearest[:, 0]",
        RATIO | CURVE,
    ),
    "the others are kept": (
        "ratio",
        "nearest[:, 0] < ratio * nearest[:, 1]",
        "nearest[:, 0] >= ratio * nearest[:, 1]",
        RATIO | CURVE,
    ),
    "squared distances": (
        "ratio",
        "torch.cdist(first, second)  #",
        "torch.cdist(first, second) ** 2  #",
        RATIO | CURVE,
    ),
    "ties match": (
        "ratio",
        "nearest[:, 0] < ratio",
        "nearest[:, 0] <= ratio",
        RATIO,
    ),
    "always 0.8": (
        "ratio",
        "< ratio * nearest",
        "< 0.8 * nearest",
        RATIO | CURVE,
    ),
    "not mutual": (
        "ratio",
        "    good &= distance.amin(dim=0)[partner[:, 0]] >= nearest[:, 0]\n",
        "",
        RATIO | {"curve_hidden"},
    ),
    "the second nearest is matched": (
        "ratio",
        "torch.stack([own, partner[:, 0]]",
        "torch.stack([own, partner[:, 1]]",
        RATIO | CURVE,
    ),
    "rows swapped": (
        "ratio",
        "torch.stack([own, partner[:, 0]]",
        "torch.stack([partner[:, 0], own]",
        RATIO | {"curve_hidden"},
    ),
    "a single candidate matches": (
        "ratio",
        "len(second) < 2:\n        return torch.zeros(0, 2, dtype=torch.int64)",
        "len(second) == 0:\n        return torch.zeros(0, 2, dtype=torch.int64)\n"
        "    if len(second) == 1:\n        return torch.tensor([[0, 0]])",
        RATIO,
    ),
    "any ratio accepted": (
        "ratio",
        "if not 0 < ratio <= 1",
        "if False",
        {"ratio_visible"},
    ),
    "the other way through the homography": (
        "curve",
        "others[pairs[:, 1]], homography)",
        "others[pairs[:, 1]], homography.inverse())",
        CURVE,
    ),
    "no homography": (
        "curve",
        "others[pairs[:, 1]], homography)",
        "others[pairs[:, 1]], torch.eye(3).double())",
        CURVE,
    ),
    "within one pixel": ("curve", "error < 3", "error < 1", CURVE),
    "wrong ones counted": ("curve", "error < 3", "error >= 3", CURVE),
    "one ratio for all": (
        "curve",
        "ratio_matches(of_points, of_others, ratio)",
        "ratio_matches(of_points, of_others, 0.8)",
        CURVE,
    ),
    "a share for the number": (
        "curve",
        "int((error < 3).sum())",
        "float((error < 3).double().mean())",
        CURVE,
    ),
    "tensors for integers": (
        "curve",
        "int((error < 3).sum())",
        "(error < 3).sum()",
        {"curve_visible"},
    ),
    "right ones first": (
        "curve",
        "(len(pairs), int((error < 3).sum()))",
        "(int((error < 3).sum()), len(pairs))",
        CURVE,
    ),
    "the last ratio alone": (
        "curve",
        "counts.append((len(pairs), int((error < 3).sum())))",
        "counts = [(len(pairs), int((error < 3).sum()))]",
        CURVE,
    ),
    "all are right": ("curve", "int((error < 3).sum())", "len(pairs)", CURVE),
}
BODIES = {
    # name: cell, another body for its function, test cells it costs
    "what it is asked becomes nothing": (
        "keep",
        "value.zero_(), curvature.zero_()\n"
        "return torch.zeros(len(value), dtype=torch.bool)",
        KEEP | {"keep_refuses_visible"},
    ),
    "it refuses everything": (
        "keep",
        "raise ValueError",
        KEEP | {"keep_refuses_visible"},
    ),
}
RIGHT = {
    "keep by the mean and half the difference": (
        "keep",
        "if edge < 1 or contrast < 0 or len(value) != len(curvature):\n"
        '    raise ValueError("no")\n'
        "xx, yy, xy = (curvature[:, i] for i in range(3))\n"
        "mean, half = (xx + yy).abs() / 2, torch.hypot((xx - yy) / 2, xy)\n"
        "round_ = (mean > half) & (mean + half < edge * (mean - half))\n"
        "return round_ & (value.abs() >= contrast)",
    ),
    "peaks by numpy's roll and a mask": (
        "peaks",
        "h = histogram.double().numpy()\n"
        "before, after = np.roll(h, 1), np.roll(h, -1)\n"
        "(where,) = np.nonzero((h > before) & (h >= after) & (h >= 0.8 * h.max()))\n"
        "a, b, c = before[where], h[where], after[where]\n"
        "angle = 2 * np.pi * (where + (a - c) / (2 * a - 4 * b + 2 * c)) / len(h)\n"
        "return torch.from_numpy(np.mod(angle, 2 * np.pi))",
    ),
    "normalise row by row": (
        "normalise",
        "answer = torch.zeros_like(entries)\n"
        "for i, row in enumerate(entries):\n"
        "    if row.any():\n"
        "        row = torch.minimum(row / row.norm(), torch.tensor(0.2).to(row))\n"
        "        answer[i] = row / row.norm()\n"
        "return answer",
    ),
    "ratio by sorting": (
        "ratio",
        'if ratio <= 0 or ratio > 1: raise ValueError("ratio")\n'
        "if min(len(first), len(second) - 1) < 1:\n"
        "    return torch.empty(0, 2).long()\n"
        "far = (first[:, None] - second).square().sum(2).sqrt()\n"
        "near, order = far.sort(dim=1)\n"
        "pairs = [[i, j] for i, (j, *_) in enumerate(order.tolist())\n"
        "         if near[i, 0] < ratio * near[i, 1] and far[:, j].min() >= far[i, j]]\n"
        "return torch.tensor(pairs).long().view(-1, 2)",
    ),
    "curve by comprehensions": (
        "curve",
        "def right(pairs):\n"
        "    a, b = first[0][pairs[:, 0], :2], second[0][pairs[:, 1], :2]\n"
        "    one = torch.cat([a.double(), torch.ones(len(a), 1).double()], 1)\n"
        "    moved = one @ homography.double().T\n"
        "    away = moved[:, :2] / moved[:, 2:] - b.double()\n"
        "    return int((away.square().sum(1) < 9).sum())\n"
        "found = [ratio_matches(first[1], second[1], ratio) for ratio in ratios]\n"
        "return [(len(pairs), right(pairs)) for pairs in found]",
    ),
    "curve, recursively": (
        "curve",
        "if not ratios: return []\n"
        "pairs = ratio_matches(first[1], second[1], ratios[0])\n"
        "left, there = first[0][pairs.T[0]], second[0][pairs.T[1]]\n"
        "good = torch.count_nonzero(sift.errors(left, there, homography) < 3)\n"
        "here = (pairs.shape[0], good.item())\n"
        "return [here, *curve(first, second, homography, ratios[1:])]",
    ),
    "fit by numpy and inv, row by row": (
        "fit",
        "offsets, values = [], []\n"
        "for c in cubes.numpy():\n"
        "    g = np.array([c[1, 1, 2] - c[1, 1, 0], c[1, 2, 1] - c[1, 0, 1],\n"
        "                  c[2, 1, 1] - c[0, 1, 1]]) / 2\n"
        "    h = np.zeros((3, 3))\n"
        "    h[0, 0] = c[1, 1, 2] - 2 * c[1, 1, 1] + c[1, 1, 0]\n"
        "    h[1, 1] = c[1, 2, 1] - 2 * c[1, 1, 1] + c[1, 0, 1]\n"
        "    h[2, 2] = c[2, 1, 1] - 2 * c[1, 1, 1] + c[0, 1, 1]\n"
        "    planes = (0, 1, c[1]), (0, 2, c[:, 1]), (1, 2, c[:, :, 1])\n"
        "    for i, j, p in planes:\n"
        "        h[i, j] = h[j, i] = (p[2, 2] - p[2, 0] - p[0, 2] + p[0, 0]) / 4\n"
        "    try:\n"
        "        u = -np.linalg.inv(h) @ g\n"
        "    except np.linalg.LinAlgError:\n"
        "        u = np.full(3, np.nan)\n"
        "    offsets.append(u)\n"
        "    values.append(c[1, 1, 1] + g @ u / 2)\n"
        "return (torch.tensor(np.array(offsets).reshape(-1, 3)),\n"
        "        torch.tensor(np.array(values).reshape(-1)))",
    ),
    "fit by Cramer's determinants": (
        "fit",
        "c = cubes.double()\n"
        "step = torch.tensor([-0.5, 0, 0.5]).double()\n"
        "bend = torch.tensor([1.0, -2, 1]).double()\n"
        "one = torch.tensor([0.0, 1, 0]).double()\n"
        "def d(s, y, x): return torch.einsum('nsyx,s,y,x->n', c, s, y, x)\n"
        "g = [d(one, one, step), d(one, step, one), d(step, one, one)]\n"
        "g = torch.stack(g, 1)\n"
        "xy, xs, ys = d(one, step, step), d(step, one, step), d(step, step, one)\n"
        "rows = [d(one, one, bend), xy, xs, xy, d(one, bend, one), ys, xs, ys,\n"
        "        d(bend, one, one)]\n"
        "h = torch.stack(rows, 1).view(-1, 3, 3)\n"
        "det, columns = torch.det(h), []\n"
        "for i in range(3):\n"
        "    other = h.clone()\n"
        "    other[:, :, i] = -g\n"
        "    columns.append(torch.det(other) / det)\n"
        "u = torch.stack(columns, 1)\n"
        "u[det == 0] = float('nan')\n"
        "return u, c[:, 1, 1, 1] + (g * u).sum(1) / 2",
    ),
    "fit by sums over the cube": (
        "fit",
        "c = cubes - cubes[:, 1:2, 1:2, 1:2]\n"
        "x, y, s = c[:, 1, 1], c[:, 1, :, 1], c[:, :, 1, 1]\n"
        "g = torch.stack([(line[:, 2] - line[:, 0]) / 2 for line in (x, y, s)], -1)\n"
        "h = torch.diag_embed(torch.stack([line[:, ::2].sum(1) for line in (x, y, s)], -1))\n"
        "planes = {(0, 1): c[:, 1], (0, 2): c[:, :, 1], (1, 2): c[..., 1]}\n"
        "for (i, j), p in planes.items():\n"
        "    corners = p[:, ::2, ::2]\n"
        "    sums = corners.diagonal(dim1=1, dim2=2).sum(1) * 2 - corners.sum((1, 2))\n"
        "    h[:, i, j] = h[:, j, i] = sums / 4\n"
        "u = torch.full_like(g, torch.nan)\n"
        "for n in range(len(u)):\n"
        "    if torch.linalg.matrix_rank(h[n]) == 3:\n"
        "        u[n] = torch.linalg.solve(h[n], -g[n])\n"
        "return u, cubes[:, 1, 1, 1] + torch.einsum('ni,ni->n', g, u) / 2",
    ),
    "refine by a counter of fits": (
        "refine",
        "fits, (level, row, column) = 0, place\n"
        "levels, height, width = differences.shape\n"
        "while fits < 5:\n"
        "    if level in (0, levels - 1) or row in (0, height - 1): return None\n"
        "    if column in (0, width - 1): return None\n"
        "    rows = differences[level - 1 : level + 2, row - 1 : row + 2]\n"
        "    offset, value = fit(rows[None, :, :, column - 1 : column + 2])\n"
        "    fits, (x, y, s) = fits + 1, offset.squeeze(0).tolist()\n"
        "    if x != x or y != y or s != s: return None\n"
        "    done = True\n"
        "    if abs(x) > 0.5: column, done = column + (1 if x > 0 else -1), False\n"
        "    if abs(y) > 0.5: row, done = row + (1 if y > 0 else -1), False\n"
        "    if abs(s) > 0.5: level, done = level + (1 if s > 0 else -1), False\n"
        "    if done: return column + x, row + y, level + s, float(value)",
    ),
    "refine by recursion": (
        "refine",
        "def go(place, left):\n"
        "    if left == 0 or any(p < 1 or p > n - 2 for p, n\n"
        "                        in zip(place, differences.shape)):\n"
        "        return None\n"
        "    s, y, x = place\n"
        "    u, v = fit(differences[None, s-1:s+2, y-1:y+2, x-1:x+2])\n"
        "    u = u[0].numpy()[::-1]\n"
        "    if np.isnan(u).any(): return None\n"
        "    if (np.abs(u) <= 0.5).all():\n"
        "        return x + u[2], y + u[1], s + u[0], float(v[0])\n"
        "    move = np.sign(u) * (np.abs(u) > 0.5)\n"
        "    return go(tuple(int(p + m) for p, m in zip(place, move)), left - 1)\n"
        "return go(tuple(place), 5)",
    ),
    "refine by unfolding the whole octave": (
        "refine",
        "cubes = differences.unfold(0, 3, 1).unfold(1, 3, 1).unfold(2, 3, 1)\n"
        "p = torch.tensor(place) - 1\n"
        "for fits in range(5):\n"
        "    if (p < 0).any() or (p >= torch.tensor(cubes.shape[:3])).any():\n"
        "        return None\n"
        "    u, v = fit(cubes[tuple(p.tolist())][None])\n"
        "    u = u[0].flip(0)\n"
        "    far = u.abs() > 0.5\n"
        "    if u.isnan().any(): return None\n"
        "    if not far.any():\n"
        "        return [*(p + 1 + u).flip(0).tolist(), v.item()]\n"
        "    p = p + (u.sign() * far).long()\n"
        "return None",
    ),
    "keep by eigenvalues": (
        "keep",
        "if not (edge >= 1 and contrast >= 0): raise ValueError\n"
        "if value.shape[0] != curvature.shape[0]: raise ValueError('rows')\n"
        "xx, yy, xy = curvature.T\n"
        "h = torch.stack([xx, xy, xy, yy], 1).view(-1, 2, 2)\n"
        "e = torch.linalg.eigvalsh(h.double())\n"
        "small, large = e.abs().min(1).values, e.abs().max(1).values\n"
        "return ((e[:, 0] * e[:, 1] > 0) & (large < edge * small)\n"
        "        & (abs(value) >= contrast))",
    ),
    "keep by a loop": (
        "keep",
        "if edge < 1 or contrast < 0 or len(value) != len(curvature):\n"
        "    raise ValueError('no')\n"
        "out = torch.zeros(len(value)) > 1\n"
        "for i, (v, (a, b, c)) in enumerate(zip(value.tolist(), curvature.tolist())):\n"
        "    det = a * b - c * c\n"
        "    if det > 0 and abs(v) >= contrast:\n"
        "        out[i] = (a + b) ** 2 / det < (edge + 1) ** 2 / edge\n"
        "return out",
    ),
    "peaks by a loop": (
        "peaks",
        "n, found, h = len(histogram), [], histogram.tolist()\n"
        "for b in range(n):\n"
        "    l, m, r = h[b - 1], h[b], h[(b + 1) % n]\n"
        "    if l < m and m >= r and m >= 0.8 * max(h):\n"
        "        angle = (b + (l - r) / (l - 2 * m + r) / 2) / n\n"
        "        found.append(angle % 1 * 2 * math.pi)\n"
        "return torch.tensor(found[::-1], dtype=torch.float64)",
    ),
    "peaks by a fitted polynomial": (
        "peaks",
        "h = histogram.double().numpy()\n"
        "n, found = len(h), []\n"
        "for b in range(n):\n"
        "    three = h[[b - 1, b, (b + 1) % n]]\n"
        "    if three[1] > three[0] and three[1] >= three[2] "
        "and three[1] >= 0.8 * h.max():\n"
        "        a, c, _ = np.polyfit([-1, 0, 1], three, 2)\n"
        "        found.append((b - c / (2 * a)) * 2 * np.pi / n % (2 * np.pi))\n"
        "return torch.tensor(found)",
    ),
    "normalise in numpy": (
        "normalise",
        "rows = entries.numpy().copy()\n"
        "for _ in range(2):\n"
        "    length = np.sqrt((rows ** 2).sum(1, keepdims=True))\n"
        "    rows = rows / np.where(length > 0, length, 1)\n"
        "    if _ == 0: rows[rows > 0.2] = 0.2\n"
        "return torch.from_numpy(rows)",
    ),
    "normalise by einsum and where": (
        "normalise",
        "def unit(rows):\n"
        "    square = torch.einsum('nd,nd->n', rows, rows)[:, None]\n"
        "    return torch.where(square > 0, rows * square.clamp(1e-30).rsqrt(), rows)\n"
        "rows = unit(entries)\n"
        "return unit(torch.where(rows > 0.2, torch.full_like(rows, 0.2), rows))",
    ),
    "ratio by loops": (
        "ratio",
        "if ratio <= 0 or ratio > 1: raise ValueError(ratio)\n"
        "pairs = []\n"
        "for i in range(len(first)):\n"
        "    if len(second) < 2: break\n"
        "    d = [math.dist(first[i].tolist(), row.tolist()) for row in second]\n"
        "    j = min(range(len(d)), key=d.__getitem__)\n"
        "    if d[j] < ratio * sorted(d)[1]:\n"
        "        back = [math.dist(r.tolist(), second[j].tolist()) for r in first]\n"
        "        if min(back) == back[i]: pairs.append((i, j))\n"
        "return torch.tensor(pairs, dtype=torch.long).view(-1, 2)",
    ),
    "ratio by the notebook's match, then a test": (
        "ratio",
        "if not 0 < ratio <= 1: raise ValueError\n"
        "if len(second) < 2: return torch.empty(0, 2, dtype=torch.int32)\n"
        "pairs = sift.match(first, second)\n"
        "kept = []\n"
        "for i, j in pairs.tolist():\n"
        "    d = torch.sort((second - first[i]).norm(dim=1)).values\n"
        "    if d[0] < ratio * d[1]: kept.append([i, j])\n"
        "return torch.tensor(kept, dtype=torch.int32).reshape(-1, 2)",
    ),
    "curve by hand": (
        "curve",
        "out = []\n"
        "for ratio in ratios:\n"
        "    right = 0\n"
        "    pairs = ratio_matches(first[1], second[1], ratio).tolist()\n"
        "    for i, j in pairs:\n"
        "        x, y = first[0][i, :2].tolist()\n"
        "        p = homography.numpy() @ [x, y, 1]\n"
        "        right += np.hypot(*(p[:2] / p[2] - second[0][j, :2].numpy())) < 3\n"
        "    out.append((len(pairs), int(right)))\n"
        "return out",
    ),
}
WORDS = [
    ("offset points the other way", "fit_visible", "the other way"),
    ("gradient not halved", "fit_visible", "two pixels apart"),
    ("mixed term without its quarter", "fit_visible", "divided by 4"),
    ("no mixed terms", "fit_visible", "mixed derivatives are missing"),
    ("order s, y, x", "fit_visible", "x and s are swapped"),
    ("x and y swapped", "fit_visible", "x and y are swapped"),
    ("value without its half", "fit_visible", "has a ½"),
    ("no moves", "refine_visible", "move by one"),
    ("place forgotten", "refine_visible", "add the place"),
    ("row for column", "refine_visible", "x is the column"),
    ("one fit too few", "refine_hidden", "five fits are four moves"),
    ("saddles kept", "keep_visible", "determinant must be positive"),
    ("the bound is r", "keep_visible", "(r + 1)² / r"),
    ("mixed derivative forgotten", "keep_visible", "use Dxy"),
    ("dark blobs dropped", "keep_visible", "absolute values"),
    ("parabola's sign", "peaks_visible", "wrong sign"),
    ("no parabola", "peaks_visible", "the parabola is missing"),
    ("a bin off", "peaks_visible", "a bin too far"),
    ("half a bin off", "peaks_visible", "half a bin off"),
    ("no cut", "normalise_visible", "the cut is missing"),
    ("not normalised first", "normalise_visible", "cut before the first"),
    ("not normalised again", "normalise_visible", "second division is missing"),
    ("zeros become nan", "normalise_visible", "a row of zeros"),
    ("in place", "normalise_visible", "in place"),
    ("squared distances", "ratio_visible", "not squared"),
    ("not mutual", "ratio_visible", "mutual"),
    ("ties match", "ratio_visible", "a tie"),
    ("value of the pixel", "fit_visible", "add ½ g·u"),
    ("the other way through the homography", "curve_visible", "*first* view"),
    ("one ratio for all", "curve_visible", "the ratios that are asked for"),
    ("gradient of one side", "fit_visible", "*both* neighbours"),
    ("mixed term halved", "fit_visible", "not by 2"),
    ("mixed term of the wrong sign", "fit_visible", "the wrong sign"),
    ("second derivative halved", "fit_visible", "has no ½"),
    ("value's sign", "fit_visible", "has a plus"),
    ("no top, no nan", "fit_hidden", "have no top: nan"),
    ("one flat cube spoils all", "fit_hidden", "no other row nan"),
    ("moves the other way", "refine_visible", "move by one"),
    ("jumps", "refine_hidden", "four moves"),
    ("no top returned", "refine_visible", "do you return the fit?"),
    ("the value left out", "refine_visible", "expected (x, y, s, value)"),
    ("one fit too many", "refine_hidden", "four moves"),
    ("whatever comes after five", "refine_hidden", "four moves"),
    ("border one too wide", "refine_visible", "all 26 neighbours"),
    ("edges kept, blobs dropped", "keep_visible", "bright blob stays"),
    ("faint ones kept", "keep_visible", "bright blob stays"),
    ("contrast exceeded", "keep_hidden", "just reaches the contrast"),
    ("always 10", "keep_hidden", "use `edge`"),
    ("the bound included", "keep_hidden", "not less than 1 times 1"),
    ("other numbers of rows accepted", "keep_refuses_visible", "not RuntimeError"),
    ("any bound accepted", "keep_refuses_visible", "a ValueError is expected"),
    ("parabola without its half", "peaks_visible", "twice too long"),
    ("the highest alone", "peaks_visible", "two peaks of 9 and 8"),
    ("every peak", "peaks_visible", "less than 0.8 of the highest"),
    ("degrees", "peaks_visible", "radians, please"),
    ("always 36 bins", "peaks_hidden", " of 8"),
    ("negative angles", "peaks_visible", "angles are in [0, 2π)"),
    ("a plateau counts twice", "peaks_hidden", "between them, once"),
    ("a plateau counts never", "peaks_hidden", "between them, once"),
    ("sum for length", "normalise_visible", "the sum was divided by"),
    ("columns for rows", "normalise_visible", "each row is a descriptor"),
    ("cut at a share of the largest", "normalise_visible", "0.2 of the largest"),
    ("large entries dropped", "normalise_visible", "large entries became 0"),
    ("float32", "normalise_hidden", "torch.float64 became"),
    ("ratio inverted", "ratio_visible", "*less* than ratio times"),
    ("the others are kept", "ratio_visible", "*less* than ratio times"),
    ("always 0.8", "ratio_visible", "use `ratio`"),
    ("the second nearest is matched", "ratio_visible", "second nearest is matched"),
    ("rows swapped", "ratio_visible", "in the order of `first`"),
    ("a single candidate matches", "ratio_visible", "one candidate"),
    ("any ratio accepted", "ratio_visible", "a ValueError is expected"),
    ("no homography", "curve_visible", "none is right"),
    ("within one pixel", "curve_visible", "within 3"),
    ("wrong ones counted", "curve_visible", "the wrong ones"),
    ("all are right", "curve_visible", "some matches are wrong"),
    ("a share for the number", "curve_visible", "is a share"),
    ("tensors for integers", "curve_visible", "is a tensor"),
    ("right ones first", "curve_visible", "come second"),
    ("the last ratio alone", "curve_visible", "for three ratios"),
]
