"""Answers and tests that must come out in two processes as they do in one.

Each case is an answer, for the student's side, and a test of it, for the judge's; half of the
tests fail, and must fail with the same exception.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    name: str
    answer: str
    test: str


SETUP = """
import math, random, io, contextlib, warnings
from collections import namedtuple
import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

Size = namedtuple("Size", "height width")

class Scale(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.by = nn.Parameter(torch.tensor(float(by)))
    def forward(self, x):
        return self.by * x

def helper(x):
    return x + 1
"""

CASES = [
    Case("number", "def a1(x): return 2 * x", "assert a1(3) == 6 and a1(2.5) == 5.0"),
    Case("wrong", "def a2(x): return x", "assert a2(3) == 6"),
    Case("missing", "", "a3_is_not_there(1)"),
    Case("raises", "def a4(): raise ValueError('no')", "a4()"),
    Case(
        "caught",
        "def a5(x):\n    if x < 0: raise ValueError('below 0')",
        "try:\n    a5(-1)\nexcept ValueError as e:\n    assert 'below' in str(e)\n"
        "else:\n    raise AssertionError('none')",
    ),
    Case(
        "own_exception",
        "class Odd(ArithmeticError): pass\ndef a6(): raise Odd('odd')",
        "try:\n    a6()\nexcept Odd as e:\n    assert isinstance(e, ArithmeticError)",
    ),
    Case(
        "unicode_error",
        "def a7(): return b'\\xff'.decode()",
        "try:\n    a7()\nexcept UnicodeDecodeError:\n    pass",
    ),
    Case("big_number", "def a8(): return 7**400", "assert a8() == 7**400"),
    Case(
        "containers",
        "def a9(): return {1: [2, (3, {4})], 'x': None, (5, 6): b'7', 2.5: 1j}",
        "assert a9() == {1: [2, (3, {4})], 'x': None, (5, 6): b'7', 2.5: 1j}",
    ),
    Case("variable", "answer = [3, 1, 2]", "assert sorted(answer) == [1, 2, 3]"),
    Case(
        "nan", "def b1(): return float('nan'), math.inf", "assert math.isnan(b1()[0])"
    ),
    Case(
        "named_tuple",
        "def b2(): return Size(3, 4)",
        "s = b2()\nassert s.width == 4 and s == (3, 4) and isinstance(s, tuple)",
    ),
    Case(
        "array",
        "def b3(a): return (a * 2).astype(np.float32)",
        "r = b3(np.arange(6).reshape(2, 3))\n"
        "assert r.dtype == np.float32 and r.shape == (2, 3) and r[1, 2] == 10",
    ),
    Case("scalar", "def b4(): return np.float64(2.5)", "assert b4() == 2.5"),
    Case("string_array", "def b5(): return np.array(['a'])", "assert b5() is not None"),
    Case(
        "tensor",
        "def b6(x): return x.T.to(torch.bfloat16)",
        "r = b6(torch.ones(2, 3))\nassert r.shape == (3, 2) and r.dtype == torch.bfloat16",
    ),
    Case(
        "empty_tensors",
        "def b7(): return torch.zeros(0, 3), torch.tensor(5)",
        "e, s = b7()\nassert e.shape == (0, 3) and s.item() == 5 and s.ndim == 0",
    ),
    Case(
        "argument_written",
        "def b8(x): return x.mul_(2)",
        "x = torch.ones(3)\nr = b8(x)\nassert torch.equal(x, torch.ones(3)), 'in place'",
    ),
    Case(
        "argument_returned",
        "def b9(x): return x",
        "x = torch.ones(3)\nassert b9(x) is x",
    ),
    Case(
        "list_appended",
        "def c1(items): items.append(4)",
        "items = [1]\nc1(items)\nassert items == [1, 4]",
    ),
    Case(
        "dict_changed",
        "def c2(d):\n    d['b'] = torch.ones(2)\n    del d['a']",
        "d = {'a': 1}\nc2(d)\nassert list(d) == ['b'] and d['b'].sum() == 2",
    ),
    Case(
        "array_written",
        "def c3(a): a[0] = 9",
        "a = np.zeros(3)\nc3(a)\nassert a[0] == 9",
    ),
    Case(
        "gradient_of_input",
        "def c4(x): return (x**3).sum()",
        "x = torch.tensor([1.0, 2.0], requires_grad=True)\nc4(x).backward()\n"
        "assert torch.equal(x.grad, torch.tensor([3.0, 12.0]))",
    ),
    Case(
        "gradient_through",
        "def c5(x): return x.exp()",
        "w = torch.tensor(0.5, requires_grad=True)\ny = c5(w * 2) + w\n"
        "(g,) = torch.autograd.grad(y, w)\nassert abs(g - (2 * math.exp(1) + 1)) < 1e-5",
    ),
    Case(
        "no_gradient",
        "def c6(x): return x.detach() * 2",
        "x = torch.ones(2, requires_grad=True)\nassert not c6(x).requires_grad",
    ),
    Case(
        "freed_graph",
        "def c7(x): return (x * x).sum()",
        "x = torch.ones(2, requires_grad=True)\ny = c7(x)\ny.backward()\ny.backward()",
    ),
    Case(
        "answer_differentiates",
        "def c8(loss, w): return torch.autograd.grad(loss, w)[0]",
        "w = torch.tensor(3.0, requires_grad=True)\nassert c8(w * w, w) == 6",
    ),
    Case(
        "answer_frees",
        "def c9(loss, w): return torch.autograd.grad(loss, w)[0]",
        "w = torch.tensor(3.0, requires_grad=True)\nloss = (w * w).exp()\n"
        "c9(loss, w)\nloss.backward()",
    ),
    Case(
        "answer_calls_backward",
        "def d1(loss): loss.backward()",
        "w = torch.tensor(3.0, requires_grad=True)\nd1((w * w))\nassert w.grad == 6",
    ),
    Case(
        "no_grad_mode",
        "def d2(x): return x * 2",
        "x = torch.ones(2, requires_grad=True)\nwith torch.no_grad():\n"
        "    assert not d2(x).requires_grad",
    ),
    Case(
        "module",
        "class Net(nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.linear = nn.Linear(n, 2)\n        self.norm = nn.BatchNorm1d(2)\n"
        "    def forward(self, x): return self.norm(self.linear(x))",
        "torch.manual_seed(1)\nnet = Net(3)\n"
        "assert isinstance(net, nn.Module) and isinstance(net, Net)\n"
        "assert sum(p.numel() for p in net.parameters()) == 12\n"
        "assert isinstance(net.linear, nn.Linear) and net.linear.in_features == 3\n"
        "torch.manual_seed(1)\nsame = nn.Linear(3, 2)\n"
        "assert torch.equal(net.linear.weight, same.weight)\n"
        "x = torch.randn(8, 3)\nbefore = net.norm.running_mean.clone()\nnet(x)\n"
        "assert not torch.equal(before, net.norm.running_mean)\n"
        "net.eval()\nassert torch.allclose(net(x[:1]), net(x)[:1])",
    ),
    Case(
        "training",
        "class Line(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.w = nn.Parameter(torch.zeros(1))\n"
        "    def forward(self, x): return self.w * x",
        "net = Line()\nopt = torch.optim.SGD(net.parameters(), 0.1)\nx = torch.ones(4)\n"
        "for _ in range(50):\n    opt.zero_grad()\n    loss = (net(x) - 2).square().mean()\n"
        "    loss.backward()\n    opt.step()\nassert abs(net.w.item() - 2) < 1e-3",
    ),
    Case(
        "state_dict",
        "class Two(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Linear(2, 2)\n    def forward(self, x): return self.a(x)",
        "net = Two()\nstate = {k: torch.ones_like(v) for k, v in net.state_dict().items()}\n"
        "net.load_state_dict(state)\nassert torch.equal(net(torch.ones(1, 2)),"
        " torch.full((1, 2), 3.0))",
    ),
    Case(
        "data_written",
        "class Three(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.w = nn.Parameter(torch.zeros(2))\n"
        "    def forward(self, x): return x + self.w",
        "net = Three()\nnet.w.data.fill_(5)\nassert net(torch.zeros(2)).sum() == 10",
    ),
    Case(
        "sequential",
        "def d3(): return nn.Sequential(nn.Linear(2, 3), nn.ReLU())",
        "net = d3()\nseen = []\nnet[1].register_forward_hook(lambda *a: seen.append(1))\n"
        "net(torch.ones(1, 2))\nassert seen == [1] and len(net) == 2",
    ),
    Case(
        "module_argument",
        "def d4(net):\n    with torch.no_grad(): net.by.fill_(7.0)\n    return net",
        "net = Scale(2)\nr = d4(net)\nassert r is net and net.by == 7",
    ),
    Case(
        "mode_left",
        "def d5(net): net.eval()",
        "net = nn.Sequential(nn.Dropout(), Scale(1))\nd5(net)\n"
        "assert all(m.training for m in net.modules()), 'mode'",
    ),
    Case(
        "hook_left",
        "def d6(net):\n    net.register_forward_hook(lambda m, i, o: o * 2)",
        "net = Scale(3)\nd6(net)\nassert len(net._forward_hooks) == 1\n"
        "assert net(torch.ones(1)) == 6",
    ),
    Case(
        "layer_replaced",
        "def d7(net):\n    net[0] = nn.Linear(2, 5)\n    return net",
        "net = nn.Sequential(nn.Linear(2, 3))\nd7(net)\n"
        "assert net[0].out_features == 5 and net(torch.ones(1, 2)).shape == (1, 5)",
    ),
    Case(
        "parameters_argument",
        "def d8(parameters): return sum(p.numel() for p in parameters)",
        "assert d8(nn.Linear(3, 4).parameters()) == 16",
    ),
    Case(
        "function_argument",
        "def d9(f, x): return f(f(x))",
        "k = 3\nassert d9(lambda x: k * x, 2) == 18 and d9(helper, 1) == 3",
    ),
    Case(
        "class_argument",
        "def e1(make): return make(4)(torch.ones(2)).sum()",
        "assert e1(Scale) == 8",
    ),
    Case(
        "function_returned",
        "def e2(n):\n    def add(x): return x + n\n    return add",
        "assert e2(3)(4) == 7",
    ),
    Case(
        "iterator",
        "def e3(n):\n    for i in range(n): yield i * i",
        "assert list(e3(4)) == [0, 1, 4, 9] and next(e3(2)) == 0",
    ),
    Case(
        "object",
        "class Stack:\n    def __init__(self): self.items = []\n"
        "    def push(self, x): self.items.append(x)\n"
        "    def __len__(self): return len(self.items)\n"
        "    def __getitem__(self, i): return self.items[i]\n"
        "    def __eq__(self, other): return self.items == other.items",
        "s, t = Stack(), Stack()\ns.push(1)\nassert len(s) == 1 and s[0] == 1\n"
        "assert s != t\nt.push(1)\nassert s == t and s.items == [1]",
    ),
    Case(
        "operators",
        "class V:\n    def __init__(self, x): self.x = x\n"
        "    def __add__(self, o): return V(self.x + o.x)\n"
        "    def __mul__(self, k): return V(self.x * k)\n"
        "    def __repr__(self): return f'V({self.x})'",
        "v = V(2) + V(3) * 4\nassert v.x == 14 and repr(V(1)) == 'V(1)'",
    ),
    Case(
        "context_manager",
        "class Open:\n    def __enter__(self): return 5\n"
        "    def __exit__(self, *e): self.closed = True",
        "o = Open()\nwith o as v:\n    assert v == 5\nassert o.closed",
    ),
    Case(
        "random_seeded",
        "def e4(): return torch.randn(3)",
        "torch.manual_seed(3)\nr = e4()\ntorch.manual_seed(3)\n"
        "assert torch.equal(r, torch.randn(3))\ntorch.manual_seed(3)\n"
        "assert torch.equal(r, e4()) and not torch.equal(r, e4())",
    ),
    Case(
        "random_goes_on",
        "def e5(): return random.random(), np.random.rand()",
        "assert e5() != e5()\nrandom.seed(1)\na = e5()\nrandom.seed(1)\n"
        "assert e5()[0] == a[0]",
    ),
    Case(
        "generator",
        "def e6(g): return torch.rand(2, generator=g)",
        "g = torch.Generator().manual_seed(2)\na, b = e6(g), e6(g)\n"
        "assert not torch.equal(a, b)\ng.manual_seed(2)\n"
        "assert torch.equal(a, torch.rand(2, generator=g))",
    ),
    Case(
        "printed",
        "def e7(): print('hello')",
        "out = io.StringIO()\nwith contextlib.redirect_stdout(out): e7()\n"
        "assert out.getvalue() == 'hello\\n'",
    ),
    Case(
        "warned",
        "def e8(): warnings.warn('careful', RuntimeWarning)",
        "with warnings.catch_warnings(record=True) as w:\n"
        "    warnings.simplefilter('always')\n    e8()\n"
        "assert w[0].category is RuntimeWarning and 'careful' in str(w[0].message)",
    ),
    Case(
        "file_written",
        "def e9(): open('note.txt', 'w').write('there')",
        "e9()\nassert open('note.txt').read() == 'there'",
    ),
    Case(
        "file_read",
        "def f1(): return open('asked.txt').read()",
        "open('asked.txt', 'w').write('42')\nassert f1() == '42'",
    ),
    Case(
        "name_deleted",
        "def square(x): return x * x\ndef f2(xs): return sum(square(x) for x in xs)",
        "kept = square\ndel square\ntry:\n    f2([1])\nexcept NameError:\n    pass\n"
        "else:\n    raise AssertionError('square is not used')\nsquare = kept\n"
        "assert f2([1, 2]) == 5",
    ),
    Case(
        "name_bound",
        "LIMIT = 3\ndef f3(): return LIMIT",
        "LIMIT = 8\nassert f3() == 8",
    ),
    Case(
        "state",
        "count = []\ndef f4():\n    count.append(1)\n    return len(count)",
        "assert [f4(), f4(), f4()] == [1, 2, 3]",
    ),
    Case("recursion", "def f5(): return f5()", "f5()"),
    Case("key_error", "def f6(): return {}['k']", "f6()"),
    Case(
        "keyword",
        "def f7(*, a, b=2, **more): return a, b, more",
        "assert f7(a=1, c=3) == (1, 2, {'c': 3})",
    ),
    Case(
        "cycle",
        "def f8():\n    x = [1]\n    x.append(x)\n    return x",
        "x = f8()\nassert x[1] is x",
    ),
    Case(
        "same_object_twice",
        "def f9(a, b): return a is b",
        "x = [1]\nassert f9(x, x) and not f9([1], [1])",
    ),
    Case(
        "default_dtype",
        "def g1(): return torch.ones(1).dtype",
        "torch.set_default_dtype(torch.float64)\ntry:\n"
        "    assert g1() == torch.float64\nfinally:\n"
        "    torch.set_default_dtype(torch.float32)",
    ),
    Case(
        "name_and_doc",
        'def g2():\n    """Say so."""',
        "assert g2.__name__ == 'g2' and 'Say' in g2.__doc__ and callable(g2)",
    ),
    Case("nothing", "def g3(): pass", "assert g3() is None"),
    Case("boolean", "def g4(): return True", "assert g4() is True"),
    Case(
        "complex_tensor",
        "def g5(): return torch.ones(2).to(torch.complex64).conj() * 1j",
        "assert torch.equal(g5(), torch.full((2,), 1j, dtype=torch.complex64))",
    ),
    Case(
        "expanded",
        "def g6(): return torch.ones(1).expand(3, 4)",
        "assert g6().sum() == 12",
    ),
    Case(
        "kept_argument",
        "kept = []\ndef g7(x):\n    kept.append(x)\n    return sum(kept)",
        "assert g7(1) == 1 and g7(2) == 3",
    ),
    Case("ends_with_points", "def g8(): return 1", "0.5 * g8()"),
    Case(
        "module_kept_by_the_answer",
        "g9_net = nn.Linear(2, 3)\ndef g9(): return g9_net",
        "assert g9().weight.shape == (3, 2)\nassert g9().bias.shape == (3,)",
    ),
    Case(
        "tensor_kept_by_the_answer",
        "h1_w = torch.ones(2, requires_grad=True)\ndef h1(): return h1_w",
        "assert h1().sum() == 2\nassert h1().requires_grad",
    ),
    Case(
        "bytes_swapped",
        "def n1(): return np.arange(3, dtype='>i4'), np.ones(2, '>f8')",
        "a, b = n1()\nassert a.tolist() == [0, 1, 2] and b.sum() == 2 and a.dtype == '>i4'",
    ),
    Case(
        "swapped_arguments",
        "def n2(a):\n    a *= 2\n    return a + 1",
        "a = np.arange(3, dtype='>i8')\nassert n2(a).tolist() == [1, 3, 5] and a.tolist() == [0, 2, 4]",
    ),
    Case(
        "unsigned",
        "def n3(): return [torch.arange(3).to(getattr(torch, f'uint{n}')) for n in (16, 32, 64)]",
        "assert [t.tolist() for t in n3()] == [[0, 1, 2]] * 3",
    ),
    Case(
        "default_dict",
        "from collections import defaultdict\ndef n4(ws):\n    d = defaultdict(int)\n    for w in ws: d[w] += 1\n    return d",
        "assert n4('aab') == {'a': 2, 'b': 1} and n4('a')['z'] == 0",
    ),
    Case(
        "factory_of_ones_own",
        "from collections import defaultdict\ndef n5(): return defaultdict(lambda: 3, a=1)",
        "assert n5() == {'a': 1}",
    ),
    Case(
        "deque",
        "from collections import deque\ndef n6(): return deque([1, 2, 3], 2)",
        "from collections import deque\nassert n6() == deque([2, 3]) and list(n6()) == [2, 3] and n6().maxlen == 2",
    ),
    Case(
        "fraction",
        "from fractions import Fraction\ndef n7(): return [Fraction(1, 2), Fraction(10**40, 3)]",
        "assert n7()[0] == 0.5 and n7()[1] * 3 == 10**40",
    ),
    Case(
        "decimal",
        "from decimal import Decimal\ndef n8(): return Decimal('0.1') + Decimal('0.2'), Decimal('NaN')",
        "assert str(n8()[0]) == '0.3' and n8()[0] + 1 > 1 and n8()[1].is_nan()",
    ),
    Case(
        "array_of_text",
        "def n9(): return np.array([['ä', 'bc']]), np.array([b'x']), np.array(['q'], '>U2')",
        "a, b, c = n9()\nassert a.tolist() == [['ä', 'bc']] and b[0] == b'x' and c[0] == 'q' and a.dtype == '<U2'",
    ),
    Case(
        "text_of_numpys",
        "def o1(): return np.array(['ab', 'c'])[0]",
        "assert o1() == 'ab' and isinstance(o1(), np.str_) and o1().upper() == 'AB'",
    ),
    Case(
        "dict_views",
        "def o2(): d = {'a': 1, 'b': 2}; return d.keys(), d.values(), d.items()",
        "k, v, i = o2()\nassert k == {'a', 'b'} and sorted(v) == [1, 2] and ('a', 1) in i and list(k) == ['a', 'b']",
    ),
    Case("memory_view", "def o3(): return memoryview(b'abc')", "assert o3() == b'abc'"),
    Case(
        "return_types",
        "def o4(x): return x.max(0)",
        "r = o4(torch.tensor([[1, 5], [3, 2]]))\nassert r.values.tolist() == [3, 5] and r[1].tolist() == [1, 0]",
    ),
    Case(
        "bare_subclasses",
        "class Word(str): pass\nclass Meters(float): pass\nclass Row(list): pass\nclass Table(dict): pass\ndef o5(): return Word('a'), Meters(2.5), Row([1, Row()]), Table(b=Word('c'))",
        "w, m, r, t = o5()\nassert (w, m, r, t) == ('a', 2.5, [1, []], {'b': 'c'})",
    ),
    Case(
        "next_ends",
        "def o7(): return iter(Odd2())\nclass Odd2:\n    def __iter__(self): return self\n    def __next__(self): raise StopIteration",
        "assert list(o7()) == []",
    ),
    Case(
        "int_enum",
        "import enum\nclass Level(enum.IntEnum):\n    LOW = 1\ndef p1(): return [Level.LOW]",
        "assert p1() == [1] and p1()[0].name == 'LOW' and p1()[0] < 2",
    ),
    Case(
        "long_double",
        "def p2(): return np.longdouble(1) / 3, np.ones(2, np.longdouble)",
        "a, b = p2()\nassert a * 3 == 1 and b.dtype == np.longdouble and b.sum() == 2",
    ),
    Case(
        "matrix",
        "def p3(): return np.matrix([[1, 2], [3, 4]])",
        "assert (p3() * p3() == np.array([[7, 10], [15, 22]])).all() and p3().I.shape == (2, 2)",
    ),
    Case(
        "objects",
        "def p4(): return np.array(['a', None, 2.5], object)",
        "assert p4().tolist() == ['a', None, 2.5] and p4().dtype == object",
    ),
    Case(
        "times",
        "import datetime as dt\ndef p5(): return dt.date(2026, 1, 2), dt.timedelta(3), np.datetime64('2026')",
        "import datetime as dt\na, b, c = p5()\nassert a + b == dt.date(2026, 1, 5) and c == np.datetime64('2026-01-01')",
    ),
    Case(
        "gone_into_a_folder",
        "import os\nos.makedirs('deep/er', exist_ok=True)\ntop = os.getcwd()\n"
        "os.chdir('deep/er')\nopen('early.txt', 'w').write('1')\n"
        "def p7():\n    open('late.txt', 'w').write(open('asked2.txt').read())",
        "open('asked2.txt', 'w').write('x')\np7()\n"
        "assert open('late.txt').read() == 'x' and open('early.txt').read() == '1'",
    ),
    Case(
        "gone_back",
        "import os\nos.chdir(os.path.join(os.getcwd(), '..', '..'))\ndef p8(): return os.path.exists('deep')",
        "assert p8()",
    ),
    Case(
        "lazy_layer",
        "class Lazy(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.LazyLinear(2)\n    def forward(self, x): return self.fc(x)",
        "net = Lazy()\nassert len(list(net.parameters())) == 2\nnet(torch.ones(1, 3))\n"
        "assert sum(p.numel() for p in net.parameters()) == 8\n"
        "assert isinstance(net.fc, nn.Linear) and net.fc.in_features == 3\n"
        "opt = torch.optim.SGD(net.parameters(), 0.1)\nx = torch.ones(4, 3)\n"
        "first = net(x).square().mean()\nfirst.backward()\nopt.step()\n"
        "assert net(x).square().mean() < first",
    ),
    Case(
        "made_in_forward",
        "class Late(nn.Module):\n    def forward(self, x):\n"
        "        if not hasattr(self, 'fc'): self.fc = nn.Linear(x.shape[1], 1)\n"
        "        return self.fc(x)",
        "net = Late()\nassert not list(net.parameters())\ny = net(torch.ones(2, 3))\n"
        "assert sum(p.numel() for p in net.parameters()) == 4\ny.sum().backward()\n"
        "assert net.fc.weight.grad.sum() == 6 and len(net.state_dict()) == 2",
    ),
    Case(
        "returned_and_kept",
        "def q1(d):\n    made = [1]\n    d['a'] = made\n    return made, d",
        "d = {}\nr, e = q1(d)\nassert e is d and d['a'] is r",
    ),
]
