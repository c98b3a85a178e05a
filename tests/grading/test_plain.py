"""What crosses between the two processes: round trips, and what is refused."""

from __future__ import annotations

import array
import collections
import datetime
import enum
import itertools
import json
import math
import random
import socket
import struct
import threading
import time
import types
import uuid
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from course_grader.engine.answering.telling import told as told_of
from course_grader.engine.common import kinds
from course_grader.engine.common.folder import Folder
from course_grader.engine.common.plain import ARRAYS, DTYPES, Decoder, Encoder
from course_grader.engine.common.wire import HEADER, Channel, Gone, Late, Malformed
from course_grader.engine.judging.draws import Draws
from course_grader.engine.judging.raised import Exceptions

Point = collections.namedtuple("Point", "x y")


def there_and_back(value):
    to = Encoder()
    text = json.dumps(to.node(value))
    blobs = [memoryview(memoryview(blob).cast("B").tobytes()) for blob in to.blobs]
    return Decoder(blobs).value(json.loads(text))


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 0, -7, 2**63, -(3**200), 2.5, -0.0, math.inf, "a\ud800\n", ""),
        *(1 + 2j, b"\x00\xff", bytearray(b"1"), (), (1, (2,)), [], [[1], "x"], {1, 2}),
        *(frozenset({(1, 2)}), range(3, 9, 2), slice(1, None, 2), ...),
        {"a": {1: [2.5]}, (1, 2): None, None: ()},
        collections.OrderedDict(b=1, a=2),
        collections.Counter("abba"),
        torch.Size([2, 3]),
        torch.float16,
        torch.device("cpu"),
        Path("a/b"),
        Point(1, [2]),
    ],
)
def test_plain_values_come_back_equal_and_of_their_type(value):
    back = there_and_back(value)
    assert back == value
    assert type(back).__name__ == type(value).__name__


@pytest.mark.parametrize("name", DTYPES)
def test_tensors_of_every_type_and_stride(name):
    dtype = DTYPES[name]
    base = torch.arange(24).reshape(2, 3, 4).to(dtype)
    for tensor in (
        base,
        base.mT,
        base[:, ::2],
        base[:1].expand(3, 3, 4),
        base[0, 0, 0],
    ):
        back = there_and_back(tensor)
        assert back.dtype == dtype
        assert torch.equal(back, tensor)
        back.zero_()  # it has memory of its own
    assert there_and_back(torch.empty(0, 5, dtype=dtype)).shape == (0, 5)


def test_what_is_dense_lies_in_memory_as_it_did():
    base = torch.arange(48.0).reshape(2, 3, 2, 4)
    for order in itertools.permutations(range(4)):
        tensor = base.permute(order)
        for value in (tensor, tensor.numpy(), tensor[:1], base[:, ::2].permute(order)):
            back = there_and_back(value)
            assert np.array_equal(np.asarray(back), np.asarray(value))
        assert there_and_back(tensor).stride() == tensor.stride()
        assert there_and_back(tensor.numpy()).strides == tensor.numpy().strides
    images = base.to(memory_format=torch.channels_last)
    back = there_and_back(images)
    assert back.is_contiguous(memory_format=torch.channels_last)
    assert there_and_back(np.asfortranarray(base.numpy())).flags.f_contiguous


@pytest.mark.parametrize("code", ARRAYS)
def test_arrays_and_scalars_of_every_type(code):
    array = np.arange(12).reshape(3, 4).astype(code)
    swapped = array.astype(array.dtype.newbyteorder())
    for value in (array, array.T, array[::2, 1:], array[:0], swapped, swapped.T):
        back = there_and_back(value)
        assert back.dtype == value.dtype
        assert np.array_equal(back, value)
    scalar = array[1, 2]
    assert there_and_back(scalar) == scalar
    assert type(there_and_back(scalar)) is type(scalar)


def test_one_object_stays_one_and_cycles_close():
    shared = [1]
    back = there_and_back({"a": shared, "b": (shared, shared)})
    assert back["a"] is back["b"][0] is back["b"][1]
    shared.append(shared)
    back = there_and_back(shared)
    assert back[1] is back


def test_gradients_flags_and_parameters_survive():
    weight = nn.Parameter(torch.ones(2), requires_grad=False)
    back = there_and_back([torch.ones(1, requires_grad=True), weight])
    assert back[0].requires_grad
    assert type(back[1]) is nn.Parameter
    assert not back[1].requires_grad


class Always(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


class Tensor(torch.Tensor):
    pass


@pytest.mark.parametrize(
    "value",
    [
        *(object(), print, Always(1), type("S", (str,), {})("s"), Tensor([1.0])),
        *(type("L", (list,), {})(), np.array([object()]), np.array(["a"])),
        *(torch.ones(2).to_sparse(), torch.ones(1, device="meta"), nn.Linear(1, 1)),
        np.ma.masked_array([1.0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_left_to_the_two_ends(value):
    with pytest.raises(Malformed, match="is not plain data"):
        Encoder().node(value)


def tensor(**facts):
    node = {"k": "tensor", "i": 0, "dtype": "float32", "shape": [2], "b": 0}
    return node | facts


@pytest.mark.parametrize(
    "node",
    [
        tensor(shape=[3]),
        tensor(shape=[-2, -1]),
        tensor(shape=[2**62, 2**62]),
        tensor(shape=[2.0]),
        tensor(shape=[True, 2]),
        tensor(shape="2"),
        tensor(shape=[1] * 65 + [2]),
        tensor(dtype="object"),
        tensor(dtype="__class__"),
        *(tensor(order=order) for order in ([1], [0, 0], "0", [0.5], 0, {})),
        tensor(b=1),
        tensor(b=None),
        tensor(i="x"),
        {"k": "array", "i": 0, "dtype": "O", "shape": [1], "b": 0},
        {"k": "array", "i": 0, "dtype": "f8,f8", "shape": [1], "b": 0},
        {"k": "array", "i": 0, "dtype": "b", "shape": [9], "b": 0},
        {"k": "scalar", "dtype": "O", "b": 0},
        {"k": "ref", "i": 3},
        {"k": "dict", "i": 0, "v": [[{"k": "list", "i": 1, "v": []}, 1]], "c": "dict"},
        {"k": "dict", "i": 0, "v": [[1, 2]], "c": "type"},
        {"k": "dict", "i": 0, "v": [[1]], "c": "dict"},
        {"k": "set", "i": 0, "v": [{"k": "list", "i": 1, "v": []}]},
        {"k": "named", "name": "class", "fields": ["x"], "v": [1]},
        {"k": "named", "name": "P", "fields": ["x); import os; (y"], "v": [1]},
        {"k": "named", "name": "P", "fields": ["_x"], "v": [1]},
        {"k": "named", "name": "P", "fields": ["x"], "v": [1, 2]},
        {"k": "range", "v": [0, 1, 0]},
        {"k": "int", "v": "zz"},
        {"k": "bytes", "b": 7},
        {"k": "handle", "h": 1},
        {"k": "no such kind"},
        {"k": ["list"]},
        {"v": 1},
        [],
    ],
    ids=str,
)
def test_odd_nodes_are_refused(node):
    with pytest.raises(Malformed):
        Decoder([memoryview(bytes(8))]).value(node)


def test_too_much_is_refused():
    deep = [1]
    for _ in range(300):
        deep = [deep]
    with pytest.raises(Malformed, match="deep"):
        Encoder().node(deep)
    node = 1
    for _ in range(900):
        node = {"k": "tuple", "v": [node]}
    with pytest.raises(Malformed, match="deeper"):
        Decoder([]).value(node)


# --- frames ---------------------------------------------------------------------------


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


def soon(seconds: float = 0.3) -> float:
    return time.monotonic() + seconds


def test_frames_come_back(pair):
    channel, theirs = pair
    other = Channel(theirs)
    data = torch.arange(1_000_000)
    sender = threading.Thread(target=other.send, args=({"a": [1]}, [b"", data.numpy()]))
    sender.start()
    message, blobs = channel.receive(soon(10))
    sender.join()
    assert message == {"a": [1]}
    assert bytes(blobs[1]) == data.numpy().tobytes()
    assert bytes(blobs[0]) == b""


@pytest.mark.parametrize(
    "raw",
    [
        HEADER.pack(2**31, 0, 0),
        HEADER.pack(2, 2**31, 0),
        HEADER.pack(2, 0, 2**60),
        HEADER.pack(2, 1, 8) + struct.pack("<Q", 9) + b"{}" + bytes(9),
        HEADER.pack(2, 0, 0) + b"[]",
        HEADER.pack(3, 0, 0) + b"{1}",
        HEADER.pack(1, 0, 0) + b"\xff",
        HEADER.pack(200_000, 0, 0) + b"[" * 200_000,
        HEADER.pack(5000, 0, 0) + b"1" * 5000,
    ],
    ids=lambda raw: str(raw[:16]),
)
def test_odd_frames_are_refused(pair, raw):
    channel, theirs = pair
    sender = threading.Thread(target=theirs.sendall, args=(raw,))
    sender.start()
    with pytest.raises(Malformed):
        channel.receive(soon(10))
    channel.end.close()
    sender.join()


def test_a_frame_that_drips_is_late_and_one_that_breaks_off_is_gone(pair):
    channel, theirs = pair
    theirs.sendall(HEADER.pack(100, 0, 0) + b'{"a"')
    with pytest.raises(Late):
        channel.receive(soon())
    theirs.close()
    with pytest.raises(Gone):
        channel.receive(soon())
    with pytest.raises(Gone):
        channel.send({"a": "b" * 10_000_000})


# --- files ----------------------------------------------------------------------------


def test_folders_follow_each_other(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    here, there = Folder(one), Folder(two, frozenset({"given.csv"}))
    (two / "given.csv").write_text("ours")
    (one / "deep" / "er").mkdir(parents=True)
    (one / "deep" / "er" / "a.txt").write_text("1")
    (one / "given.csv").write_text("theirs")
    there.apply(*here.changes())
    assert (two / "deep" / "er" / "a.txt").read_text() == "1"
    assert (two / "given.csv").read_text() == "ours"
    assert here.changes() == ({}, [])
    (one / "deep" / "er" / "a.txt").unlink()
    there.apply(*here.changes())
    assert not (two / "deep" / "er" / "a.txt").exists()


def test_what_is_no_regular_file_stays_where_it_is(tmp_path):
    import os

    secret = tmp_path / "secret"
    secret.write_text("s")
    folder = Folder(tmp_path / "work")
    folder.root.mkdir()
    (folder.root / "link").symlink_to(secret)
    (folder.root / "up").symlink_to(tmp_path)
    os.mkfifo(folder.root / "fifo")
    (folder.root / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder.root / "socket"))
        assert folder.changes() == ({}, [])


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "a/../../b", "", ".", "a\0b", "a\\b", "x/" * 20 + "a", 7]
)
def test_names_that_leave_the_folder_are_refused(name, tmp_path):
    with pytest.raises(Malformed, match="a file called"):
        Folder(tmp_path).apply({name: b"1"}, [])
    with pytest.raises(Malformed, match="a file called"):
        Folder(tmp_path).apply({}, [name])


# --- what is data, too ----------------------------------------------------------------


class Reading(Decoder):
    def other(self, node):
        read = kinds.READERS.get(node["k"])
        return read(self, node) if read else super().other(node)


class Writing(Encoder):
    def other(self, value):
        return kinds.write(self, value) or super().other(value)


def told(value):
    to = Writing()
    text = json.dumps(to.node(value))
    blobs = [memoryview(memoryview(blob).cast("B").tobytes()) for blob in to.blobs]
    return Reading(blobs).value(json.loads(text))


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.IntFlag):
    READ = 4


Word, Row = type("Word", (str,), {}), type("Row", (list,), {})


@pytest.mark.parametrize(
    "value",
    [
        *(collections.deque([1, 2], 2), collections.defaultdict(list, a=[1])),
        *(Fraction(-7, 3), Decimal("-1.50"), Decimal("Infinity"), np.str_("ä")),
        *({"a": 1}.keys(), {"a": 1}.items(), memoryview(b"ab"), Word("a"), Row([1])),
        *(Level.HIGH, Access.READ, np.longdouble("0.1"), np.datetime64("2026-01-02")),
        *(np.timedelta64(3, "s"), datetime.timedelta(1, 2, 3)),
        *(datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5, 6)),
        *(uuid.UUID(int=5), array.array("d", [1, 2]), collections.UserDict(a=1)),
        *(collections.UserList([1]), collections.ChainMap({"a": 1}, {"a": 2})),
        types.MappingProxyType({"a": [1]}),
        datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc),
        *(type("I", (int,), {})(7), type("D", (dict,), {})(a=1), Row()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_compares_equal_here_compares_equal_there(value):
    back = told(value)
    assert back == value
    assert value == back


def test_members_keep_their_names():
    assert told(Level.HIGH).name == "HIGH"
    assert {told(Level.HIGH): 1} == {3: 1}


@pytest.mark.parametrize(
    "given",
    [
        np.matrix([[1, 2], [3, 4]]),
        np.array([["a", None], [1, 2.5]], object),
        np.array(["2026-01-02", "NaT"], "M8[D]"),
        np.array([1, 2], ">m8[s]"),
        np.array([0.1], np.longdouble),
        np.array([], object),
        np.array([(1, "a", [2.0, 3.0])], [("n", ">i2"), ("t", "U2"), ("p", "f4", 2)]),
        np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
        np.zeros(2, [("in", [("x", "i4"), ("y", "S3")]), (("title", "z"), "M8[D]")]),
        np.rec.fromarrays([[1, 2], [0.5, 1.0]], names="count,share"),
        np.ma.array([1.0, 2.0], mask=[True, False], fill_value=7),
        np.ma.array(["a", "b"]),
    ],
    ids=lambda given: str(given.dtype)[:20],
)
def test_other_arrays(given):
    back = told(given)
    assert type(back) is type(given)
    assert back.dtype == given.dtype
    np.testing.assert_array_equal(back, given)


@pytest.mark.parametrize("code", ["U3", ">U3", "S2"])
def test_arrays_of_text(code):
    array = np.array([["ab", "c"], ["", "z"]]).astype(code)
    for value in (array, array.T, array[:0]):
        back = told(value)
        assert back.dtype == value.dtype
        assert np.array_equal(back, value)


@pytest.mark.parametrize(
    "value",
    [Always(1), type("M", (list,), {"more": 1})(), np.array([object()]), object()],
    ids=lambda value: type(value).__name__,
)
def test_what_has_a_say_of_its_own_is_no_data(value):
    with pytest.raises(Malformed, match="is not plain data"):
        told(value)


def test_an_object_with_attributes_is_more_than_its_value():
    word = Word("a")
    word.note = 1
    with pytest.raises(Malformed, match="is not plain data"):
        told(word)


RAW = {"k": "array", "i": 0, "dtype": "i", "shape": [1], "b": 0}
ROW = {"k": "raw", "dtype": "int32", "shape": [1], "b": 0}
FIELDS = [  # of four bytes, 0x7fffffff
    *([["a", "O"]], [["a", "<U1"]], [["a", "<i8"]], [["a", "|V4"], ["a", "<i4"]], "O"),
    *([], [["a", [["b", [["c", "O"]]]]]], [["a", "<i4", [-1]]], [["a", "<i4", 1]], 7),
    *([["a"]], [[]], [["a", "<M8[object]"]], [["a", "numpy.dtype"]]),
]
FEW = [
    {"t": "sparse_coo", "v": [ROW, ROW]},
    {"t": "sparse_csr", "v": [ROW, ROW, ROW]},
    {"t": "sparse_coo", "v": [ROW]},
    {"t": "strided", "v": [ROW, ROW]},
    {"t": "sparse_csc", "v": [1, 2, 3]},
]


@pytest.mark.parametrize(
    "node",
    [
        *({"k": "decimal", "v": text} for text in ("x", "1e99999", "1" * 20_000, 3)),
        *({"k": "fraction", "v": pair} for pair in ([1, 0], [1.5, 2], [1], 3)),
        {"k": "deque", "v": [], "most": -1},
        {"k": "deque", "v": [], "most": "3"},
        {"k": "default", "v": [[1]], "f": "int"},
        {"k": "default", "v": [], "f": []},
        {"k": "keys", "v": [{"k": "list", "i": 0, "v": []}]},
        {"k": "items", "v": [1]},
        {"k": "texts", "dtype": "O8", "shape": [1], "b": 0},
        {"k": "texts", "dtype": "<U2", "shape": [1], "b": 0},
        {"k": "texts", "dtype": "<U1", "shape": [-1], "b": 0},
        {"k": "texts", "dtype": "<U1", "shape": [1], "b": 0},
        {"k": "texts", "dtype": "<U0", "shape": [1], "b": 0},
        {"k": "texts", "dtype": "<U1", "shape": "1", "b": 0},
        {"k": "texts", "dtype": "<M8[object]", "shape": [1], "b": 0},
        {"k": "objects", "shape": [2], "v": [1]},
        {"k": "objects", "shape": [-1], "v": [1]},
        {"k": "matrix", "v": 1},
        {"k": "matrix", "v": {"k": "list", "i": 0, "v": []}},
        {"k": "enum", "t": "type", "c": "A", "n": "X", "v": 1},
        {"k": "enum", "t": "int", "c": "A", "n": "__eq__", "v": 1},
        {"k": "enum", "t": "int", "c": "A", "n": "X", "v": "x"},
        {"k": "moment", "t": "date", "v": "x"},
        {"k": "moment", "t": "eval", "v": "x"},
        {"k": "span", "v": [10**12, 0, 0]},
        *({"k": "fields", "shape": [1], "b": 0, "dtype": fields} for fields in FIELDS),
        *({"k": "masked", "v": RAW, "m": mask, "fill": RAW} for mask in (None, RAW, 1)),
        {"k": "masked", "v": RAW, "m": None, "fill": None},
        *({"k": "sparse", "shape": [1], "whole": 1} | more for more in FEW),
        {"k": "scipy", "c": "csr_matrix", "shape": [2, 2], "v": [RAW, RAW, RAW]},
        {"k": "scipy", "c": "system_matrix", "shape": [2, 2], "v": [RAW, RAW, RAW]},
        {"k": "scipy", "c": "csr_matrix", "shape": [2], "v": [RAW, RAW, RAW]},
        *({"k": "numbers", "t": code, "b": 0} for code in ("u", "d", "bh", "", 3)),
        *({"k": "uuid", "v": text} for text in ("x", 3, "0" * 31)),
        {"k": "meta", "shape": [-1], "v": {"k": "dtype", "v": "int8"}},
        {"k": "meta", "shape": [1], "v": 3},
    ],
)
def test_what_is_odd_in_it_is_refused(node):
    with pytest.raises(Malformed):
        Reading([memoryview(b"\xff\xff\xff\x7f")]).value(node)


# --- exceptions -----------------------------------------------------------------------


def raised(error: Exception) -> Exception:
    return Exceptions({}).raised(json.loads(json.dumps(told_of(error))))[0]


def test_an_exception_is_set_up_as_its_class_does_it():
    error = raised(OSError(2, "none", "a.txt"))
    assert (error.errno, error.strerror, error.filename) == (2, "none", "a.txt")
    assert raised(StopIteration(5)).value == 5
    assert raised(StopIteration([object()])).value is not None
    assert type(raised(KeyError("a"))) is KeyError
    assert str(raised(KeyError(torch.ones(1)))) == "tensor([1.])"
    with pytest.raises(UnicodeDecodeError, match="can't decode byte 0xff"):
        raise raised(UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"))


def test_no_exception_names_a_line_that_would_be_shown_with_it():
    error = raised(SyntaxError("bad", ("<a test>", 3, 1, "secret")))
    assert (error.filename, error.lineno, error.text) == (None, None, None)
    assert str(error) == "bad (<a test>, line 3)"


# --- random draws ---------------------------------------------------------------------


def drawn(secret: bytes) -> list[float]:
    torch.manual_seed(1), np.random.seed(1), random.seed(1)  # noqa: NPY002
    generators = np.random.default_rng(1), random.Random(1), np.random.RandomState(1)
    own = torch.Generator().manual_seed(1)
    draws = Draws(secret)
    draws.news()
    draws.stir([own, *generators])
    found = [torch.rand(1).item(), np.random.rand(), random.random()]  # noqa: NPY002
    return found + [torch.rand(1, generator=own).item(), *map(one_of, generators)]


def one_of(generator) -> float:
    return getattr(generator, "random_sample", generator.random)()


def test_what_is_drawn_follows_from_the_secret_and_from_nothing_else():
    assert drawn(b"a") == drawn(b"a")
    assert not set(drawn(b"a")) & set(drawn(b"b"))
