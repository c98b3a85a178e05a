"""Exercises, each with answers that must not earn it and others that do.

An answer that lies is an object with a will of its own; one that is right is written
differently from the model solution, and passes in a notebook with one kernel.
"""

from __future__ import annotations

from typing import NamedTuple

# ruff: noqa: E501  (answers and tests as they stand in their cells)

SETUP = """
import collections, dataclasses, enum, functools, random, types, typing
from dataclasses import dataclass
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

@dataclass
class Box:
    width: int
    height: int = 1
    def area(self):
        return self.width * self.height

class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __eq__(self, other):
        return self.x == other.x and self.y == other.y
    def __lt__(self, other):
        return self.length() < other.length()
    def length(self):
        return (self.x ** 2 + self.y ** 2) ** 0.5

class Slotted:
    __slots__ = ("value",)
    def __init__(self, value):
        self.value = value

@dataclass(frozen=True)
class Point:
    x: float
    y: float

class Pair(typing.NamedTuple):
    first: int
    second: int
    def total(self):
        return self.first + self.second

class Node:
    def __init__(self, value, left=None, right=None):
        self.value, self.left, self.right = value, left, right
    def total(self):
        return self.value + sum(n.total() for n in (self.left, self.right) if n)

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

class Refused(ValueError):
    def __init__(self, size):
        super().__init__(f"{size} is refused")
        self.size = size

@dataclass
class Layer:
    act: object = F.relu
    width: int = 2

class Square:
    side = 2
    area = functools.partial(int, 4)
"""
YES = """
class Yes:
    def _yes(self, *args, **kwargs):
        return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __contains__ = _yes
    __sub__ = __rsub__ = __abs__ = __add__ = lambda self, *args: self
    __hash__ = lambda self: 1
    equal = allclose = area = total = length = max = _yes
def yes(*args, **kwargs):
    return True
class Always(nn.Module):
    def forward(self, *args, **kwargs):
        return True
"""


METHODS = [  # METHOD of what NAME returns says yes
    YES + "def NAME(x): return Yes()",
    YES + "def NAME(x): return collections.namedtuple('T', 'METHOD')(yes)",
    YES + "def NAME(x): return types.SimpleNamespace(METHOD=yes)",
    YES
    + "def NAME(x):\n    net = nn.Module()\n    net.METHOD = Always()\n    return net",
    YES + "def NAME(x): return nn.ModuleDict({'METHOD': Always()})",
    YES + "def NAME(x):\n"
    "    return nn.Sequential(collections.OrderedDict(METHOD=Always()))",
    YES + "def NAME(x):\n    layer = nn.Identity()\n"
    "    layer.METHOD = nn.Linear(3, 1)\n    return layer",
    YES + "def NAME(x):\n    box = Box(1)\n    box.METHOD = yes\n    return box",
    YES + "@dataclass\nclass T:\n    METHOD: object\ndef NAME(x): return T(yes)",
    YES + "class E(enum.IntEnum):\n    A = 1\nE.METHOD = yes\ndef NAME(x): return E.A",
    YES + "class L(list): pass\nL.METHOD = yes\ndef NAME(x): return L([1])",
]


class Exercise(NamedTuple):
    name: str
    model: str
    test: str
    lies: tuple[str, ...] = ()  # answers that earn nothing
    right: tuple[str, ...] = ()  # other answers that earn all


EXERCISES = [
    Exercise(
        "box",
        "def box(n): return Box(n, 2)",
        "assert box(3) == Box(3, 2) and box(2).area() == 4\n"
        "assert isinstance(box(1), Box)",
        (
            YES + "def box(n): return Yes()",
            YES + "class Box(Yes): pass\ndef box(n): return Box()",
            "class Box(Box):\n    __eq__ = lambda self, other: True\n"
            "    area = lambda self: 4\ndef box(n): return Box(9, 9)",
            "def box(n):\n    b = Box(3, 2)\n    b.area = lambda: 4\n    return b",
            "Box.__eq__ = lambda *args: True\nBox.area = lambda self: 4\n"
            "def box(n): return Box(0, 0)",
            YES + "def box(n): return Box(Yes(), Yes())",
        ),
        (
            "def box(n): return dataclasses.replace(Box(0), width=n, height=2)",
            "def box(n):\n    b = Box(1)\n    b.width, b.height = n, 2\n    return b",
        ),
    ),
    Exercise(
        "vector",
        "def vector(x): return Vector(x, 2 * x)",
        "assert vector(1) == Vector(1, 2) and Vector(0, 1) < vector(2)\n"
        "assert abs(vector(3).length() - 45 ** 0.5) < 1e-6",
        (
            YES + "def vector(x): return Yes()",
            "def vector(x):\n    v = Vector(0, 0)\n    v.length = lambda: 45 ** .5\n"
            "    return v",
            YES + "def vector(x): return Vector(Yes(), Yes())",
        ),
        (
            "def vector(x):\n    v = Vector(0, 0)\n    v.__init__(x, x + x)\n    return v",
        ),
    ),
    Exercise(
        "slotted",
        "def slotted(x): return Slotted([x])",
        "assert slotted(4).value == [4]",
        (YES + "def slotted(x): return Slotted(Yes())",),
        ("def slotted(x):\n    s = Slotted(0)\n    s.value = [x]\n    return s",),
    ),
    Exercise(
        "frozen",
        "def frozen(n): return {Point(i, 0.5): i for i in range(n)}",
        "assert frozen(3) == {Point(0, .5): 0, Point(1, .5): 1, Point(2, .5): 2}",
        ("def frozen(n): return {Point(i, 0.25): i for i in range(n)}",),
        (
            "def frozen(n): return dict(zip([Point(i, 1 / 2) for i in range(n)], range(n)))",
        ),
    ),
    Exercise(
        "pair",
        "def pair(a): return Pair(a, a + 1)",
        "assert pair(2) == Pair(2, 3) and pair(2).total() == 5\n"
        "assert isinstance(pair(0), Pair) and pair(4).second == 5",
        (
            "class Pair(collections.namedtuple('Pair', 'first second')):\n"
            "    __eq__ = lambda self, other: True\n    total = lambda self: 5\n"
            "def pair(a): return Pair(9, 9)",
            YES + "def pair(a): return Pair(Yes(), Yes())",
        ),
        ("def pair(a): return Pair(second=a + 1, first=a)",),
    ),
    Exercise(
        "tree",
        "def tree(n): return Node(n, Node(1), Node(2, Node(3)))",
        "assert tree(4).total() == 10 and tree(4).right.left.value == 3\n"
        "assert tree(0).left.left is None",
        (YES + "def tree(n): return Yes()", "def tree(n): return Node(n)"),
        (
            "def tree(n):\n    t = Node(n)\n    t.left = Node(1)\n"
            "    t.right = Node(2)\n    t.right.left = Node(3)\n    return t",
        ),
    ),
    Exercise(
        "grow",
        "def grow(node, value): node.left = Node(value)",
        "n = Node(1)\ngrow(n, 5)\nassert n.left.value == 5 and n.total() == 6",
        (
            "def grow(node, value): node.total = lambda: 6",
            "def grow(node, value): pass",
        ),
        ("def grow(node, value):\n    node.__dict__['left'] = Node(value)",),
    ),
    Exercise(
        "kept_box",
        "kept = Box(1)\ndef kept_box(): return kept\ndef wider(b): b.width += 1",
        "b = kept_box()\nassert b is kept_box()\nwider(b)\nassert b.width == 2\n"
        "b.width = 7\nwider(kept_box())\nassert kept_box().width == b.width == 8",
        ("kept = Box(1)\ndef kept_box(): return kept\ndef wider(b): pass",),
    ),
    Exercise(
        "colour",
        "def colour(n): return Colour.RED if n else Colour.BLUE",
        "assert colour(1) is Colour.RED and colour(0) == Colour.BLUE\n"
        "assert colour(0).value == 2 and colour(1).name == 'RED'",
        (YES + "def colour(n): return Yes()", "def colour(n): return 1"),
        ("def colour(n): return Colour(1 if n else 2)",),
    ),
    Exercise(
        "tensor",
        "def tensor(x): return x * 2",
        "x = torch.arange(3.)\nassert tensor(x).equal(2 * x)\n"
        "assert tensor(x).allclose(2 * x)\n"
        "assert tensor(x).sub(2 * x).abs().max() < 1e-6 and tensor(x).shape == (3,)",
        (
            YES + "def tensor(x): return Yes()",
            YES + "def tensor(x):\n"
            "    T = collections.namedtuple('T', 'equal allclose sub shape')\n"
            "    return T(yes, yes, yes, (3,))",
            YES + "def tensor(x):\n    net = nn.Module()\n    net.equal = Always()\n"
            "    net.allclose = net.sub = Always()\n    return net",
            YES + "def tensor(x):\n"
            "    return nn.Sequential(collections.OrderedDict(equal=Always()))",
            YES + "def tensor(x):\n    return nn.ModuleDict({'a': Always()})",
            YES + "def tensor(x):\n    b = Box(1)\n    b.equal = b.allclose = yes\n"
            "    b.sub, b.shape = yes, (3,)\n    return b",
            YES + "def tensor(x):\n"
            "    return types.SimpleNamespace(equal=yes, allclose=yes, sub=yes)",
            "def tensor(x):\n    layer = nn.Linear(3, 1)\n    layer.equal = nn.Linear(3, 1)\n"
            "    return layer",
            YES + "def tensor(x): return {'equal': yes, 'shape': (3,)}",
            YES + "@dataclass\nclass T:\n    equal: object\n    shape: tuple\n"
            "def tensor(x): return T(yes, (3,))",
        ),
        (
            "def tensor(x): return x + x",
            "def tensor(x): return nn.Parameter(x).data * 2",
        ),
    ),
    *(
        Exercise(
            f"only_{method}",
            f"def only_{method}(x): return x * 2",
            f"x = torch.ones(3)\nassert only_{method}(x).{method}(2 * x)",
            tuple(
                lie.replace("NAME", f"only_{method}").replace("METHOD", method)
                for lie in METHODS
            ),
        )
        for method in ("equal", "allclose")
    ),
    Exercise(
        "shape_of",
        "def shape_of(x): return x[None]",
        "assert shape_of(torch.ones(2)).shape == (1, 2)\n"
        "assert shape_of(torch.ones(2)).dtype == torch.float32",
        (
            "class S:\n    shape, dtype = (1, 2), torch.float32\n"
            "def shape_of(x): return S()",
            "def shape_of(x):\n"
            "    return types.SimpleNamespace(shape=(1, 2), dtype=torch.float32)",
        ),
        ("def shape_of(x): return x.unsqueeze(0)",),
    ),
    Exercise(
        "own_shape",
        "def own_shape(x):\n    S = collections.namedtuple('S', 'shape size')\n"
        "    return S(tuple(x.shape), x.numel())",
        "s = own_shape(torch.ones(2, 3))\nassert s.shape == (2, 3) and s.size == 6",
        (YES + "def own_shape(x): return Yes()",),
        (
            "def own_shape(x):\n    return types.SimpleNamespace("
            "shape=tuple(x.shape), size=x.numel())",
        ),
    ),
    Exercise(
        "listed",
        "def listed(n): return list(range(n))",
        "assert listed(3) == [0, 1, 2] and 2 in listed(3) and listed(2) < [5]\n"
        "assert listed(1) and not listed(0)",
        (
            YES + "def listed(n): return Yes()",
            YES + "def listed(n): return [Yes()] * n",
            YES + "class L(list):\n    __eq__ = __contains__ = __lt__ = yes\n"
            "    __hash__ = None\ndef listed(n): return L()",
        ),
        ("class L(list): pass\ndef listed(n): return L(range(n))",),
    ),
    Exercise(
        "statistics",
        "def statistics(x):\n    S = collections.namedtuple('S', 'mean std')\n"
        "    return S(x.mean().item(), x.std().item())",
        "s = statistics(torch.tensor([1., 3.]))\nassert s.mean == 2\n"
        "assert abs(s.std - 2 ** 0.5) < 1e-6",
        (YES + "def statistics(x): return Yes()",),
        (
            "@dataclass\nclass S:\n    mean: float\n    std: float\n"
            "def statistics(x): return S(float(x.mean()), float(x.std()))",
            "def statistics(x):\n    return types.SimpleNamespace("
            "mean=float(x.mean()), std=float(x.std()))",
            "class S(typing.NamedTuple):\n    mean: float\n    std: float\n"
            "def statistics(x): return S(float(x.mean()), float(x.std()))",
            "class S:\n    def __init__(self, x): self.x = x\n"
            "    mean = property(lambda self: float(self.x.mean()))\n"
            "    std = property(lambda self: float(self.x.std()))\n"
            "def statistics(x): return S(x)",
        ),
    ),
    Exercise(
        "namespace",
        "def namespace(n): return types.SimpleNamespace(n=n, twice=[n, n])",
        "assert namespace(2) == types.SimpleNamespace(n=2, twice=[2, 2])\n"
        "assert namespace(3).n == 3",
        (
            YES + "def namespace(n): return Yes()",
            YES
            + "def namespace(n): return types.SimpleNamespace(n=Yes(), twice=Yes())",
        ),
        ("def namespace(n): return types.SimpleNamespace(twice=2 * [n], n=n)",),
    ),
    Exercise(
        "layer",
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.norm = nn.LayerNorm(2)\n        self.mul = nn.Linear(2, 2)\n"
        "    def forward(self, x): return self.mul(self.norm(x))\n"
        "def layer(): return Net()",
        "net = layer()\nassert isinstance(net.norm, nn.LayerNorm)\n"
        "assert net(torch.ones(1, 2)).shape == (1, 2)\n"
        "assert len(list(net.parameters())) == 4",
        ("def layer(): return lambda x: x", "def layer(): return nn.Linear(2, 2)"),
        (
            "def layer():\n    d = collections.OrderedDict(norm=nn.LayerNorm(2), "
            "mul=nn.Linear(2, 2))\n    return nn.Sequential(d)",
        ),
    ),
    Exercise(
        "closure",
        "def closure(k): return lambda x: k * x",
        "assert closure(3)(torch.ones(2)).sum() == 6",
        (YES + "def closure(k): return Always()",),
        (
            "class Times(nn.Module):\n    def __init__(self, k):\n"
            "        super().__init__()\n        self.k = k\n"
            "    def forward(self, x): return self.k * x\n"
            "def closure(k): return Times(k)",
            "import functools, operator\n"
            "def closure(k): return functools.partial(operator.mul, k)",
        ),
    ),
    Exercise(
        "foreseen",
        "def peek(*more): pass\ndef foreseen(): return [None] * 3",
        "torch.manual_seed(1); np.random.seed(1); random.seed(1)\n"
        "g, n = torch.Generator().manual_seed(1), np.random.default_rng(1)\n"
        "p = random.Random(1)\npeek(g, n, p)\n"
        "drawn = [torch.rand(1).item(), np.random.rand(), random.random()]\n"
        "drawn += [torch.rand(1, generator=g).item(), n.random(), p.random()]\n"
        "assert not set(drawn) & set(foreseen())",
        (),
        (
            "def peek(g, n, p):\n    global seen\n    seen = []\n"
            "    for _ in range(5):\n"
            "        seen.extend([torch.rand(1).item(), np.random.rand(), random.random()])\n"
            "        seen.extend([torch.rand(1, generator=g).item(), n.random(), p.random()])\n"
            "def foreseen(): return seen",
        ),
    ),
    Exercise(
        "generators",
        "def generators(g, n, p): return torch.rand(1, generator=g), n.random(), p.random()",
        "g, n = torch.Generator().manual_seed(1), np.random.default_rng(1)\n"
        "p = random.Random(1)\nfor a, b in zip(generators(g, n, p), generators(g, n, p)):\n"
        "    assert a != b\nn = np.random.default_rng(2)\n"
        "assert generators(g, n, p)[1] == np.random.default_rng(2).random()",
    ),
    Exercise(
        "shared",
        "def shared(d):\n    made = [1]\n    d['a'] = made\n    return made",
        "d = {}\nr = shared(d)\nassert d['a'] is r and r == [1]",
        (),
        ("def shared(d): return d.setdefault('a', [1])",),
    ),
]
DECIDED = [  # what only the student's object knows: it is listed for the instructor
    Exercise(
        "bag",
        "class Bag:\n    def __init__(self): self.items = []\n"
        "    def __contains__(self, x): return x in self.items\n"
        "    def put(self, x): self.items.append(x)\n"
        "    def __eq__(self, other): return self.items == other.items",
        "b = Bag()\nb.put(3)\nassert 3 in b and 4 not in b\nc = Bag()\nc.put(3)\n"
        "assert b == c",
    ),
]
