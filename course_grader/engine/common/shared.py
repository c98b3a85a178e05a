"""Objects that both sides have: what changed in one since it was last compared.

A test in a notebook sees what an answer did to its arguments: a tensor written in
place, an entry added to a dict, a module left in train mode, a hook not removed.
Between two processes that has to be told, and this is how.
"""

from __future__ import annotations

import array
import io
import weakref
from collections import deque
from collections.abc import Container

import numpy as np
import torch
from torch import Tensor, nn

from .plain import Decoder, Encoder, is_plain_tensor
from .records import fields_of, fill, is_plain
from .subclasses import BOOKKEEPING

COMPARED = 20_000_000  # entries; larger tensors are believed when they count no writing
HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
)
FILES = io.StringIO, io.BytesIO
MEMBERS = ("_parameters", "_buffers", "_modules")
INTERNAL = {*HOOKS, *MEMBERS, "training"} | set(nn.Module().__dict__)


class Shared:
    """A mutable object and its state when last compared; if `weak`, not kept alive."""

    def __init__(self, value, weak: bool = False, known: Container[int] = ()):
        """known: ids of objects whose changes are told by themselves."""
        self.reference = weakref.ref(value) if weak else lambda: value
        self.state, self.known = _state(value), known

    @property
    def value(self):
        return self.reference()

    def change(self, to: Encoder) -> dict | None:
        """Return what is different now, encoded, and take it as the new state."""
        before = self.state
        if self._is_as_before():
            return None
        self.state = _state(self.value)
        return _told(self.value, before, self.state, to)

    def _is_as_before(self) -> bool:
        """Is nothing different? Most is asked of tensors and layers, at each call."""
        value, before = self.value, self.state
        if isinstance(value, Tensor):
            return _is_tensor_as(value, before)
        if isinstance(value, nn.Module):
            children = members(value, "_modules").values()
            if all(id(child) in self.known for child in children):
                return _row(value) == before[0][1:]
        return _same(_state(value), before)


def apply(value, change: dict, of: Decoder) -> None:
    """Do to this side's object what was done to the other's."""
    if isinstance(value, nn.Module):
        _apply_to_module(value, change, of)
    elif isinstance(value, Tensor):
        _apply_to_tensor(value, change, of)
    elif isinstance(value, np.ndarray):
        new = of.value(change["array"])
        if new.shape == value.shape and new.dtype == value.dtype:
            value[...] = new
    elif isinstance(value, (bytearray, array.array)):
        value[:] = of.value(change["array"])
    elif isinstance(value, FILES) and "text" not in change:
        value.close()
    elif isinstance(value, FILES):
        value.seek(0)
        value.truncate()
        value.write(of.value(change["text"]))
        value.seek(int(change["at"]))
    elif isinstance(value, list):
        value[:] = of.values(change["items"])
    elif isinstance(value, deque):
        items = of.values(change["items"])
        value.clear()
        value.extend(items)
    elif isinstance(value, dict):
        pairs = [(of.value(key), of.value(item)) for key, item in change["items"]]
        value.clear()
        for key, item in pairs:  # a Counter's `update` would count them
            value[key] = item
    elif isinstance(value, set):
        items = of.values(change["items"])
        value.clear()
        value.update(items)
    elif is_plain(type(value)):
        fill(value, {name: of.value(node) for name, node in change["fields"]})


def _state(value):
    """Return what there is to compare, now and later."""
    if isinstance(value, Tensor):
        grad, small = _grad(value), value.numel() <= COMPARED
        return (
            (*_form(value), value._version, value.data_ptr()),
            value.detach().clone() if small else None,
            None if grad is None else grad.detach().clone(),
        )
    if isinstance(value, np.ndarray):
        mask = np.ma.getmaskarray(value).tobytes() if np.ma.isMA(value) else b""
        return value.dtype.str, value.shape, np.asarray(value).tobytes(), mask
    if isinstance(value, (bytearray, array.array)):
        return bytes(value)
    if isinstance(value, FILES):
        return None if value.closed else (value.tell(), value.getvalue(), "")
    if isinstance(value, nn.Module):
        return _module_state(value)
    if isinstance(value, (list, deque)):
        return [id(item) for item in value], list(value)
    if isinstance(value, dict):
        return [(id(k), id(v)) for k, v in value.items()], list(value.items())
    if isinstance(value, set):
        return {id(item) for item in value}, list(value)
    if is_plain(type(value)):
        fields = fields_of(value)
        return [(name, id(item)) for name, item in fields.items()], list(fields.items())
    return None


def _module_state(value: nn.Module):
    """Modes, hooks and members of a module and of all inside it."""
    return [(weakref.ref(module), *_row(module)) for module in value.modules()]


def _row(module: nn.Module) -> tuple:
    """Return the mode, the keys of the hooks and the ids of the members of a module."""
    inside = module.__dict__
    hooks = {name: list(inside[name]) for name in HOOKS if inside.get(name)}
    ids = [{k: id(v) for k, v in members(module, name).items()} for name in MEMBERS]
    return module.training, hooks, ids


def _form(value: Tensor) -> tuple:
    return value.shape, value.requires_grad


def _grad(value: Tensor) -> Tensor | None:
    return value.grad if value.requires_grad and value.is_leaf else None


def _is_tensor_as(value: Tensor, before: tuple) -> bool:
    """Has a tensor the form, the entries and the gradient that it had?"""
    facts, data, grad = before
    if facts[:2] != _form(value) or not _equal(_grad(value), grad):
        return False
    if data is None or value.numel() > COMPARED:
        return facts[2:] == (value._version, value.data_ptr())
    return _equal(value, data)


def _same(now, before) -> bool:
    """Are two states alike, of anything but a tensor?"""
    if isinstance(now, list) and now and isinstance(now[0], tuple):
        return [row[1:] for row in now] == [row[1:] for row in before]
    if isinstance(now, tuple) and len(now) == 2:
        return now[0] == before[0]
    return now == before


def _equal(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    if a.dtype != b.dtype:
        return False
    if torch.equal(a, b):
        return True
    if a.shape != b.shape:
        return False
    return a.is_floating_point() and bool(((a == b) | (a.isnan() & b.isnan())).all())


def _told(value, before, now, to: Encoder) -> dict:
    if isinstance(value, Tensor):
        told: dict = {"grad": None if now[2] is None else to.raw(now[2])}
        told["requires"] = value.requires_grad if value.is_leaf else None
        changed = now[1] is None or not _equal(now[1], before[1])
        return told | ({"data": to.raw(value)} if changed else {})
    if isinstance(value, np.ndarray):
        return {"array": to.node(value.copy())}
    if isinstance(value, (bytearray, array.array)):
        return {"array": to.node(value[:])}
    if isinstance(value, FILES):
        closed = value.closed
        return {} if closed else {"text": to.node(value.getvalue()), "at": value.tell()}
    if isinstance(value, nn.Module):
        return _told_of_module(before, now, to)
    if isinstance(value, (dict, list, deque, set)):
        return contents(value, to)
    fields = fields_of(value).items()
    return {"fields": [[name, to.node(item)] for name, item in fields]}


def contents(value, to: Encoder) -> dict:
    """Return what a collection holds, as `apply` puts it in."""
    if isinstance(value, dict):
        return {"items": [[to.node(k), to.node(v)] for k, v in list(value.items())]}
    return {"items": [to.node(item) for item in list(value)]}


def _told_of_module(before, now, to: Encoder) -> dict:
    """Modes by place; hooks and members, new or gone, of modules known before."""
    there = {id(row[0]()): row for row in now}
    modes, hooks, members = [], [], []
    for place, (reference, _, old_hooks, old_members) in enumerate(before):
        module = reference()
        if module is None:
            break
        modes.append(bool(module.training))
        _, _, new_hooks, new_members = there.get(id(module)) or _module_state(module)[0]
        for name in HOOKS:
            for key in {*new_hooks.get(name, ())} ^ {*old_hooks.get(name, ())}:
                hook = module.__dict__[name].get(key)
                hooks.append(
                    [place, name, key, None if hook is None else to.node(hook)]
                )
        for name, new, old in zip(MEMBERS, new_members, old_members, strict=True):
            for key in [k for k in {**old, **new} if new.get(k) != old.get(k)]:
                item = module.__dict__[name].get(key)
                members.append([place, name, key, to.node(item), key not in new])
    return {"modes": modes, "hooks": hooks, "members": members}


def _apply_to_tensor(value: Tensor, change: dict, of: Decoder) -> None:
    if "data" in change:
        new = of.tensor(change["data"])
        with torch.no_grad():
            if value.shape == new.shape and value.dtype == new.dtype:
                (value if value.is_leaf else value.detach()).copy_(new)
            else:
                value.data = new
    differentiable = value.is_floating_point() or value.is_complex()
    if value.is_leaf and differentiable and change.get("requires") is not None:
        value.requires_grad_(bool(change["requires"]))
    if value.is_leaf and "grad" in change:
        value.grad = None if change["grad"] is None else of.tensor(change["grad"])


def _apply_to_module(value: nn.Module, change: dict, of: Decoder) -> None:
    modules = list(value.modules())
    for module, mode in zip(modules, change.get("modes", []), strict=False):
        module.training = bool(mode)
    for place, name, key, node in change.get("hooks", []):
        if name in HOOKS:
            kept = modules[place].__dict__[name]
            if node is None:
                kept.pop(int(key), None)
            else:
                kept[int(key)] = of.value(node)
    for place, name, key, node, gone in change.get("members", []):
        if name in MEMBERS and isinstance(key, str):
            kept = modules[place].__dict__[name]
            if gone:
                kept.pop(key, None)
            else:
                kept[key] = of.value(node)


def module_facts(to: Encoder, module: nn.Module) -> dict:
    """Describe a module: class, mode, tensors, children and plain attributes."""
    kind, inside = acting(type(module)), module.__dict__
    attributes = simple_attributes(module)
    odd = any(inside.get(name) for name in HOOKS)
    odd = odd or bool(inside.keys() - INTERNAL - attributes.keys())
    parts = [members(module, name).items() for name in MEMBERS]
    parameters, buffers, children = parts
    return {
        "class": [str(kind.__module__), str(kind.__qualname__)],
        "training": bool(module.training),
        "odd": odd,
        "attributes": {name: to.node(value) for name, value in attributes.items()},
        "parameters": {name: to.member(value) for name, value in parameters},
        "buffers": {name: to.member(value) for name, value in buffers},
        "unsaved": sorted(inside.get("_non_persistent_buffers_set", ())),
        "children": {
            name: None if child is None else to.node(child) for name, child in children
        },
    }


def members(module: nn.Module, kind: str) -> dict:
    """Return the parameters, buffers or layers of a module; of a scripted one, too."""
    inside = module.__dict__.get(kind)
    return dict(getattr(module, kind).items()) if inside is None else inside


def simple_attributes(module: nn.Module) -> dict:
    inside = module.__dict__.items()
    return {n: value for n, value in inside if n not in INTERNAL and is_simple(value)}


def acting(kind: type) -> type:
    """Return the class whose `forward` a module runs, if it adds only a constructor.

    `class Block(nn.Sequential)` that builds its layers is one.
    """
    for base in kind.__mro__:
        if set(vars(base)) - BOOKKEEPING - {"__init__"}:
            layer = base.__module__.startswith("torch.nn.modules.")
            return base if layer and base is not nn.Module else kind
    return kind


def is_simple(value, depth: int = 3) -> bool:
    """A number, text or dtype, or a few of them in a list, tuple or dict."""
    if value is None or type(value) in (bool, int, float, str, torch.dtype, torch.Size):
        return True
    small = type(value) in (list, tuple, dict) and len(value) < 1000 and depth > 0
    if small and type(value) is dict:  # of words
        words = all(type(key) is str for key in value)
        return words and is_simple(list(value.values()), depth)
    return small and all(is_simple(item, depth - 1) for item in value)


def graph_of(outputs: list[Tensor]) -> tuple[dict[int, Tensor], set]:
    """Return the leaves that outputs were computed from, by id, and all nodes."""
    leaves, nodes = {}, set()
    todo = [output.grad_fn for output in outputs if output.grad_fn is not None]
    while todo:
        node = todo.pop()
        if node in nodes:
            continue
        nodes.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            leaves[id(leaf)] = leaf
        todo += [following for following, _ in node.next_functions if following]
    return leaves, nodes


def aliases(tensor: Tensor) -> tuple | None:
    """What two tensors share when they are the same view of the same memory."""
    if not is_plain_tensor(tensor) or not tensor.numel():
        return None
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype
