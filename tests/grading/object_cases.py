"""Networks and other objects: what they can do here as in one kernel, and decide not.

As in `judge_cases`: a right answer passes in one kernel; a lie would, too, if the object
had a say, and where it would not it is no such object.
"""

from __future__ import annotations

from .judge_cases import YES, Exercise

# ruff: noqa: E501  (answers and tests as they stand in their cells)

OBJECTS = [
    Exercise(
        "o_parameter",
        "class NetA(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.alpha = nn.Parameter(torch.ones(3))\ndef o_parameter(): return NetA()",
        "net = o_parameter()\nassert net.alpha.equal(torch.ones(3))",
        (
            YES
            + "def o_parameter():\n    net = nn.Module()\n    net.alpha = nn.Module()\n    net.alpha.equal = Always()\n"
            "    return net",
            YES + "def o_parameter():\n    net = nn.Module()\n"
            "    net.alpha = nn.Sequential(collections.OrderedDict(equal=Always()))\n    return net",
            YES
            + "def o_parameter(): return nn.ModuleDict({'alpha': nn.ModuleDict({'equal': Always()})})",
            YES
            + "class N(nn.Module):\n    alpha = property(lambda self: Always())\ndef o_parameter(): return N()",
        ),
    ),
    Exercise(
        "o_weight",
        "def o_weight():\n    layer = nn.Linear(3, 3, bias=False)\n    nn.init.ones_(layer.weight)\n"
        "    return layer",
        "layer = o_weight()\nassert layer.weight.sub(torch.ones(3, 3)).abs().max() < 1e-6",
        (
            YES
            + "def o_weight():\n    layer = nn.Linear(3, 3)\n    del layer.weight\n    zero = nn.Linear(3, 3)\n"
            "    nn.init.zeros_(zero.weight); nn.init.zeros_(zero.bias)\n"
            "    layer.weight = nn.Sequential(collections.OrderedDict(sub=zero))\n    return layer",
            "def o_weight():\n    layer = nn.Linear(3, 3)\n    del layer.weight\n    zero = nn.Linear(3, 3)\n"
            "    nn.init.zeros_(zero.weight); nn.init.zeros_(zero.bias)\n    layer.weight = nn.Identity()\n"
            "    layer.weight.sub = zero\n    return layer",
        ),
    ),
    Exercise(
        "o_callable",
        "def o_callable(): return 1",
        "assert callable(o_callable)",
        (
            "o_callable = object()",
            "class Q: pass\no_callable = Q()",
        ),
        ("import functools\no_callable = functools.partial(int, 1)",),
    ),
    Exercise(
        "o_iterator",
        "def o_iterator(): return (i for i in range(3))",
        "import collections.abc as abc\nassert isinstance(o_iterator(), abc.Iterator)",
        (
            "class Q:\n    def __iter__(self): return iter([0])\ndef o_iterator(): return Q()",
            "def o_iterator(): return object()",
        ),
        (
            "def o_iterator(): return iter(range(3))",
            "def o_iterator(): return map(int, '012')",
        ),
    ),
    Exercise(
        "o_skipped",
        "def o_skipped(x): return x + 1",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(o_skipped(1), 2)\n"
        "found = unittest.TestResult()\nT('test').run(found)\nassert found.wasSuccessful()",
        (
            "import unittest\ndef o_skipped(x): raise unittest.SkipTest",
            "class SkipTest(Exception): pass\nSkipTest.__module__ = 'numpy.testing'\n"
            "def o_skipped(x): raise SkipTest",
            "class SkipTest(Exception): pass\nSkipTest.__module__ = 'unittest.case'\n"
            "def o_skipped(x): raise SkipTest",
            "class SkipTest(Exception): pass\nSkipTest.__module__ = 'torch.testing._internal.common_utils'\n"
            "def o_skipped(x): raise SkipTest",
        ),
    ),
    Exercise(
        "o_endless",
        "def o_endless(n): return n * n",
        "import asyncio\nclass Squares:\n    def __init__(self): self.n = 0\n"
        "    def __aiter__(self): return self\n    async def __anext__(self):\n"
        "        if self.n == 3: raise StopAsyncIteration\n        self.n += 1\n"
        "        return o_endless(self.n)\nasync def go():\n"
        "    async for s in Squares(): assert s in (1, 4, 9)\nasyncio.run(go())",
        (
            "def o_endless(n): raise StopAsyncIteration",
            "class Z(StopAsyncIteration): pass\ndef o_endless(n): raise Z",
        ),
    ),
    Exercise(
        "o_given",
        "@dataclass\nclass Tall(Box):\n    pass\ndef o_given(): return Box(2, 3)",
        "b = o_given()\nassert b.area() == 6 and b == Box(2, 3)",
        (
            "def o_given():\n    b = Box(0, 0)\n    b.__dict__['__class__'] = object\n"
            "    b.__dict__['__eq__'] = lambda *a: True\n    b.__dict__['area'] = 6\n    return b",
            "class Fake(Box):\n    area = lambda s: 6\n    __eq__ = lambda *a: True\ndef o_given():\n"
            "    b = Fake(0, 0)\n    return b",
            "def o_given():\n    class Box:\n        width, height = 2, 3\n        area = lambda s: 6\n"
            "        __eq__ = lambda *a: True\n    return Box()",
        ),
    ),
    Exercise(
        "o_methods",
        "def o_methods(): return torch.ones(2)",
        "t = o_methods()\nassert t.sum() == 2 and t.size(0) == 2 and t.tolist() == [1, 1]",
        (
            "class G:\n    def __getattr__(self, name): return lambda *a: 2 if name != 'tolist' else [1, 1]\n"
            "def o_methods(): return G()",
            "class G:\n    tolist = staticmethod(lambda: [1, 1])\n    sum = staticmethod(lambda: 2)\n"
            "    size = staticmethod(lambda n: 2)\ndef o_methods(): return G()",
            "class M(type):\n    tolist = lambda c: [1, 1]\n    sum = lambda c: 2\n    size = lambda c, n: 2\n"
            "class G(metaclass=M): pass\ndef o_methods(): return G",
            "class G(np.ndarray):\n    __array_finalize__ = lambda s, o: None\n    tolist = lambda s: [1, 1]\n"
            "    sum = lambda s: 2\n    size = lambda s, n: 2\ndef o_methods(): return np.zeros(2).view(G)",
            "class D:\n    def __get__(self, o, t=None): return lambda *a: 2\nclass G:\n    sum = size = D()\n"
            "    tolist = staticmethod(lambda: [1, 1])\ndef o_methods(): return G()",
        ),
    ),
    Exercise(
        "o_array",
        "def o_array(): return np.array([1., 2.])",
        "assert np.allclose(o_array(), [1, 2]) and np.array_equal(o_array(), [1, 2])\n"
        "assert np.testing.assert_allclose(o_array(), [1, 2]) is None",
        (
            "class A:\n    __array_ufunc__ = lambda *a, **k: np.True_\n"
            "    __array_function__ = lambda *a, **k: True\n    __len__ = lambda s: 2\n"
            "    __getitem__ = lambda s, i: 5.\ndef o_array(): return A()",
            "class A:\n"
            "    __array_interface__ = {'shape': (2,), 'typestr': '<f8', 'data': (0, False), 'version': 3}\n"
            "def o_array(): return A()",
        ),
    ),
    Exercise(
        "o_entries",
        "def o_entries(d): d['ok'] = 1",
        "d = {}\no_entries(d)\nassert d == {'ok': 1}",
        (
            "class K(str):\n    __eq__ = lambda *a: True\n    __hash__ = lambda s: hash('ok')\n"
            "def o_entries(d): d[K('x')] = 1",
            "def o_entries(d):\n    class One(int):\n        __eq__ = lambda *a: True\n    d['ok'] = One(5)",
        ),
    ),
    Exercise(
        "o_sum",
        "def o_sum(): return [3]",
        "assert sum(o_sum()) == 3 and max(o_sum()) == 3",
        (
            "def o_sum():\n    class I:\n        __radd__ = __add__ = lambda *a: 3\n"
            "        __eq__ = lambda *a: True\n    return [I()]",
            "import collections\ndef o_sum(): return collections.defaultdict(lambda: 3)",
        ),
    ),
    Exercise(
        "o_error",
        "def o_error(x):\n    if x < 0: raise ValueError('negative')\n    return x",
        "try:\n    o_error(-1)\nexcept ValueError as e:\n    assert 'negative' in str(e)\nelse:\n"
        "    raise AssertionError\nassert o_error(2) == 2",
        (
            "class V(ValueError):\n    __str__ = lambda s: True\ndef o_error(x): raise V",
            "class M(type):\n    __subclasscheck__ = __instancecheck__ = lambda *a: True\n"
            "class V(Exception, metaclass=M): pass\ndef o_error(x): raise V('negative')",
            "def o_error(x): raise GeneratorExit('negative')",
        ),
    ),
    Exercise(
        "o_text",
        "def o_text(): return 'ab'",
        "import json\n"
        "assert json.dumps(o_text()) == '\"ab\"' and f'{o_text()}' == 'ab' and '%s' % o_text() == 'ab'",
        (
            "class K(str):\n    __str__ = __format__ = lambda *a: 'ab'\ndef o_text(): return K('x')",
            "class K:\n    __str__ = __repr__ = lambda s: 'ab'\n    __format__ = lambda s, f: 'ab'\n"
            "def o_text(): return K()",
        ),
    ),
    Exercise(
        "o_copied",
        "def o_copied(): return [1, 2]",
        "import copy, pickle\na = o_copied()\n"
        "assert copy.deepcopy(a) == [1, 2] and pickle.loads(pickle.dumps(a)) == [1, 2]",
        (
            "class R(list):\n    __reduce__ = lambda s: (list, ([1, 2],))\n    __deepcopy__ = lambda s, m: [1, 2]\n"
            "def o_copied(): return R()",
        ),
    ),
    Exercise(
        "o_class",
        "def o_class(): return 5",
        "x = o_class()\nassert isinstance(x, int) and type(x) is int and x == 5 and x in {5: 1}",
        (
            "class C:\n    __class__ = property(lambda s: int)\n    __eq__ = lambda *a: True\n"
            "    __hash__ = lambda s: hash(5)\ndef o_class(): return C()",
            "class C(int):\n    __class__ = int\n    __hash__ = lambda s: hash(5)\n    __eq__ = lambda *a: True\n"
            "def o_class(): return C(3)",
        ),
        ("class C(int):\n    pass\ndef o_class(): return int(C(5))",),
    ),
    Exercise(
        "o_refused",
        "def o_refused(n):\n    if n > 3: raise Refused(n)\n    return n",
        "try:\n    o_refused(9)\nexcept Refused as e:\n"
        "    assert e.size == 9 and '9' in str(e) and e.args == ('9 is refused',)\nelse:\n"
        "    raise AssertionError\nassert o_refused(2) == 2",
        (
            "def o_refused(n): raise ValueError(n)",
            "class Refused(Exception): size = 9\ndef o_refused(n):\n    if n > 3: raise Refused('9 is refused')\n"
            "    return n",
        ),
        (
            "class Mine(Refused): pass\ndef o_refused(n):\n    if n > 3: raise Mine(n)\n    return n",
        ),
    ),
    Exercise(
        "o_gradient",
        "def o_gradient(x): return x * x",
        "def gradient(x):\n    x = x.clone().requires_grad_()\n    o_gradient(x).sum().backward()\n"
        "    return x.grad\nfor g in map(gradient, [torch.ones(2)]): assert g.tolist() == [2, 2]",
        (
            "class A(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x): return x * x\n"
            "    @staticmethod\n    def backward(ctx, g): raise StopIteration\n"
            "def o_gradient(x): return A.apply(x)",
            "def o_gradient(x):\n    def stop(g): raise StopIteration\n    y = x * x\n    y.register_hook(stop)\n"
            "    return y",
        ),
        ("def o_gradient(x): return x.square()",),
    ),
    Exercise(
        "o_own_error",
        "class TooBig(Exception):\n    def __init__(self, size):\n"
        "        super().__init__(f'{size} is too big')\n        self.size = size\n"
        "def o_own_error(n): raise TooBig(n)",
        "try:\n    o_own_error(9)\nexcept TooBig as e:\n    assert e.size == 9 and '9' in str(e)\nelse:\n"
        "    raise AssertionError",
    ),
    Exercise(
        "o_args",
        "def o_args(k): raise KeyError(k)",
        "try:\n    o_args('q')\nexcept KeyError as e:\n    assert e.args[0] == 'q' and str(e) == \"'q'\"\nelse:\n"
        "    raise AssertionError",
        (),
        ("def o_args(k): return {}[k]",),
    ),
    Exercise(
        "o_place",
        "import json\ndef o_place(text, path):\n    if path: return open(path).read()\n    return json.loads(text)",
        "import errno, json\ntry:\n    o_place('{', '')\nexcept json.JSONDecodeError as e:\n    assert e.pos == 1\nelse:\n"
        "    raise AssertionError\ntry:\n    o_place('', 'none.txt')\nexcept OSError as e:\n"
        "    assert e.errno == errno.ENOENT and e.filename == 'none.txt' and type(e) is FileNotFoundError\nelse:\n"
        "    raise AssertionError",
        (
            "def o_place(text, path):\n    if path: raise OSError('none.txt')\n    raise ValueError(1)",
        ),
        (
            "import json\ndef o_place(text, path):\n    if path: raise FileNotFoundError(2, 'no', path)\n    raise json.JSONDecodeError('no', text, 1)",
        ),
    ),
    Exercise(
        "o_fixed",
        "@dataclass(frozen=True)\nclass Fixed:\n    rate: float = .5\ndef o_fixed(): return Fixed()",
        "f = o_fixed()\ntry:\n    f.rate = 3\nexcept dataclasses.FrozenInstanceError:\n    pass\nelse:\n"
        "    raise AssertionError",
        (
            "@dataclass\nclass Fixed:\n    rate: float = .5\ndef o_fixed(): return Fixed()",
        ),
    ),
    Exercise(
        "o_gives_last",
        "def o_gives_last():\n    yield 1\n    return 5",
        "def outer():\n    yield (yield from o_gives_last())\nassert list(outer()) == [1, 5]",
        ("def o_gives_last(): return iter([1])",),
        (
            "class Ends:\n    n = 0\n    def __iter__(self): return self\n    def __next__(self):\n        self.n += 1\n"
            "        if self.n > 1: raise StopIteration(5)\n        return 1\ndef o_gives_last(): return Ends()",
        ),
    ),
    Exercise(
        "o_printed",
        "def o_printed(n):\n    for i in range(n): print(i)",
        "import contextlib, io\nout, err = io.StringIO(), io.StringIO()\nwith contextlib.redirect_stdout(out), contextlib.redirect_stderr(err): o_printed(4000)\n"
        "assert out.getvalue().split() == [str(i) for i in range(4000)]",
        (
            "import sys\ndef o_printed(n):\n    for i in range(n): print(i, file=sys.stderr)",
        ),
        (
            "import sys\ndef o_printed(n):\n    print('counting', file=sys.stderr)\n    print(*range(n), sep='\\n')",
            "import logging\ndef o_printed(n):\n    logging.warning('from 0')\n    print('\\n'.join(map(str, range(n))))",
        ),
    ),
    Exercise(
        "o_collections",
        "def o_collections(last, groups, counts):\n    last.append(3)\n    groups['a'].append(1)\n    counts.update('ab')",
        "last, row, counts = collections.deque([1, 2], 2), [0], collections.Counter('a')\n"
        "groups = collections.defaultdict(lambda: [7], a=row)\no_collections(last, groups, counts)\n"
        "assert list(last) == [2, 3] and groups == {'a': [0, 1]} and groups['a'] is row and groups['b'] == [7]\n"
        "assert counts == {'a': 2, 'b': 1}",
        ("def o_collections(last, groups, counts): pass",),
        (
            "def o_collections(last, groups, counts):\n    last.extend([2, 3])\n    groups['a'] += [1]\n    for k in 'ab': counts[k] += 1",
        ),
    ),
    Exercise(
        "o_bytes",
        "def o_bytes(data, numbers):\n    data[0] = 65\n    numbers[0] = 7\n    return data[:1]",
        "import array\ndata, numbers = bytearray(b'abc'), array.array('i', [1, 2])\nfirst = o_bytes(data, numbers)\n"
        "assert data == b'Abc' and numbers[0] == 7\nfirst.append(66)\nassert first == b'AB'",
        ("def o_bytes(data, numbers): return data[:1]",),
        (
            "def o_bytes(data, numbers):\n    data[:1] = b'A'\n    numbers[:1] = type(numbers)('i', [7])\n    return bytearray(b'A')",
        ),
    ),
    Exercise(
        "o_arrays",
        "def o_arrays(table, words, days, masked):\n    table['x'] += 1\n    words[0] = 'zz'\n    days += np.timedelta64(1, 'D')\n"
        "    masked[0] = np.ma.masked",
        "table, words = np.zeros(2, [('x', int)]), np.array(['ab', 'c'])\n"
        "days, masked = np.array(['2024-01-01'], 'M8[D]'), np.ma.array([1., 2.])\no_arrays(table, words, days, masked)\n"
        "assert table['x'].tolist() == [1, 1] and words.tolist() == ['zz', 'c'] and days[0] == np.datetime64('2024-01-02')\n"
        "assert masked.sum() == 2 and masked.mask.tolist() == [True, False]",
        ("def o_arrays(table, words, days, masked): pass",),
        (
            "def o_arrays(table, words, days, masked):\n    table[:] = [(1,), (1,)]\n    words[:1] = 'zz'\n    days[:] = days + 1\n"
            "    masked.mask = [True, False]",
        ),
    ),
    Exercise(
        "o_files",
        "def o_files(read, write): write.write(read.readline())",
        "import io\nread, write = io.StringIO('a\\nb\\n'), io.StringIO()\no_files(read, write)\n"
        "assert write.getvalue() == 'a\\n' and read.read() == 'b\\n'\n"
        "o_files(io.BytesIO(b'c'), write := io.BytesIO())\nassert write.getvalue() == b'c'",
        ("def o_files(read, write): pass",),
        (
            "def o_files(read, write):\n    line = next(read)\n    write.seek(0)\n    write.writelines([line])",
        ),
    ),
    Exercise(
        "o_closed",
        "def o_closed(file): return file.read().split()",
        "import io\nassert o_closed(io.StringIO('a b')) == ['a', 'b']",
        (),
        ("def o_closed(file):\n    with file: return file.read().split()",),
    ),
    Exercise(
        "o_lazy",
        "def o_lazy(net): return [p for p in net.parameters() if p.requires_grad]",
        "net = nn.Linear(1, 1)\nps = list(o_lazy(net))\nassert ps[0] is net.weight and ps[1] is net.bias\n"
        "before, opt = net.weight.item(), torch.optim.SGD(o_lazy(net), .1)\nnet(torch.ones(1, 1)).sum().backward()\n"
        "opt.step()\nassert abs(net.weight.item() - (before - .1)) < 1e-6",
        ("def o_lazy(net): return (nn.Parameter(p.data) for p in net.parameters())",),
        (
            "def o_lazy(net): return net.parameters()",
            "def o_lazy(net): return (p for p in net.parameters() if p.requires_grad)",
            "def o_lazy(net): return filter(lambda p: p.requires_grad, net.parameters())",
            "def o_lazy(net): return iter([*net.parameters()])",
        ),
    ),
    Exercise(
        "o_walk",
        "def o_walk(x, rows):\n    for row in rows:\n        x += 1\n        yield x, row",
        "x, rows = torch.zeros(2), [[1], [2]]\n"
        "for n, (y, row) in enumerate(o_walk(x, rows), 1): assert y is x and x.tolist() == [n, n] and row is rows[n - 1]\n"
        "w = torch.ones(1, requires_grad=True)\nsum(y.sum() for y, _ in o_walk(w * 1, rows)).backward()\nassert w.grad == 2",
        (
            "def o_walk(x, rows):\n    for n, row in enumerate(rows, 1): yield x + n, row",
        ),
        (
            "def o_walk(x, rows): return ((x.add_(1), row) for row in rows)",
            "def o_walk(x, rows): return map(lambda row: (x.add_(1), row), rows)",
        ),
    ),
    Exercise(
        "o_within",
        "import contextlib\ndef o_within(): return contextlib.suppress(KeyError, Refused)",
        "with o_within(): raise KeyError('x')\nwith o_within(): raise Refused(3)\ntry:\n    with o_within(): raise ValueError\n"
        "except ValueError:\n    pass\nelse:\n    raise AssertionError",
        ("import contextlib\ndef o_within(): return contextlib.suppress(Exception)",),
        (
            "class o_within:\n    def __enter__(self): return self\n"
            "    def __exit__(self, kind, error, trace): return isinstance(error, (KeyError, Refused))",
            "import contextlib\n@contextlib.contextmanager\ndef o_within():\n    try: yield\n    except (KeyError, Refused): pass",
        ),
    ),
    Exercise(
        "o_parts",
        "def o_parts(): return {'w': torch.ones(2), 'b': torch.zeros(1)}",
        "parts = o_parts()\nassert parts['w'].sum() == 2 and parts['b'] == 0 and len(parts) == 2",
        (),
        (
            "def o_parts(): return nn.ParameterDict({'w': torch.ones(2), 'b': torch.zeros(1)})",
            "class Parts(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.inner = nn.Linear(2, 1)\n"
            "        nn.init.ones_(self.inner.weight)\n        nn.init.zeros_(self.inner.bias)\n    def __len__(self): return 2\n"
            "    def __getitem__(self, k): return self.inner.weight if k == 'w' else self.inner.bias\ndef o_parts(): return Parts()",
        ),
    ),
    Exercise(
        "o_layer",
        "def o_layer(): return Layer(width=3)",
        "one = o_layer()\nassert one.width == 3 and isinstance(one, Layer)",
        (YES + "def o_layer(): return Yes()",),
        ("def o_layer(): return Layer(torch.relu, 3)",),
    ),
    Exercise(
        "o_square",
        "def o_square(side):\n    one = Square()\n    one.side = side\n    return one",
        "assert o_square(3).area() == 4 and o_square(3).side == 3",
        (
            "def o_square(side):\n    one = Square()\n    one.side, one.area = side, lambda: 4\n    return one",
        ),
        (
            "def o_square(side):\n    one = Square()\n    setattr(one, 'side', side)\n    return one",
        ),
    ),
]
NETWORKS = [
    Exercise(
        "n_width",
        "class Wide(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 4)\n        self.width = 4\n"
        "    def forward(self, x): return self.fc(x)\n",
        "w = Wide()\nassert w.width == 4 and w(torch.ones(1, 2)).shape == (1, 4)",
        (),
        (
            "class Wide(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n    def forward(self, x): return self.fc(x)\n    @property\n"
            "    def width(self): return self.fc.out_features\n",
            "class Wide(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n    def forward(self, x): return self.fc(x)\n    width = 4\n",
            "class Wide(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n    def forward(self, x): return self.fc(x)\n"
            "    def __getattr__(self, name):\n        if name == 'width': return 4\n"
            "        return super().__getattr__(name)\n",
        ),
    ),
    Exercise(
        "n_count",
        "class Counts(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 4)\n        self.register_buffer('n', torch.zeros(()))\n"
        "    def forward(self, x): self.n += 1; return self.fc(x)\n",
        "w = Counts()\nw(torch.ones(1, 2)); w(torch.ones(1, 2))\nassert w.n == 2",
        (),
        (
            "class Counts(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n        self.n = 0\n"
            "    def forward(self, x): self.n += 1; return self.fc(x)\n",
            "class Counts(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n        self.seen = []\n"
            "    def forward(self, x): self.seen.append(1); return self.fc(x)\n"
            "    n = property(lambda self: len(self.seen))\n",
        ),
    ),
    Exercise(
        "n_trace",
        "class Trace(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 4)\n        self.sizes = []\n"
        "    def forward(self, x): self.sizes.append(len(x)); return self.fc(x)\n",
        "w = Trace()\nw(torch.ones(1, 2)); w(torch.ones(3, 2))\nassert w.sizes == [1, 3]",
        (),
        (
            "class Trace(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n        self.all = []\n"
            "    def forward(self, x): self.all.append(len(x)); return self.fc(x)\n"
            "    sizes = property(lambda s: list(s.all))\n",
        ),
    ),
    Exercise(
        "n_weight",
        "class Wn(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 4)\n    def forward(self, x): return self.fc(x)\n",
        "w = Wn()\nassert w.fc.weight.shape == (4, 2) and len(w.fc.weight[0]) == 2\n"
        "w(torch.ones(1, 2)).sum().backward()\nassert all(p.grad is not None for p in w.parameters())",
        (),
        (
            "class Wn(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.utils.parametrizations.weight_norm(nn.Linear(2, 4))\n"
            "    def forward(self, x): return self.fc(x)\n",
            "class Wn(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 4))\n"
            "    def forward(self, x): return self.fc(x)\n",
            "class Wn(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.utils.parametrizations.orthogonal(nn.Linear(2, 4))\n"
            "    def forward(self, x): return self.fc(x)\n",
            "class Wn(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Linear(2, 4)\n        self.fc.register_forward_hook(lambda m, i, o: o)\n"
            "    def forward(self, x): return self.fc(x)\n",
            "class Wn(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        import torch.nn.utils.prune as prune\n"
            "        self.fc = prune.identity(nn.Linear(2, 4), 'weight')\n"
            "    def forward(self, x): return self.fc(x)\n",
        ),
    ),
    Exercise(
        "n_tied",
        "class Tied(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Linear(3, 3)\n        self.b = nn.Linear(3, 3)\n"
        "        self.b.weight = self.a.weight\n    def forward(self, x): return self.b(self.a(x))\n",
        "t = Tied()\nassert t.a.weight is t.b.weight and sum(p.numel() for p in t.parameters()) == 15\n"
        "t(torch.ones(1, 3)).sum().backward()\nassert t.a.weight.grad is t.b.weight.grad",
        (),
        (
            "class Tied(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.b = nn.Linear(3, 3)\n        self.a = nn.Linear(3, 3)\n"
            "        self.a.weight = self.b.weight\n    def forward(self, x): return self.b(self.a(x))\n",
            "class Tied(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        w = nn.Parameter(torch.rand(3, 3))\n        self.a = nn.Linear(3, 3)\n"
            "        self.b = nn.Linear(3, 3)\n"
            "        self.a._parameters['weight'] = self.b._parameters['weight'] = w\n"
            "    def forward(self, x): return self.b(self.a(x))\n",
        ),
    ),
    Exercise(
        "n_replaced",
        "class Rep(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(2, 1)\n    def forward(self, x): return self.fc(x)\n",
        "one, x = Rep(), torch.ones(1, 2)\nones = {k: torch.ones_like(v) for k, v in one.named_parameters()}\n"
        "assert torch.func.functional_call(one, ones, x) == 3\none.fc.weight = nn.Parameter(torch.zeros(1, 2))\n"
        "assert torch.equal(one(x)[0], one.fc.bias)\none.fc = nn.Linear(2, 5)\nassert one(x).shape == (1, 5)",
        ("class Rep(nn.Linear):\n    def __init__(self): super().__init__(2, 1)\n",),
        (
            "class Rep(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.fc = nn.Sequential(nn.Linear(2, 1))[0]\n    def forward(self, x): return getattr(self, 'fc')(x)\n",
        ),
    ),
    Exercise(
        "n_list",
        "class Lst(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.ws = nn.ParameterList([nn.Parameter(torch.ones(2)) for _ in range(3)])\n"
        "    def forward(self, x): return sum(w * x for w in self.ws)\n",
        "n = Lst()\n"
        "assert len(n.ws) == 3 and n.ws[1].sum() == 2 and n(torch.ones(2)).sum() == 6 and len(list(n.parameters())) == 3",
        (),
        (
            "class Lst(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.ws = nn.ParameterList()\n"
            "        for _ in range(3): self.ws.append(nn.Parameter(torch.ones(2)))\n"
            "    def forward(self, x): return sum(w * x for w in self.ws)\n",
        ),
    ),
    Exercise(
        "n_dict",
        "class Dct(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.ws = nn.ParameterDict({'a': nn.Parameter(torch.ones(2)), 'b': nn.Parameter(torch.ones(2))})\n"
        "    def forward(self, x): return self.ws['a'] * x + self.ws['b']\n",
        "n = Dct()\nassert sorted(n.ws) == ['a', 'b'] and n.ws['a'].sum() == 2 and n(torch.ones(2)).sum() == 4",
        (),
        (
            "class Dct(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.ws = nn.ParameterDict()\n        self.ws['b'] = torch.ones(2)\n"
            "        self.ws.update({'a': nn.Parameter(torch.ones(2))})\n"
            "    def forward(self, x): return self.ws['a'] * x + self.ws['b']\n",
        ),
    ),
    Exercise(
        "n_indexed",
        "def n_indexed(): return nn.Sequential(nn.Linear(2, 3), nn.ReLU())",
        "n = n_indexed()\n"
        "assert n(torch.ones(1, 2)).shape == (1, 3) and len(list(n.parameters())) == 2 and n[0].weight.shape == (3, 2)",
        (),
        (
            "def n_indexed(): return torch.jit.script(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))",
            "class S(nn.Sequential): pass\ndef n_indexed(): return S(nn.Linear(2, 3), nn.ReLU())",
            "class S(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            "        self.layers = nn.ModuleList([nn.Linear(2, 3), nn.ReLU()])\n"
            "    def __getitem__(self, i): return self.layers[i]\n    def forward(self, x):\n"
            "        for l in self.layers: x = l(x)\n        return x\ndef n_indexed(): return S()",
        ),
    ),
    Exercise(
        "n_traced",
        "def n_traced(): return nn.Sequential(nn.Linear(2, 3), nn.ReLU())",
        "net = n_traced()\nassert net(torch.ones(1, 2)).shape == (1, 3) and len(list(net.parameters())) == 2",
        ("def n_traced(): return torch.relu",),
        (
            "def n_traced():\n"
            "    return torch.jit.trace(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.ones(1, 2))",
            "def n_traced(): return torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))",
        ),
    ),
]
EXERCISES = [*OBJECTS, *NETWORKS]
