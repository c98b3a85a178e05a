"""A network of the student's: real parameters here, `forward` on their side.

PyTorch's own layers, and the course's, become real ones here. A module of a class that
only the student has keeps its tensors here, where they are read, written and optimised,
and sends each forward pass to the student's side.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn

from course_grader.engine.common.plain import Decoder
from course_grader.engine.common.records import METHODS
from course_grader.engine.common.shared import INTERNAL, is_simple
from course_grader.engine.common.wire import Malformed
from course_lib.check.untouched import copied

from .asking import Asking
from .proxies import PROPERTIES, Remote

CONTAINERS = nn.Sequential, nn.ModuleList, nn.ModuleDict
ITEMS = {f"__{name}__": name for name in ("getitem", "len", "iter")}
OURS = ("torch.nn.modules.", "torchvision.ops.", "notebook_")  # classes to be trusted


class Guarded(nn.Module):
    """A module in which nothing answers for a tensor: no layer is called `equal`.

    Where the model solution has a layer of such a name, so may everybody.
    """

    def __getattr__(self, name: str):
        found = super().__getattr__(name)
        layer = name in METHODS and isinstance(found, nn.Module)
        if layer and not _link(self).terms.use(f"child:{name}"):
            raise AttributeError(f"{type(self).__name__} has no {name!r} to grade")
        return found


class RemoteModule(Guarded):
    """A module whose class only the student's side has."""

    def forward(self, *args, **kwargs):
        __tracebackhide__ = True
        return _link(self).invoke("call", self, *args, **kwargs)

    def __getattr__(self, name: str):
        __tracebackhide__ = True
        try:
            return super().__getattr__(name)
        except AttributeError:
            inside = name in self._modules or "_course_link" not in self.__dict__
            if name.startswith("__") or inside:
                raise
        return self._asked(name)

    def _asked(self, name: str):
        """Return what the object has: data, a layer, or what the model had."""
        link = _link(self)
        same = link.terms.use(f"getattr:{name}")
        if same or name not in PROPERTIES:
            found = link.invoke("getattr", self, name)
            layer = isinstance(found, nn.Module) and name not in METHODS
            if same or layer or not (callable(found) or isinstance(found, Remote)):
                return found
        raise AttributeError(f"{type(self).__name__} has no {name!r} to grade")

    def __setattr__(self, name: str, value):
        super().__setattr__(name, value)
        simple = not isinstance(value, (Tensor, nn.Module)) and name != "training"
        if simple and "_course_link" in self.__dict__:
            _link(self).invoke("setattr", self, name, value)

    def __deepcopy__(self, memo):
        made = _link(self).invoke("call", copied, self)
        memo[id(self)] = made
        return made


def _link(module: RemoteModule) -> Asking:
    return vars(module).get("_course_link") or type(module)._course_link


def rebuild(of: Decoder, node: dict) -> nn.Module:
    """Return our copy of a module of the student's; `of` has whom to ask."""
    kind, children = _parts(of, node)
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    _fill(of, module, node, children)
    return of.held.adopt(int(node["h"]), module)


def remake(of: Decoder, module: nn.Module, node: dict) -> None:
    """Let our copy have the parts that the student's got in `forward`."""
    kind, children = _parts(of, node)
    if kind.__name__ != type(module).__name__:  # a lazy layer has become its own kind
        module.__class__ = kind
    _fill(of, module, node, children)


def _parts(of: Decoder, node: dict) -> tuple[type, dict]:
    """Return the class of our copy of a module, and its children."""
    kind = None if node["odd"] else trusted(node["class"])
    children = {
        _word(name): None if child is None else of.value(child)
        for name, child in node["children"].items()
    }
    if any(isinstance(child, RemoteModule) for child in children.values()):
        kind = kind if kind in CONTAINERS else None
    named = METHODS.intersection(n for n, c in children.items() if c is not None)
    if kind in CONTAINERS and named:
        made = {"_course_link": of.asking}  # not in the object, which may be copied
        return type(kind.__name__, (Guarded, kind), made), children
    if kind is not None and named <= _made_by(kind):
        return kind, children
    name = _word(str(node["class"][1]).rpartition(".")[2])
    can = {word: _items(op) for word, op in ITEMS.items() if op in node.get("can", ())}
    return type(name, (RemoteModule,), can), children


def _made_by(kind: type) -> set[str]:
    """Return the words that a class's constructors use: names of its layers, too."""
    made = (vars(base).get("__init__") for base in kind.__mro__)
    codes = (getattr(one, "__code__", None) for one in made)
    return {word for code in codes if code for word in code.co_names}


def _items(operation: str):
    def method(self, *args):
        __tracebackhide__ = True
        return _link(self).invoke(operation, self, *args)

    return method


def _fill(of: Decoder, module: nn.Module, node: dict, children: dict) -> None:
    for name, value in node["attributes"].items():
        attribute = of.value(value)
        if name in INTERNAL or not is_simple(attribute):
            raise Malformed(f"the attribute {name[:40]!r} of a layer")
        module.__dict__[_word(name)] = attribute
    tensors = ("parameters", module._parameters), ("buffers", module._buffers)
    for field, kept in tensors:
        made = {_word(name): _tensor(of, value) for name, value in node[field].items()}
        kept.clear()
        kept.update(made)
    module._modules.clear()
    module._modules.update(children)
    module._non_persistent_buffers_set = set(map(str, node["unsaved"]))
    module.training = bool(node["training"])
    if isinstance(module, RemoteModule):
        module.__dict__["_course_link"] = of.asking
    else:
        module.__dict__.pop("_course_link", None)


def trusted(name: list) -> type | None:
    """Return our own class of this name, if it is one of PyTorch's or ours."""
    where, word = (str(part) for part in name)
    if not where.startswith(OURS) or where not in sys.modules:
        return None
    found = getattr(sys.modules[where], word, None)
    good = isinstance(found, type) and issubclass(found, nn.Module)
    return found if good and not issubclass(found, torch.jit.ScriptModule) else None


def _tensor(of: Decoder, node):
    value = None if node is None else of.value(node)
    if value is not None and not isinstance(value, Tensor):
        raise Malformed("a parameter that is no tensor")
    return value


def _word(name) -> str:
    if not isinstance(name, str) or "." in name or len(name) > 200:
        raise Malformed(f"a member called {str(name)[:40]!r}")
    return name
