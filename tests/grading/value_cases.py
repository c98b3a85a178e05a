"""Values that compare equal in one kernel, of classes that are not the usual ones.

As in `judge_cases`: a right answer passes in one kernel, a lie would, too, if the
object had a say.
"""

from __future__ import annotations

from .judge_cases import YES, Exercise

# ruff: noqa: E501  (answers and tests as they stand in their cells)

SAYS = "    __eq__ = __contains__ = __lt__ = __gt__ = __bool__ = lambda *a: True\n    __hash__ = None\n"
GETS = "    __iter__ = lambda self: iter([1, 2, 3])\n    __len__ = lambda self: 3\n    __getitem__ = lambda self, i: i + 1\n"


def kind(
    base: str, body: str = "    def mine(self): return 1\n", more: str = ""
) -> str:
    """Return a class of one's own, K, derived from a class of plain data."""
    return f"{more}class K({base}):\n{body}"


EXERCISES = [
    Exercise(
        "v_list",
        "def v_list(): return [1, 2, 3]",
        "assert v_list() == [1, 2, 3] and 2 in v_list() and v_list() < [9] and sum(v_list()) == 6",
        (
            kind("list", SAYS) + "def v_list(): return K([0])",
            kind("list", GETS) + "def v_list(): return K()",
            kind("collections.UserList", SAYS) + "def v_list(): return K([0])",
            kind("list", "    __class__ = property(lambda self: list)\n" + SAYS + GETS)
            + "def v_list(): return K()",
        ),
        (
            kind("list") + "def v_list(): return K([1, 2, 3])",
            kind("list", "    def __repr__(self): return 'mine'\n")
            + "def v_list():\n    k = K([1, 2, 3])\n    k.note = 'found'\n    return k",
            kind("list", "    def append(self, x): super().append(x + 1)\n")
            + "def v_list():\n    k = K()\n    for x in range(3): k.append(x)\n    return k",
            "def v_list(): return type('L', (list,), {'top': property(max)})((1, 2, 3))",
        ),
    ),
    Exercise(
        "v_dict",
        "def v_dict(): return {'a': 1, 'b': [2]}",
        "d = v_dict()\nassert d == {'a': 1, 'b': [2]} and sorted(d) == ['a', 'b'] and d.get('c') is None\n"
        "assert list(d.items()) == [('a', 1), ('b', [2])] and 'a' in d and len(d) == 2",
        (
            kind("dict", SAYS + "    def items(self): return [('a', 1), ('b', [2])]\n")
            + "def v_dict(): return K(a=0)",
            kind(
                "dict",
                "    def __missing__(self, key): return 1\n    def __eq__(self, o): return True\n",
            )
            + "def v_dict(): return K()",
            kind("collections.OrderedDict", SAYS) + "def v_dict(): return K(a=2)",
        ),
        (
            kind("dict", "    def __getattr__(self, name): return self[name]\n")
            + "def v_dict(): return K(a=1, b=[2])",
            kind("dict", "    def __missing__(self, key): return 0\n")
            + "def v_dict(): return K(a=1, b=[2])",
            kind("collections.OrderedDict") + "def v_dict(): return K(a=1, b=[2])",
            kind("collections.defaultdict")
            + "def v_dict(): return K(lambda: 3, a=1, b=[2])",
            "def v_dict(): return collections.UserDict(a=1, b=[2])",
            "def v_dict(): return types.MappingProxyType({'a': 1, 'b': [2]})",
        ),
    ),
    Exercise(
        "v_text",
        "def v_text(): return 'ab c'",
        "t = v_text()\nassert t == 'ab c' and t.split() == ['ab', 'c'] and {'ab c': 1}[t] == 1 and t[0] == 'a'",
        (
            "class K(str):\n    __eq__ = lambda *a: True\n    __hash__ = lambda s: hash('ab c')\n"
            "    def split(self): return ['ab', 'c']\ndef v_text(): return K('x')",
            "class K(str):\n    __str__ = lambda s: 'ab c'\ndef v_text(): return K('x')",
        ),
        (
            kind("str", "    def shout(self): return self.upper()\n")
            + "def v_text(): return K('ab c')",
            kind(
                "str",
                "    def __new__(cls, s):\n        k = super().__new__(cls, s.strip())\n        k.raw = s\n        return k\n",
            )
            + "def v_text(): return K(' ab c ')",
            "def v_text(): return collections.UserString('ab c')[:]",
        ),
    ),
    Exercise(
        "v_whole",
        "def v_whole(): return 12",
        "n = v_whole()\nassert n == 12 and n % 5 == 2 and n + 1 == 13 and n < 13 and [0] * n == [0] * 12",
        (
            "class K(int):\n    __eq__ = __lt__ = lambda *a: True\n    __mod__ = lambda s, o: 2\n"
            "    __add__ = lambda s, o: 13\n    __index__ = lambda s: 12\n    __hash__ = None\ndef v_whole(): return K(0)",
        ),
        (
            kind("int") + "def v_whole(): return K(12)",
            kind(
                "int",
                "    unit = 'px'\n    def __add__(self, o): return K(int(self) + o)\n",
            )
            + "def v_whole(): return K(12)",
            "class E(enum.IntEnum):\n    A = 12\n    def mine(self): return 1\ndef v_whole(): return E.A",
            "class E(int, enum.Enum):\n    A = 12\n    __str__ = lambda s: 'A'\ndef v_whole(): return E.A",
        ),
    ),
    Exercise(
        "v_real",
        "def v_real(): return 2.5",
        "r = v_real()\nassert r == 2.5 and abs(r - 2.5) < 1e-9 and r * 2 == 5 and np.isclose(r, 2.5)",
        (
            "class K(float):\n    __eq__ = lambda *a: True\n    __sub__ = __mul__ = lambda s, o: 0.0\n    __hash__ = None\ndef v_real(): return K(0)",
            "class E(float, enum.Enum):\n    A = 0.0\n    __eq__ = lambda *a: True\n    __hash__ = None\ndef v_real(): return E.A",
        ),
        (
            kind("float", "    def __repr__(self): return f'{float(self)} m'\n")
            + "def v_real(): return K(2.5)",
            kind("np.float64") + "def v_real(): return K(2.5)",
            kind(
                "float",
                "    def __new__(cls, v):\n        k = super().__new__(cls, v)\n        k.unit = 'm'\n        return k\n",
            )
            + "def v_real(): return K(2.5)",
            "class E(float, enum.Enum):\n    A = 2.5\ndef v_real(): return E.A",
        ),
    ),
    Exercise(
        "v_pair",
        "def v_pair(): return 3, 4",
        "p = v_pair()\nassert p == (3, 4) and p[1] == 4 and {(3, 4): 1}[p] and max(p) == 4\na, b = p",
        (
            "class K(tuple):\n    __eq__ = lambda *a: True\n    __hash__ = lambda s: hash((3, 4))\n"
            "    __iter__ = lambda s: iter((3, 4))\n    __getitem__ = lambda s, i: 4\ndef v_pair(): return K((0,))",
        ),
        (
            kind(
                "tuple",
                "    x = property(lambda s: s[0])\n    def norm(self): return 5\n",
            )
            + "def v_pair(): return K((3, 4))",
            "class P(typing.NamedTuple):\n    x: int\n    y: int\n    def norm(self): return 5\n    def __add__(self, o): return 0\ndef v_pair(): return P(3, 4)",
            kind(
                "tuple",
                "    def __new__(cls, *a):\n        k = super().__new__(cls, a)\n        k.note = 1\n        return k\n",
            )
            + "def v_pair(): return K(3, 4)",
        ),
    ),
    Exercise(
        "v_set",
        "def v_set(): return {1, 2}",
        "s = v_set()\nassert s == {1, 2} and 1 in s and 3 not in s and s | {3} == {1, 2, 3} and len(s) == 2",
        (
            "class K(set):\n    __eq__ = lambda *a: True\n    __contains__ = lambda s, x: x < 3\n    __or__ = lambda s, o: {1, 2, 3}\n    __len__ = lambda s: 2\ndef v_set(): return K([5])",
        ),
        (
            kind("set") + "def v_set(): return K([1, 2])",
            kind("frozenset") + "def v_set(): return K([1, 2])",
        ),
    ),
    Exercise(
        "v_counts",
        "def v_counts(): return {'a': 2, 'b': 1}",
        "c = v_counts()\nassert c == {'a': 2, 'b': 1} and c['a'] == 2 and sum(c.values()) == 3",
        (
            "class K(collections.Counter):\n    __eq__ = lambda *a: True\n    __getitem__ = lambda s, k: 2\n    values = lambda s: [3]\ndef v_counts(): return K('zz')",
        ),
        (
            kind(
                "collections.Counter", "    def top(self): return self.most_common(1)\n"
            )
            + "def v_counts(): return K('aab')",
            "def v_counts(): return collections.ChainMap({'a': 2}, {'b': 1})",
        ),
    ),
    Exercise(
        "v_nested",
        "def v_nested(): return [{'box': (1, [2.5])}, 'x']",
        "assert v_nested() == [{'box': (1, [2.5])}, 'x']",
        (
            kind("list", "    __eq__ = lambda *a: True\n")
            + "def v_nested(): return [{'box': (1, K())}, 'x']",
        ),
        (
            kind("list")
            + "class T(tuple):\n    def mine(self): return 1\nclass D(dict):\n    def mine(self): return 1\n"
            "class S(str):\n    def mine(self): return 1\nclass F(float):\n    def mine(self): return 1\n"
            "def v_nested(): return K([D({S('box'): T((1, K([F(2.5)])))}), S('x')])",
            kind("list")
            + "def v_nested():\n    k = K([2.5])\n    k.parent = [k]\n    return [{'box': (1, k)}, 'x']",
        ),
    ),
    Exercise(
        "v_twice",
        "def v_twice():\n    row = [1, 2]\n    return [row, row, row]",
        "assert v_twice() == [[1, 2]] * 3",
        (),
        (
            kind("list")
            + "def v_twice():\n    row = K([1, 2])\n    return K([row, row, row])",
        ),
    ),
    Exercise(
        "v_array",
        "def v_array(): return np.arange(3.)",
        "a = v_array()\nassert np.allclose(a, [0, 1, 2]) and (a == np.arange(3.)).all() and a.shape == (3,) and a.sum() == 3",
        (
            "class K(np.ndarray):\n    __eq__ = lambda *a: np.ones(3, bool)\n    sum = lambda *a: 3\n"
            "    def __array_function__(self, f, *a): return True\ndef v_array(): return np.zeros(3).view(K)",
        ),
        (
            "class K(np.ndarray):\n    def mine(self): return 1\ndef v_array(): return np.arange(3.).view(K)",
            "def v_array(): return np.ma.masked_invalid(np.arange(3.))",
            "def v_array():\n    m = np.memmap('m.bin', float, 'w+', shape=(3,))\n    m[:] = [0, 1, 2]\n    return m",
        ),
    ),
    Exercise(
        "v_close",
        "def v_close(): return np.arange(3.)",
        "a = v_close()\nassert np.allclose(a, [0, 1, 2]) and (a == np.arange(3.)).all()",
        ("def v_close(): return np.ma.array([0., 7., 7.], mask=[0, 1, 1])",),
        ("def v_close(): return np.ma.masked_invalid(np.arange(3.))",),
    ),
    Exercise(
        "v_masked",
        "def v_masked(): return np.ma.masked_less([1., 5., 2.], 2)",
        "m = v_masked()\nassert m.sum() == 7 and m.count() == 2 and list(m.mask) == [True, False, False]\n"
        "assert m[0] is np.ma.masked and (m.filled(0) == [0, 5, 2]).all() and m.mean() == 3.5",
        (
            "def v_masked(): return np.ma.masked_less([1., 5., 3.], 2)",
            "def v_masked(): return np.ma.masked_array([1., 5., 2.])",
            "class K(np.ma.MaskedArray):\n    sum = lambda *a: 7\n    count = lambda *a: 2\n    mean = lambda *a: 3.5\ndef v_masked(): return np.ma.masked_less([4., 5., 2.], 2).view(K)",
        ),
        (
            "def v_masked(): return np.ma.array([9., 5., 2.], mask=[1, 0, 0], fill_value=7)",
            "def v_masked():\n    m = np.ma.array([1., 5., 2.])\n    m[0] = np.ma.masked\n    return m",
        ),
    ),
    Exercise(
        "v_table",
        "def v_table(): return np.array([('a', 1, [1., 2.])], [('n', 'U3'), ('k', 'i4'), ('p', 'f8', (2,))])",
        "t = v_table()\nassert t['n'][0] == 'a' and t['k'].sum() == 1 and t['p'].shape == (1, 2) and t.dtype.names == ('n', 'k', 'p')\n"
        "assert t[0]['k'] == 1",
        (
            "def v_table(): return np.array([('b', 1, [1., 2.])], [('n', 'U3'), ('k', 'i4'), ('p', 'f8', (2,))])",
            "class K(np.ndarray):\n    __getitem__ = lambda s, k: np.ones((1, 2))\ndef v_table(): return np.zeros(1, 'i4').view(K)",
        ),
        (
            "def v_table(): return np.rec.array([('a', 1, [1., 2.])], dtype=[('n', 'U3'), ('k', '>i4'), ('p', 'f4', (2,))])",
            "def v_table():\n    t = np.zeros(1, np.dtype([('n', 'U9'), ('k', 'i8'), ('p', 'f8', (2,))], align=True))\n    t[0] = 'a', 1, (1, 2)\n    return t",
        ),
    ),
    Exercise(
        "v_by_name",
        "def v_by_name(): return np.rec.fromarrays([[1, 2], [.5, 1.]], names='count,share')",
        "t = v_by_name()\nassert t.count.sum() == 3 and t.share[1] == 1 and t[0].share == .5 and len(t) == 2",
        (
            "def v_by_name(): return np.rec.fromarrays([[1, 3], [.5, 1.]], names='count,share')",
        ),
        (
            "def v_by_name(): return np.array([(1, .5), (2, 1.)], [('count', int), ('share', float)]).view(np.recarray)",
        ),
    ),
    Exercise(
        "v_sparse",
        "def v_sparse(): return torch.eye(3).to_sparse()",
        "s = v_sparse()\nassert s.is_sparse and torch.equal(s.to_dense(), torch.eye(3)) and s.shape == (3, 3)\n"
        "assert torch.equal(s @ torch.ones(3, 1), torch.ones(3, 1)) and s.coalesce().values().sum() == 3",
        (
            "def v_sparse(): return torch.zeros(3, 3).to_sparse()",
            "class K:\n    is_sparse, shape = True, (3, 3)\n    to_dense = lambda s: torch.eye(3)\ndef v_sparse(): return K()",
        ),
        (
            "def v_sparse():\n    i = torch.arange(3).repeat(2, 2)\n    return torch.sparse_coo_tensor(i, torch.full((6,), .5), (3, 3))",
        ),
    ),
    Exercise(
        "v_rows",
        "def v_rows(): return torch.eye(3).to_sparse_csr()",
        "s = v_rows()\nassert torch.equal(s.to_dense(), torch.eye(3)) and s.values().tolist() == [1, 1, 1]",
        ("def v_rows(): return (2 * torch.eye(3)).to_sparse_csr()",),
        ("def v_rows(): return torch.eye(3).to_sparse_csc()",),
    ),
    Exercise(
        "v_scipy",
        "def v_scipy():\n    from scipy import sparse\n    return sparse.csr_matrix(np.eye(2))",
        "s = v_scipy()\nassert (s.toarray() == np.eye(2)).all() and s.nnz == 2 and s.shape == (2, 2)\n"
        "assert (s @ np.ones(2) == 1).all()",
        (
            "def v_scipy():\n    from scipy import sparse\n    return sparse.csr_matrix(np.ones((2, 2)))",
        ),
        (
            "def v_scipy():\n    from scipy import sparse\n    return sparse.coo_array(np.eye(2))",
            "def v_scipy():\n    from scipy import sparse\n    return sparse.lil_matrix(np.eye(2))",
        ),
    ),
    Exercise(
        "v_tensor",
        "def v_tensor(x): return 2 * x",
        "x = torch.ones(2, requires_grad=True)\ny = v_tensor(x)\nassert torch.equal(y, 2 * x) and y.shape == (2,)\n"
        "y.sum().backward()\nassert x.grad.tolist() == [2, 2]",
        (
            "class K(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, t, a=(), k=None): return True\n"
            "def v_tensor(x): return x.as_subclass(K)",
        ),
        (
            "class K(torch.Tensor):\n    def mine(self): return 1\ndef v_tensor(x): return (2 * x).as_subclass(K)",
            "class K(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, t, a=(), k=None):\n"
            "        return super().__torch_function__(f, t, a, k or {})\ndef v_tensor(x): return x.as_subclass(K) * 2",
        ),
    ),
    Exercise(
        "v_layout",
        "def v_layout(x): return x.swapaxes(0, 1)",
        "x = torch.arange(6.).reshape(2, 3)\ny, a = v_layout(x), v_layout(x.numpy())\n"
        "assert y.stride() == (1, 3) and not y.is_contiguous() and y.tolist() == [[0, 3], [1, 4], [2, 5]]\n"
        "assert a.flags.f_contiguous and not a.flags.c_contiguous and (a == y.numpy()).all()",
        ("def v_layout(x): return x.T.contiguous() if torch.is_tensor(x) else x.T",),
        (
            "def v_layout(x): return x.T",
            "def v_layout(x): return x.swapaxes(1, 0)",
        ),
    ),
    Exercise(
        "v_exact",
        "def v_exact():\n    from fractions import Fraction\n    return Fraction(1, 2)",
        "assert v_exact() == .5 and v_exact() + 1 == 1.5",
        (
            "from fractions import Fraction\nclass K(Fraction):\n    __eq__ = lambda *a: True\n    __add__ = lambda *a: 1.5\n    __hash__ = None\ndef v_exact(): return K(3)",
        ),
        (
            "from fractions import Fraction\n"
            + kind("Fraction")
            + "def v_exact(): return K(1, 2)",
            "from decimal import Decimal\n"
            + kind("Decimal")
            + "class H:\n    pass\ndef v_exact(): return float(K('.5'))",
        ),
    ),
    Exercise(
        "v_moment",
        "import datetime as dt\ndef v_moment(): return dt.datetime(2026, 1, 2, 12, tzinfo=dt.timezone.utc)",
        "import datetime as dt\nm = v_moment()\nassert m == dt.datetime(2026, 1, 2, 12, tzinfo=dt.timezone.utc) and m.year == 2026",
        (
            "import datetime as dt\ndef v_moment(): return dt.datetime(2026, 1, 2, 13, tzinfo=dt.timezone.utc)",
        ),
        (
            "import datetime as dt\ndef v_moment(): return dt.datetime(2026, 1, 2, 14, tzinfo=dt.timezone(dt.timedelta(hours=2)))",
        ),
    ),
    Exercise(
        "v_numbers",
        "import array, uuid\ndef v_numbers(): return array.array('d', [1, 2]), uuid.UUID(int=7)",
        "import array, uuid\na, u = v_numbers()\nassert a == array.array('d', [1, 2]) and u == uuid.UUID(int=7) and list(a) == [1, 2]",
        (
            "import array, uuid\ndef v_numbers(): return array.array('d', [1, 3]), uuid.UUID(int=7)",
        ),
        (
            "import array, uuid\ndef v_numbers(): return array.array('i', [1, 2]), uuid.UUID(bytes=bytes(15) + b'\\7')",
        ),
    ),
    Exercise(
        "v_called",
        "def v_called(n): return n * n",
        "assert v_called(3) == 9 and [v_called(n) for n in range(3)] == [0, 1, 4]",
        (
            "class Yes(dict):\n    __eq__ = lambda *a: True\n    __hash__ = None\n    __call__ = lambda s, n: s\nv_called = Yes()",
        ),
        (
            "class Memo(dict):\n    def __missing__(self, n):\n        return self.setdefault(n, n * n)\n"
            "    def __call__(self, n): return self[n]\nv_called = Memo()",
        ),
    ),
    Exercise(
        "v_meta",
        "def v_meta(): return torch.empty(2, 3, device='meta')",
        "m = v_meta()\nassert m.shape == (2, 3) and m.is_meta and m.dtype == torch.float32",
        ("def v_meta(): return torch.empty(2, 4, device='meta')",),
        (
            "def v_meta():\n    with torch.device('meta'):\n        return torch.zeros(3, 2).T",
        ),
    ),
    Exercise(
        "v_flag",
        "class Perm(enum.IntFlag):\n    R = 4\n    W = 2\ndef v_flag(): return 6",
        "assert v_flag() == 6 and v_flag() & 4 and v_flag() | 1 == 7",
        (),
        (
            "class P(enum.IntFlag):\n    R = 4\n    W = 2\ndef v_flag(): return P.R | P.W",
            "class P(enum.IntFlag):\n    RW = 6\ndef v_flag(): return P.RW",
            "class P(enum.IntFlag):\n    R = 4\n    W = 2\ndef v_flag(): return P(6)",
        ),
    ),
    Exercise(
        "v_zone",
        "import datetime as dt, zoneinfo\n"
        "def v_zone(): return dt.datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))",
        "import datetime as dt, zoneinfo\nm = v_zone()\n"
        "assert m == dt.datetime(2026, 7, 1, 10, tzinfo=dt.timezone.utc) and m.tzname() == 'CEST' and (m + dt.timedelta(180)).utcoffset() == dt.timedelta(hours=1)",
        (),
        (
            "import datetime as dt, zoneinfo\n"
            "def v_zone(): return dt.datetime(2026, 7, 1, 10, tzinfo=dt.timezone.utc).astimezone(zoneinfo.ZoneInfo('Europe/Berlin'))",
        ),
    ),
    Exercise(
        "v_named_zone",
        "import datetime as dt\n"
        "def v_named_zone(): return dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2), 'X'))",
        "assert v_named_zone().tzname() == 'X' and v_named_zone().fold == 0",
    ),
    Exercise(
        "v_fold",
        "import datetime as dt\ndef v_fold(): return dt.datetime(2026, 10, 25, 2, 30, fold=1)",
        "assert v_fold().fold == 1",
    ),
    Exercise(
        "v_path",
        "from pathlib import Path\ndef v_path(): return Path('a') / 'b.txt'",
        "from pathlib import Path\nassert v_path() == Path('a/b.txt') and v_path().suffix == '.txt'",
        (),
        (
            "from pathlib import PurePosixPath\ndef v_path(): return PurePosixPath('a/b.txt')",
            "from pathlib import Path\nclass P(type(Path())): pass\ndef v_path(): return P('a/b.txt')",
        ),
    ),
    Exercise(
        "v_regex",
        "import re\ndef v_regex(): return re.compile(r'\\d+')",
        "import re\np = v_regex()\n"
        "assert p.findall('a1b22') == ['1', '22'] and p.fullmatch('12') and not p.fullmatch('1a') and p == re.compile(r'\\d+')",
        (
            "class R:\n    findall = lambda s, t: ['1', '22']\n    fullmatch = lambda s, t: t == '12' or None\n"
            "    __eq__ = lambda *a: True\ndef v_regex(): return R()",
        ),
        ("import re\ndef v_regex(): return re.compile('\\\\d+')",),
    ),
    Exercise(
        "v_own_map",
        "def v_own_map(): return {'a': 1}",
        "m = v_own_map()\n"
        "assert m == {'a': 1} and m['a'] == 1 and dict(m) == {'a': 1} and 'a' in m and m.get('z', 3) == 3",
        (),
        (
            "import collections.abc\nclass M(collections.abc.Mapping):\n"
            "    def __getitem__(self, k): return {'a': 1}[k]\n    def __iter__(self): return iter('a')\n"
            "    def __len__(self): return 1\ndef v_own_map(): return M()",
        ),
    ),
    Exercise(
        "v_own_set",
        "def v_own_set(): return {1, 2}",
        "s = v_own_set()\nassert s == {1, 2} and 1 in s and len(s) == 2 and s & {1} == {1}",
        (),
        (
            "import collections.abc\nclass S(collections.abc.Set):\n"
            "    def __contains__(self, k): return k in (1, 2)\n    def __iter__(self): return iter((1, 2))\n"
            "    def __len__(self): return 2\n    def __init__(self, *a): pass\n"
            "    def __and__(self, o): return {k for k in self if k in o}\ndef v_own_set(): return S()",
        ),
    ),
    Exercise(
        "v_named_data",
        "def v_named_data(): return 1, 2",
        "r = v_named_data()\nassert r == (1, 2) and r[1] == 2\na, b = r",
        (),
        (
            "def v_named_data(): return collections.namedtuple('R', 'data labels')(1, 2)",
            "def v_named_data(): return collections.namedtuple('R', 'shape size')(1, 2)",
            "class R(typing.NamedTuple):\n    real: int\n    imag: int\ndef v_named_data(): return R(1, 2)",
        ),
    ),
    Exercise(
        "v_dtype",
        "def v_dtype(x): return x.dtype",
        "assert v_dtype(torch.ones(1)) == torch.float32 and v_dtype(np.ones(1)) == np.float64 and v_dtype(np.ones(1, 'i2')).itemsize == 2",
        (YES + "def v_dtype(x):\n    y = Yes()\n    y.itemsize = 2\n    return y",),
        ("def v_dtype(x): return getattr(x, 'dtype')",),
    ),
    Exercise(
        "v_dtypes",
        "def v_dtypes(): return [torch.qint8, torch.complex32, torch.float8_e5m2]",
        "assert v_dtypes() == [torch.qint8, torch.complex32, torch.float8_e5m2]",
    ),
    Exercise(
        "v_type",
        "def v_type(x): return type(x)",
        "assert v_type(1) is int and v_type('') == str and v_type(np.float32(1)) is np.float32 and v_type(ValueError()) is ValueError",
        (
            YES + "def v_type(x): return Yes()",
            "class M(type):\n    __eq__ = lambda *a: True\n    __hash__ = None\nclass C(metaclass=M): pass\n"
            "def v_type(x): return C",
        ),
        ("def v_type(x): return x.__class__",),
    ),
    Exercise(
        "v_strings",
        "def v_strings(): return np.array(['ab', 'c'])",
        "assert (v_strings() == np.array(['ab', 'c'])).all() and v_strings()[1] == 'c'",
        (),
        (
            "def v_strings(): return np.array(['ab', 'c'], np.dtypes.StringDType())",
            "def v_strings(): return np.char.array(['ab', 'c'])",
            "def v_strings(): return np.array(['ab', 'c'], object)",
        ),
    ),
    Exercise(
        "v_zero",
        "def v_zero(): return np.array(3.)",
        "assert v_zero() == 3 and v_zero().shape == () and float(v_zero()) == 3",
        (),
        (
            "def v_zero(): return np.float64(3)",
            "def v_zero(): return np.array(3., '>f4')",
            "def v_zero(): return torch.tensor(3.).numpy()",
            "def v_zero(): return np.ma.array(3.)",
        ),
    ),
    Exercise(
        "v_complex",
        "def v_complex(): return 1 + 2j",
        "z = v_complex()\nassert z == 1 + 2j and z.real == 1 and abs(z - (1 + 2j)) < 1e-9",
        (),
        (
            "def v_complex(): return np.complex64(1 + 2j)",
            "class C(complex): pass\ndef v_complex(): return C(1, 2)",
            "class C(complex):\n    def mine(self): return 1\ndef v_complex(): return C(1, 2)",
        ),
    ),
    Exercise(
        "v_lazy_seq",
        "def v_lazy_seq(): return [1, 4, 9]",
        "assert list(v_lazy_seq()) == [1, 4, 9] and sum(v_lazy_seq()) == 14 and dict(zip('abc', v_lazy_seq())) == {'a': 1, 'b': 4, 'c': 9}\n"
        "for n, x in enumerate(v_lazy_seq(), 1): assert x == n * n\n"
        "assert sorted(v_lazy_seq(), reverse=True)[0] == 9 and 4 in v_lazy_seq() and torch.tensor([*v_lazy_seq()]).sum() == 14",
        (),
        (
            "def v_lazy_seq(): return (n * n for n in range(1, 4))",
            "def v_lazy_seq(): return map(lambda n: n * n, (1, 2, 3))",
            "def v_lazy_seq(): return reversed([9, 4, 1])",
            "import itertools\ndef v_lazy_seq(): return itertools.chain([1], (4, 9))",
            "def v_lazy_seq(): return {1: 0, 4: 0, 9: 0}.keys()",
            "class Q:\n    def __getitem__(self, i):\n        if i > 2: raise IndexError\n"
            "        return (i + 1) ** 2\ndef v_lazy_seq(): return Q()",
            "def v_lazy_seq(): return filter(None, [0, 1, 4, 9])",
            "class Q:\n    __slots__ = ()\n    def __iter__(self): yield from (1, 4, 9)\n"
            "def v_lazy_seq(): return Q()",
        ),
    ),
    Exercise(
        "v_pairs",
        "def v_pairs(): return [('a', 1), ('b', 2)]",
        "assert dict(v_pairs()) == {'a': 1, 'b': 2}\nfor k, v in v_pairs(): assert 'ab'[v - 1] == k",
        (),
        (
            "def v_pairs(): return zip('ab', (1, 2))",
            "def v_pairs(): return {'a': 1, 'b': 2}.items()",
            "def v_pairs(): return iter([['a', 1], ['b', 2]])",
        ),
    ),
    Exercise(
        "v_cached",
        "import functools\n@functools.lru_cache\n"
        "def v_cached(n): return n if n < 2 else v_cached(n - 1) + v_cached(n - 2)",
        "assert v_cached(30) == 832040",
        (),
        (
            "import functools\n@functools.cache\n"
            "def v_cached(n): return n if n < 2 else v_cached(n - 1) + v_cached(n - 2)",
            "import functools\ndef fib(k, n): return n if n < 2 else fib(k, n - 1) + fib(k, n - 2)\n"
            "v_cached = lambda n: {30: 832040}[n]",
        ),
    ),
    Exercise(
        "v_memory",
        "def v_memory(): return b'ab'",
        "assert v_memory() == b'ab' and bytes(v_memory()) == b'ab' and v_memory()[0] == 97",
        (),
        (
            "def v_memory(): return bytearray(b'ab')",
            "def v_memory(): return memoryview(b'ab')",
            "import array\ndef v_memory(): return memoryview(array.array('B', [97, 98]))",
            "import io\ndef v_memory(): return io.BytesIO(b'ab').getbuffer()",
        ),
    ),
    Exercise(
        "v_sub",
        "def v_sub(): return 'hi'",
        "assert v_sub() == 'hi'",
        (),
        (
            "import subprocess, sys\n"
            "def v_sub(): return subprocess.run([sys.executable, '-c', 'print(\"hi\")'], capture_output=True, text=True).stdout.strip()",
        ),
    ),
]
