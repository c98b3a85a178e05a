"""Assignment 4: the solution passes, the empty answer fails, mistakes cost right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from course_lib import data, notebook, results
from tests import execute
from course_lib.train import History, Recipe

# slow: the solution trains, once
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]
NAME = "a04_alexnet"
CELLS = execute.named(execute.notebook(NAME).cells)
SOLVED = {name: cell.source for name, cell in CELLS.items()}
POSSIBLE = execute.points(NAME)
LRN = {"lrn_visible", "lrn_hidden"}
COLOURS = {"colours_visible", "colours_hidden"}
FANCY = {"fancy_visible", "fancy_hidden"}
PRICE = {"price_visible", "price_hidden"}
HAND_IN = {"hand_in_visible", "hand_in_hidden"}


@pytest.fixture(scope="session")
def record(request) -> Path:
    """What the solution hands in; trained once, and again when what it uses changes."""
    source = SOLVED["hand_in"] + notebook.source("04_alexnet").read_text("utf-8")
    key = results.hashlib.sha256((source + torch.__version__).encode()).hexdigest()[:16]
    folder = Path(request.config.cache.mkdir(f"{NAME}-{key}"))
    if not (folder / "record.json").exists():
        torch.set_num_threads(1)
        space: dict = {}
        for cell in ("setup", "splits", "hand_in"):
            exec(SOLVED[cell], space)
        space["hand_in"](folder / "record.json")
    return folder


@pytest.fixture
def folder(tmp_path, record) -> Path:
    for path in record.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def solved(record) -> execute.Run:
    """The solution's run, whose results stand where a mistake cannot reach."""
    torch.set_num_threads(1)
    return execute.score(NAME, record)


@pytest.fixture
def lost(folder, solved):
    """Return what a change costs: the test cells without points, and the errors."""

    def lost(changes: dict[str, str], again=()) -> tuple[set, dict]:
        run = execute.score(NAME, folder, changes, after=solved, again=again)
        return run.lost, run.errors

    return lost


def test_solution_gets_every_point(solved):
    assert solved.errors == {}
    assert solved.points == POSSIBLE


def test_hand_in_is_trained_from_nothing(tmp_path):
    run = execute.score(NAME, tmp_path, skip=["race_visible"])
    assert run.errors == {}
    assert (tmp_path / "record.safetensors").exists()


def test_empty_answer_fails_every_test_cell(tmp_path):
    changes = {name: execute.cleared(source) for name, source in SOLVED.items()}
    assert execute.score(NAME, tmp_path, changes).lost == set(POSSIBLE)


MISTAKES = {
    # name: cell, in the solution, the mistake, test cells it costs
    "α is divided by n": ("lrn", "alpha * energy", "alpha / n * energy", LRN),
    "squares forgotten": ("lrn", "a.square()", "a", LRN),
    "β on the wrong side": ("lrn", "return a / (", "return a * (", LRN),
    "β as a factor": ("lrn", ") ** beta", ") * beta", LRN),
    "k inside the sum": ("lrn", "(k + alpha * energy)", "(alpha * (k + energy))", LRN),
    "last neighbour left out": ("lrn", "2 * half + 1)", "2 * half)", LRN),
    "window starts at the channel": (
        "lrn",
        "(0, 0, 0, 0, half, half)",
        "(0, 0, 0, 0, 0, 2 * half)",
        LRN,
    ),
    "even n as PyTorch has it": (
        "lrn",
        "range(2 * half + 1)",
        "range(n)",
        {"lrn_hidden"},
    ),
    "n = 0 accepted": ("lrn", "if n < 1:", "if False:", {"lrn_refuses_visible"}),
    "any shape accepted": (
        "lrn",
        "if a.ndim != 4:",
        "if False:",
        {"lrn_refuses_visible"},
    ),
    "pixels 0 to 255": ("colours", ".div(255)", "", COLOURS),
    "mean not subtracted": (
        "colours",
        "pixels.T.cov()",
        "pixels.T @ pixels / len(pixels)",
        COLOURS,
    ),
    "transposed eigenvectors": (
        "colours",
        "eigenvectors.flip(1)",
        "eigenvectors.flip(1).T",
        COLOURS,
    ),
    "smallest first": (
        "colours",
        "eigenvalues.flip(0).float(), eigenvectors.flip(1)",
        "eigenvalues.float(), eigenvectors",
        {"colours_visible"},
    ),
    "eigenvectors not reversed": (
        "colours",
        "eigenvectors.flip(1)",
        "eigenvectors",
        COLOURS,
    ),
    "standard deviations for variances": (
        "colours",
        "eigenvalues.flip(0)",
        "eigenvalues.flip(0).sqrt()",
        COLOURS,
    ),
    "grey images accepted": (
        "colours",
        "images.ndim != 4 or images.shape[1] != 3",
        "False",
        {"colours_hidden"},
    ),
    "√λ for λ": ("fancy", "alphas * eigenvalues", "alphas * eigenvalues.sqrt()", FANCY),
    "λ missing": ("fancy", "alphas * eigenvalues", "alphas", FANCY),
    "rows for columns": ("fancy", "@ eigenvectors.T", "@ eigenvectors", FANCY),
    "variance 0.1, not std": (
        "fancy",
        "0.1 * torch.randn",
        "0.1**0.5 * torch.randn",
        FANCY,
    ),
    "one draw for the whole batch": (
        "fancy",
        "torch.randn(len(images), 3",
        "torch.randn(1, 3",
        FANCY,
    ),
    "one α for the three directions": (
        "fancy",
        "torch.randn(len(images), 3",
        "torch.randn(len(images), 1",
        {"fancy_hidden"},
    ),
    "uniform α": (
        "fancy",
        "0.1 * torch.randn(len(images), 3, generator=generator)",
        "0.1 * 12**0.5 * (torch.rand(len(images), 3, generator=generator) - 0.5)",
        {"fancy_hidden"},
    ),
    "seed ignored": ("fancy", ", generator=generator", "", {"fancy_hidden"}),
    "one seed for all": (
        "fancy",
        "manual_seed(seed)",
        "manual_seed(0)",
        {"fancy_hidden"},
    ),
    "prediction without biases": (
        "predict",
        "1_327_488, 663_936",
        "1_327_104, 663_552",
        {"predict_hidden"},
    ),
    "prediction: a quarter for half": (
        "predict",
        "663_936",
        "332_160",
        {"predict_hidden"},
    ),
    # the solution's MACs call its parameters: this mistake is carried over
    "groups forgotten": (
        "price",
        "(channels // groups)",
        "channels",
        PRICE | {"price_macs_hidden"},
    ),
    "groups counted twice": (
        "price",
        "(channels // groups)",
        "(channels // groups // groups)",
        PRICE | {"price_macs_hidden"},
    ),
    "bias shared by a group": (
        "price",
        "+ width * bias",
        "+ width // groups * bias",
        PRICE,
    ),
    "bias forgotten": ("price", " + width * bias", "", PRICE),
    "a float": ("price", "channels // groups", "channels / groups", {"price_visible"}),
    "odd groups accepted": (
        "price",
        "channels % groups or width % groups",
        "False",
        {"price_hidden"},
    ),
    "side counted once": ("price_macs", "side**2", "side", {"price_macs_hidden"}),
    "biases are multiplications": (
        "price_macs",
        "bias=False",
        "bias=True",
        {"price_macs_hidden"},
    ),
    "nan in the gradient": (
        "elu",
        "x.clamp(min=0) + x.clamp(max=0).expm1()",
        "torch.where(x > 0, x, x.exp() - 1)",
        {"elu_hidden"},
    ),
    "PyTorch's own": (
        "elu",
        "x.clamp(min=0) + x.clamp(max=0).expm1()",
        "nn.ELU()(x)",
        {"elu_visible"},
    ),
    "leaky for exponential": (
        "elu",
        "x.clamp(max=0).expm1()",
        "0.01 * x.clamp(max=0)",
        {"elu_visible", "elu_hidden"},
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_costs_its_points_and_no_others(mistake, lost):
    cell, old, new, expected = MISTAKES[mistake]
    found, errors = lost({cell: execute.edited(SOLVED[cell], old, new)})
    assert found == expected, errors


BODIES = {
    # name: cell, another body for its function, test cells it costs
    "neighbours in space": (
        "lrn",
        "energy = torch.nn.functional.avg_pool2d(\n"
        "    a.square(), 2 * (n // 2) + 1, 1, n // 2, divisor_override=1)\n"
        "return a / (k + alpha * energy) ** beta",
        LRN | {"lrn_refuses_visible"},
    ),
    "window goes round the edges": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError\n"
        "energy = sum(a.roll(j, 1).square() for j in range(-(n // 2), n // 2 + 1))\n"
        "return a / (k + alpha * energy) ** beta",
        LRN,
    ),
    "PyTorch's layer": (
        "lrn",
        "return torch.nn.functional.local_response_norm(a, n, alpha, beta, k)",
        LRN | {"lrn_refuses_visible"},
    ),
    "changes its input": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError\n"
        "squares, channels = a.square(), a.shape[1]\n"
        "for i in range(channels):\n"
        "    energy = squares[:, max(0, i - n // 2) : i + n // 2 + 1].sum(1)\n"
        "    a[:, i] /= (k + alpha * energy) ** beta\n"
        "return a",
        LRN,
    ),
    "a covariance for each image": (
        "colours",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError\n"
        "flat = images.double().div(255).flatten(2)\n"
        "cov = torch.stack([pixels.cov() for pixels in flat]).mean(0)\n"
        "values, vectors = torch.linalg.eigh(cov)\n"
        "return values.flip(0), vectors.flip(1)",
        {"colours_hidden"},
    ),
    "mean colours only": (
        "colours",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError\n"
        "cov = images.double().div(255).mean((2, 3)).T.cov()\n"
        "values, vectors = torch.linalg.eigh(cov)\n"
        "return values.flip(0), vectors.flip(1)",
        {"colours_visible"},
    ),
    "α for each pixel": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError\n"
        "generator = torch.Generator().manual_seed(seed)\n"
        "alphas = 0.1 * torch.randn(images.movedim(1, -1).shape, generator=generator)\n"
        "shift = (alphas * eigenvalues) @ eigenvectors.T\n"
        "return images + shift.movedim(-1, 1)",
        FANCY,
    ),
}


@pytest.mark.parametrize("mistake", BODIES)
def test_wrong_function_costs_its_points_and_no_others(mistake, lost):
    cell, body, expected = BODIES[mistake]
    found, errors = lost({cell: execute.rewritten(SOLVED[cell], body)})
    assert found == expected, errors


def test_copied_specification_is_too_slow(lost):
    body = "if a.ndim != 4 or n < 1: raise ValueError\n"
    body += "return lrn_spec(a, n, k, alpha, beta)"
    found, _ = lost({"lrn": execute.rewritten(SOLVED["lrn"], body)})
    assert found == {"lrn_hidden"}


RACES = {
    "top-1 for the error": ("1 - epoch.train_top1", "epoch.train_top1"),
    "percent for a fraction": ("1 - epoch.train_top1", "100 - 100 * epoch.train_top1"),
    "runs on after the goal": ("until=done, ", ""),
    "stops at 25 % top-1": (">= 0.75", ">= 0.25"),
    "the number of epochs": (
        "[1 - epoch.train_top1 for epoch in history]",
        "len(history)",
    ),
    "other weights each time": ("torch.manual_seed(0)", "torch.seed()"),
    "epochs ignored": ("Recipe(epochs,", "Recipe(3,"),
}


@pytest.mark.parametrize("mistake", RACES)
def test_mistake_in_the_race(mistake, lost):
    changes = {"race": execute.edited(SOLVED["race"], *RACES[mistake])}
    found, errors = lost(changes)
    assert found == {"race_visible"}, errors


def forge(folder: Path, **facts) -> None:
    path = folder / "record.json"
    row = json.loads(path.read_text("utf-8"))
    for key, value in facts.items():
        row[key] = row[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(row), "utf-8")


def test_claim_that_the_weights_do_not_keep(folder, lost):
    forge(folder, test_top1=0.9999)
    found, errors = lost({}, HAND_IN)
    assert found == {"hand_in_hidden"}
    assert "claims 100.0%" in errors["hand_in_hidden"]


def test_training_on_the_test_images(folder, lost):
    test = data.load("digits", "test", size=32, channels=3)
    forge(folder, images={"train": test.digest})
    found, errors = lost({}, HAND_IN)
    assert found == {"hand_in_hidden"}
    assert "TRAIN" in errors["hand_in_hidden"]


def test_weights_of_another_training(folder, lost):
    network = notebook.load("04_alexnet").alexnet_small()
    results.save_weights(folder / "record.safetensors", network)
    assert lost({}, HAND_IN)[0] == {"hand_in_hidden"}


def test_weights_not_handed_in(folder, lost):
    (folder / "record.safetensors").unlink()
    assert lost({}, HAND_IN)[0] == {"hand_in_hidden"}


def test_more_epochs_than_allowed(folder, lost):
    history = json.loads((folder / "record.json").read_text("utf-8"))["history"]
    forge(folder, history=history + history[-1:])
    assert lost({}, HAND_IN)[0] == {"hand_in_visible"}


def test_recipe_of_the_notebook_needs_more_than_five_epochs(tmp_path):
    changed = execute.edited(
        SOLVED["hand_in"],
        'Recipe(5, 16, 1e-3, optimizer="adamw", warmup_epochs=0.5)',
        'Recipe(**alexnet.RECIPES["digits"] | {"epochs": 5})',
    )
    run = execute.score(NAME, tmp_path, {"hand_in": changed}, skip=["race_visible"])
    assert run.lost == HAND_IN


def test_untrained_network_honestly_recorded(folder, lost):
    torch.manual_seed(0)
    network = notebook.load("04_alexnet").alexnet_small()
    train, test = (
        data.load("digits", part, size=32, channels=3) for part in ("train", "test")
    )
    history = History(results.read(folder / "record.json").history[:1])
    facts = {"unit": "04_alexnet", "network": "alexnet_small"}
    results.save(folder / "record", network, history, Recipe(1), train, test, **facts)
    assert lost({}, HAND_IN)[0] == HAND_IN


RIGHT = {
    "norm, channel by channel": (
        "lrn",
        "if len(a.shape) != 4 or n <= 0:\n"
        "    raise ValueError('no')\n"
        "b = torch.zeros_like(a)\n"
        "for i in range(a.shape[1]):\n"
        "    lo, hi = max(0, i - n // 2), min(a.shape[1] - 1, i + n // 2)\n"
        "    energy = (a[:, lo : hi + 1] ** 2).sum(1)\n"
        "    b[:, i] = a[:, i] / (k + alpha * energy) ** beta\n"
        "return b",
    ),
    "norm as a product with a band matrix": (
        "lrn",
        "if a.dim() != 4 or n < 1: raise ValueError()\n"
        "place = torch.arange(a.shape[1])\n"
        "band = ((place[:, None] - place).abs() <= n // 2).to(a)\n"
        "energy = torch.einsum('ij,njhw->nihw', band, a * a)\n"
        "return a * (k + alpha * energy).pow(-beta)",
    ),
    "norm by three-dimensional convolution": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError()\n"
        "half = n // 2\n"
        "ones = torch.ones(1, 1, 2 * half + 1, 1, 1)\n"
        "energy = nn.functional.conv3d((a * a)[:, None], ones, padding=(half, 0, 0))\n"
        "return a / (k + alpha * energy[:, 0]) ** beta",
    ),
    "norm by cumulative sums in numpy": (
        "lrn",
        "if a.ndim != 4 or n < 1: raise ValueError()\n"
        "half, channels = n // 2, a.shape[1]\n"
        "total = np.cumsum(np.pad(a.double().numpy() ** 2,\n"
        "    ((0, 0), (half + 1, half), (0, 0), (0, 0))), axis=1)\n"
        "energy = total[:, 2 * half + 1 :] - total[:, :channels]\n"
        "return (a.double() / (k + alpha * torch.tensor(energy)) ** beta).float()",
    ),
    "colours by singular values": (
        "colours",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "pixels = images.permute(0, 2, 3, 1).reshape(-1, 3).numpy() / 255.0\n"
        "pixels = pixels - pixels.mean(axis=0)\n"
        "_, s, vt = np.linalg.svd(pixels, full_matrices=False)\n"
        "values = torch.tensor(s**2 / (len(pixels) - 1))\n"
        "return values.float(), torch.tensor(vt.T.copy()).float()",
    ),
    "colours by numpy's covariance, signs turned": (
        "colours",
        "if tuple(images.shape[1:2]) != (3,) or images.ndim != 4: raise ValueError()\n"
        "flat = images.double().numpy().transpose(1, 0, 2, 3).reshape(3, -1)\n"
        "values, vectors = np.linalg.eigh(np.cov(flat / 255, bias=True))\n"
        "order = np.argsort(-values)\n"
        "return torch.from_numpy(values[order]), torch.from_numpy(-vectors[:, order])",
    ),
    "shift image by image": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "rng = np.random.default_rng(seed)\n"
        "shifted = []\n"
        "for image in images:\n"
        "    alpha = torch.tensor(rng.normal(0, 0.1, size=3), dtype=torch.float32)\n"
        "    shift = eigenvectors @ (alpha * eigenvalues)\n"
        "    shifted.append(image + shift.view(3, 1, 1))\n"
        "return torch.stack(shifted)",
    ),
    "shift by einsum, global seed": (
        "fancy",
        "if images.ndim != 4 or images.shape[1] != 3: raise ValueError()\n"
        "torch.manual_seed(seed)\n"
        "alphas = torch.normal(0.0, 0.1, (images.shape[0], 3))\n"
        "shift = torch.einsum('ci,i,ni->nc', eigenvectors, eigenvalues, alphas)\n"
        "return images + shift.unsqueeze(-1).unsqueeze(-1)",
    ),
    "params counted on the layer itself": (
        "price",
        "with torch.device('meta'):\n"
        "    sizes = channels, width, kernel_size\n"
        "    layer = nn.Conv2d(*sizes, groups=groups, bias=bias)\n"
        "return sum(p.numel() for p in layer.parameters())",
    ),
    "MACs group by group": (
        "price_macs",
        "if channels % groups != 0 or width % groups != 0: raise ValueError()\n"
        "return sum(side * side * (width // groups) * (channels // groups)\n"
        "    * kernel_size * kernel_size for group in range(groups))",
    ),
    "elu with the other side made safe": (
        "elu",
        "safe = torch.where(x > 0, torch.zeros_like(x), x)\n"
        "return torch.where(x > 0, x, torch.exp(safe) - 1)",
    ),
    "elu by relus": (
        "elu",
        "return torch.relu(x) + torch.exp(-torch.relu(-x)) - 1",
    ),
}


@pytest.mark.parametrize("answer", RIGHT)
def test_unusual_right_answer_keeps_every_point(answer, lost):
    cell, body = RIGHT[answer]
    found, errors = lost({cell: execute.rewritten(SOLVED[cell], body)})
    assert (found, errors) == (set(), {})


def test_race_by_a_loop_of_ones_own(lost):
    body = (
        "torch.manual_seed(1)\n"
        "net, errors = alexnet.race_network(ACTIVATIONS[activation]), []\n"
        "optimizer = torch.optim.SGD(net.parameters(), learning_rate, momentum=0.9)\n"
        "while len(errors) < epochs and not (errors and errors[-1] <= 0.25):\n"
        "    wrong = 0\n"
        "    epoch = {'epoch': len(errors), 'shuffle': True}\n"
        "    for images, labels in data.batches(RUNNERS, 16, **epoch):\n"
        "        logits = net(images)\n"
        "        wrong += (logits.argmax(1) != labels).sum().item()\n"
        "        optimizer.zero_grad()\n"
        "        nn.functional.cross_entropy(logits, labels).backward()\n"
        "        optimizer.step()\n"
        "    errors.append(wrong / len(RUNNERS))\n"
        "return errors"
    )
    changes = {"race": execute.rewritten(SOLVED["race"], body)}
    found, errors = lost(changes)
    assert (found, errors) == (set(), {})


@pytest.mark.parametrize(
    ("mistake", "cell", "words"),
    [
        ("α is divided by n", "lrn_visible", "divided by n"),
        ("β on the wrong side", "lrn_visible", "the paper divides"),
        ("pixels 0 to 255", "colours_visible", "[0, 1]"),
        ("smallest first", "colours_visible", "largest eigenvalue must come first"),
        ("transposed eigenvectors", "colours_visible", "a column"),
        ("√λ for λ", "fancy_visible", "√λ stands for λ"),
        ("λ missing", "fancy_visible", "λ is missing"),
        ("one draw for the whole batch", "fancy_visible", "for each image"),
        ("groups forgotten", "price_visible", "of its group only"),
        ("bias forgotten", "price_visible", "biases are missing"),
        ("bias shared by a group", "price_visible", "whatever the groups"),
        ("a float", "price_visible", "// keeps integers"),
        ("nan in the gradient", "elu_hidden", "infinite"),
    ],
)
def test_failure_names_the_mistake(mistake, cell, words, lost):
    changed, old, new, _ = MISTAKES[mistake]
    _, errors = lost({changed: execute.edited(SOLVED[changed], old, new)})
    assert words in errors[cell]
