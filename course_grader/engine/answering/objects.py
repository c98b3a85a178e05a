"""The student's objects that the judge's side knows, by their handles."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from course_grader.engine.common.plain import Encoder
from course_grader.engine.common.shared import (
    MEMBERS,
    Shared,
    members,
    module_facts,
    simple_attributes,
)


class Objects:
    """Who has which handle, and what the judge has copies of."""

    def __init__(self):
        self.given: set[str] = set()  # the instructor's classes that the judge has
        self._there: dict[int, object] = {}  # by handle; kept alive until dropped
        self._handles: dict[int, int] = {}  # by id
        self._tensors: dict[int, Shared] = {}  # and records: the judge has copies of
        self._modules: dict[int, bool] = {}  # handle: was it in train mode?
        self._members: dict[int, list] = {}  # handle: of which parts it was made
        self.lazy: dict[int, dict] = {}  # handle of an iterator: what it was made of

    def __getitem__(self, handle: int):
        return self._there[handle]

    def handle(self, value) -> int:
        """Return the handle of an object; it lives until the judge drops it."""
        if id(value) not in self._handles:
            number = len(self._handles) + 1
            while number in self._there:
                number += 1
            self._handles[id(value)], self._there[number] = number, value
        return self._handles[id(value)]

    def known(self, value) -> int | None:
        """Return the handle of an object if it has one."""
        return self._handles.get(id(value))

    def copied(self, value) -> int | None:
        """Return the handle of an object if the judge has a copy of it."""
        number = self.known(value)
        return number if number in self._tensors or number in self._modules else None

    def share(self, value) -> int:
        """Let the judge have a copy that is kept in step; return the handle."""
        number = self.handle(value)
        if isinstance(value, nn.Module):
            facts = bool(value.training), _members(value)  # both, or none
            self._modules[number], self._members[number] = facts
        else:
            self._tensors[number] = Shared(value)
        return number

    def keep_passed(self, iterator, passed: dict[int, Shared]) -> None:
        """Know what an iterator was made of when it gives that: `net.parameters()`.

        Numbers below 0 are those of an earlier call's.
        """
        number = self.known(iterator)
        if number is not None and number not in self.lazy:
            self.lazy[number] = {min(n, -1 - n): s for n, s in passed.items()}

    def renew(self, number: int) -> None:
        """Compare a tensor with its present state from now on, if it is shared."""
        if number in self._tensors:
            self._tensors[number] = Shared(self._there[number])
        if number in self._modules:
            self._members[number] = _members(self._there[number])

    def leaves(self, among: dict[int, Tensor]) -> list[tuple[int, Tensor]]:
        """Return handles and values of shared leaves that are `among` these, by id."""
        return [
            (number, shared.value)
            for number, shared in self._tensors.items()
            if id(shared.value) in among and shared.value.is_leaf
        ]

    def out_of_step(self, to: Encoder) -> list[dict]:
        """Return the new state of tensors and modules that the judge has copies of."""
        found = []
        for number, shared in list(self._tensors.items()):
            change = shared.change(to)
            if change is not None:
                found.append({"h": number, "v": change})
        for number, mode in list(self._modules.items()):
            module = self._there[number]
            if self._members[number] != _members(module):
                self._members[number] = _members(module)
                found.append({"h": number, "made": module_facts(to, module)})
            if module.training != mode:
                self._modules[number] = module.training
                found.append({"h": number, "training": module.training})
        return found

    def drop(self, handles: Iterable[int]) -> None:
        """Forget what the judge does not hold any more."""
        for handle in handles:
            value = self._there.pop(handle, None)
            self._handles.pop(id(value), None)
            self._tensors.pop(handle, None)
            self._modules.pop(handle, None)
            self._members.pop(handle, None)
            self.lazy.pop(handle, None)


def _members(module: nn.Module) -> list:
    """Return what changes when a layer is made, or materialises, in `forward`.

    The plain attributes, too, if the class is not PyTorch's: `self.calls += 1`.
    """
    parts = [
        (name, id(value), type(value))
        for kind in MEMBERS
        for name, value in members(module, kind).items()
    ]
    if type(module).__module__.startswith("torch."):
        return [type(module), *parts]
    plain = simple_attributes(module).items()
    return [type(module), *parts, *((name, repr(value)) for name, value in plain)]
