"""Arrays that are more than numbers in rows: text, records, masks, few entries."""

from __future__ import annotations

import array
import math
import re

import numpy as np
import torch
from torch import Tensor

from .wire import Malformed

ONE = re.compile(r"[<>|=]?(?:[biufcSUV?]\d{0,6}|[mM]8(?:\[\d{0,9}[a-zA-Zμ]{1,2}\])?)")
TEXT = re.compile(r"[<>|]([US])\d{1,6}")  # NumPy's types of text and bytes
TIME = re.compile(r"[<>][mM]8(\[\d{0,9}[a-zA-Zμ]{1,2}\])?")  # and of times
CODES = "bBhHiIlLqQfd"  # of the standard library's arrays
FIELDS, DEPTH = 1_000, 5
SPARSE = {  # layouts: names of the parts
    "sparse_coo": ("_indices", "_values"),
    "sparse_csr": ("crow_indices", "col_indices", "values"),
    "sparse_csc": ("ccol_indices", "row_indices", "values"),
}
FORMATS = {"csr", "csc", "coo", "lil", "dok"}  # of SciPy, in memory as many as entries


def write(to, value) -> dict | None:
    """Return the node of such an array, made by the encoder `to`, else None."""
    kind = type(value)
    if kind is Tensor:
        return _tensor(to, value)
    if kind in (np.ndarray, np.recarray):
        return _array(to, value)
    if isinstance(value, np.dtype):
        word = value.str
        return {"k": "kind", "v": word} if word == "|O" or ONE.fullmatch(word) else None
    if kind is np.void:
        return _array(to, np.asarray(value)) | {"one": True}
    if kind is np.ma.MaskedArray:
        return _masked(to, value)
    if value is np.ma.masked:
        return {"k": "masked"}
    if kind in (np.datetime64, np.timedelta64):
        return _array(to, np.asarray(value)) | {"k": "time"}
    if kind is array.array and value.typecode in CODES:
        return {"k": "numbers", "t": value.typecode, "b": to.blob(value.tobytes())}
    if kind.__module__.startswith("scipy.sparse") and value.format in FORMATS:
        return _scipy(to, value)
    return None


def _array(to, value: np.ndarray) -> dict | None:
    facts = {"shape": list(value.shape)}
    if value.dtype == object or value.dtype.char == "T":  # texts of any length
        items = value.ravel().tolist()
        facts |= {"k": "objects", "texts": value.dtype != object}
        return facts | {"v": [to.node(item) for item in items]}
    if value.dtype.names is not None:
        fields = np.lib.format.dtype_to_descr(value.dtype)
        if value.dtype.hasobject or not isinstance(fields, list):
            return None
        data = np.ascontiguousarray(value).tobytes()
        facts |= {"dtype": fields, "by_name": type(value) is np.recarray}
        return {"k": "fields", **facts, "b": to.blob(data)}
    word = value.dtype.str
    if not value.dtype.itemsize or not (TEXT.fullmatch(word) or TIME.fullmatch(word)):
        return None
    data = np.ascontiguousarray(value).tobytes()
    return {"k": "texts", "dtype": word, **facts, "b": to.blob(data)}


def _masked(to, value: np.ma.MaskedArray) -> dict:
    whole = value.mask is np.ma.nomask
    return {
        "k": "masked",
        "v": to.node(np.asarray(value.data)),
        "m": None if whole else to.node(np.asarray(value.mask)),
        "fill": to.node(np.asarray(value.fill_value)),
    }


def _tensor(to, value: Tensor) -> dict | None:
    facts = {"shape": list(value.shape)}
    if value.device.type == "meta" and value.layout is torch.strided:
        return {"k": "meta", **facts, "v": to.node(value.dtype)}
    word = str(value.layout)[6:]
    if word not in SPARSE:
        return None
    value = value.detach()
    parts = [to.node(getattr(value, name)()) for name in SPARSE[word]]
    whole = word != "sparse_coo" or value.is_coalesced()
    return {"k": "sparse", "t": word, **facts, "v": parts, "whole": whole}


def _scipy(to, value) -> dict | None:
    entries = value.tocoo()
    if len(entries.shape) != 2:
        return None
    parts = [to.node(np.asarray(a)) for a in (entries.data, entries.row, entries.col)]
    facts = {"shape": list(map(int, entries.shape)), "c": type(value).__name__}
    return {"k": "scipy", **facts, "v": parts}


# --- and back -------------------------------------------------------------------------


def _read_fields(of, node):
    dtype = np.lib.format.descr_to_dtype(_record(node["dtype"]))
    value = _filled(of, node, dtype, tuple(node["shape"]))
    value = value.view(np.recarray) if node.get("by_name") else value
    return value[()] if node.get("one") else value


def _record(fields, depth: int = 0):
    """Return the description of plain fields, which hold no objects."""
    if depth and isinstance(fields, str) and ONE.fullmatch(fields):
        return fields
    if not isinstance(fields, list) or depth > DEPTH or len(fields) > FIELDS:
        raise Malformed("an array of no plain fields")
    found = []
    for name, kind, *shape in fields:
        name = tuple(map(str, name)) if isinstance(name, list) else str(name)
        found.append((name, _record(kind, depth + 1), *map(_sizes, shape)))
    return found


def _sizes(shape) -> tuple[int, ...]:
    if any(type(n) is not int or not 0 <= n < 2**20 for n in shape):
        raise Malformed("a field of no plain shape")
    return tuple(shape)


def _filled(of, node, dtype: np.dtype, shape: tuple) -> np.ndarray:
    data = bytearray(of.blob(node))
    if dtype.itemsize * math.prod(shape) != len(data) or len(shape) > 64:
        raise Malformed("an array of another size")
    value = np.frombuffer(data, dtype).reshape(shape)
    _check_letters(value)
    return value


def _read_texts(of, node) -> np.ndarray:
    word = node["dtype"]
    if not isinstance(word, str) or not (TEXT.fullmatch(word) or TIME.fullmatch(word)):
        raise Malformed("an array of no plain text")
    return _filled(of, node, np.dtype(word), tuple(node["shape"]))


def _check_letters(value: np.ndarray) -> None:
    """Raise Malformed at a number that is no letter's."""
    for name in value.dtype.names or ():
        _check_letters(value[name])
    if value.dtype.kind == "U" and value.nbytes:
        code = np.dtype("u4").newbyteorder(value.dtype.byteorder)
        if np.frombuffer(value.tobytes(), code).max() > 0x10FFFF:
            raise Malformed("an array of letters that are none")


def _read_objects(of, node) -> np.ndarray:
    items, shape = of.values(node["v"]), tuple(node["shape"])
    if any(type(n) is not int or n < 0 for n in shape) or math.prod(shape) != len(
        items
    ):
        raise Malformed("an array of objects of another size")
    made = np.empty(len(items), object)
    made[:] = items
    made = made.reshape(shape)
    return made.astype(np.dtypes.StringDType()) if node.get("texts") else made


def _read_matrix(of, node) -> np.matrix:
    value = of.value(node["v"])
    if type(value) is not np.ndarray or value.ndim != 2:
        raise Malformed("a matrix that is none")
    return np.asmatrix(value)


def _read_masked(of, node):
    if "v" not in node:
        return np.ma.masked
    value, mask = of.value(node["v"]), of.value(node["m"])
    fill = of.value(node["fill"])
    arrays = [value, fill] if mask is None else [value, fill, mask]
    if any(type(a) is not np.ndarray for a in arrays) or fill.ndim:
        raise Malformed("a masked array that is none")
    if mask is not None and mask.shape != value.shape:
        raise Malformed("a mask of another shape")
    made = np.ma.MaskedArray(value, np.ma.nomask if mask is None else mask)
    made.fill_value = fill[()]
    return made


def _read_sparse(of, node) -> Tensor:
    parts, shape = of.values(node["v"]), tuple(node["shape"])
    word = node["t"]
    if any(type(part) is not Tensor or part.requires_grad for part in parts):
        raise Malformed("a sparse tensor of parts that are none")
    make = {
        "sparse_coo": torch.sparse_coo_tensor,
        "sparse_csr": torch.sparse_csr_tensor,
    }
    make = make.get(word, torch.sparse_csc_tensor)
    made = make(*parts, shape, check_invariants=True)
    return made.coalesce() if word == "sparse_coo" and node["whole"] else made


def _read_scipy(of, node):
    from scipy import sparse

    name, (rows, columns) = str(node["c"]), node["shape"]
    family, _, kind = name.partition("_")
    data, row, col = of.values(node["v"])
    known = family in FORMATS and kind in ("matrix", "array")
    if not known or any(type(a) is not np.ndarray for a in (data, row, col)):
        raise Malformed("a sparse matrix that is none")
    if max(rows, columns) > 2**40 or data.dtype.kind not in "biufc":
        raise Malformed("a sparse matrix of another kind")
    made = getattr(sparse, f"coo_{kind}")((data, (row, col)), shape=(rows, columns))
    return made.asformat(family)


def _read_numbers(of, node) -> array.array:
    if node["t"] not in tuple(CODES):
        raise Malformed("an array of no numbers")
    return array.array(node["t"], bytes(of.blob(node)))


def _read_kind(of, node) -> np.dtype:
    word = node["v"]
    if not isinstance(word, str) or not (word == "|O" or ONE.fullmatch(word)):
        raise Malformed("a type of no array")
    return np.dtype(word)


READERS = {
    "kind": _read_kind,
    "fields": _read_fields,
    "texts": _read_texts,
    "time": lambda of, node: _read_texts(of, node)[()],
    "objects": _read_objects,
    "matrix": _read_matrix,
    "masked": _read_masked,
    "sparse": _read_sparse,
    "scipy": _read_scipy,
    "numbers": _read_numbers,
    "meta": lambda of, node: torch.empty(
        tuple(node["shape"]), dtype=of.value(node["v"]), device="meta"
    ),
}
