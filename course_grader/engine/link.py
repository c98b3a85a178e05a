"""T's side of the connection: requests, and all that T and S have in common.

Plain data and tensors become T's own. Anything else stays a `Remote`.
"""

from __future__ import annotations

import builtins
import pickle
import random
import sys
import time
import warnings
import weakref

import numpy as np
import torch
from torch import Tensor

from course_lib.check import forbidden

from .crossing_t import FromStudent, ToStudent
from .folder import Folder
from .plain import Decoder, Encoder
from .proxies import Remote, fact, note
from .raised import Stopped, exception_class, known_class, reading
from .shared import Shared, apply, graph_of
from .wire import Channel, Gone, Late, Malformed

GRACE = 2.0  # seconds that S gets to stop by itself
MESSAGE = 10_000  # characters of an exception's text


class Link:
    """The connection to one S, and all that T and S have in common."""

    def __init__(self, channel: Channel, folder: Folder):
        self.channel, self.folder = channel, folder
        self.deadline = time.monotonic() + 60
        self.own: dict[int, int] = {}  # id of a copy of S's: handle
        self.copies: dict[int, weakref.ref] = {}  # by handle
        self.states: dict[int, Shared] = {}  # of copies, by handle
        self.dropped: list[int] = []
        self.ended: list[int] = []  # calls whose graphs nobody holds any more
        self.given: dict[int, str] = {}  # id of a function or class both sides have
        self.passed: dict[int, object] = {}  # by number, during a call
        self.classes: dict[int, type] = {}  # exceptions of the student's, by handle
        self.rules: dict[str, list[str]] = {}  # by the name that is called
        self.broken: list[str] = []
        self.said: list[str] = []  # texts of the student's exceptions in this cell
        self.allowed: set[str] | None = None  # operations on a Remote; None records
        self.used: set[str] = set()
        self.bound: dict[str, object] = {}  # names of the student's, as S has them
        self.space: dict = {}  # where T's cells run
        self.random: object = None
        self.calls = 0
        self.lost = False  # is S late, dead or out of step?

    # --- requests ---------------------------------------------------------------------

    def request(self, op: str, parts: list = (), **fields) -> tuple[dict, list]:
        """Ask S, serve its questions meanwhile, return its answer.

        Raises Stopped when it is late or gone.
        """
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Stopped("no time was left for this test")
        if self.lost:
            raise Stopped("your code's process is gone")
        self.lost = True  # until the answer is here, whatever interrupts this
        try:
            message = {"op": op, "seconds": left, **fields}
            self.channel.send(message, parts, self.deadline + GRACE)
            while True:
                answer, blobs = self.channel.receive(self.deadline + GRACE)
                if "callback" not in answer:
                    self.lost = False
                    return answer, blobs
                found = self.derivative(answer, blobs)
                self.channel.send(*found, self.deadline + GRACE)
        except Late:
            raise Stopped("your code took too long and did not stop") from None
        except Gone:
            raise Stopped("your code ended its process") from None
        except Malformed as error:
            raise Stopped(f"your code answered in its own words: {error}") from None

    def place(self, files: dict[str, bytes]) -> None:
        """Put what the student handed in into S's folder. S's parent never sees it."""
        places = {name: place for place, name in enumerate(files)}
        self.request("place", list(files.values()), files=[places, []])

    def run(self, source: str) -> tuple[dict, list]:
        """Run a cell of the student's notebook in S."""
        parts, files = self._files()
        answer, blobs = self.request("run", parts, source=source, **files)
        if "files" in answer:
            with reading():
                self.take_files(answer, blobs)
        return answer, blobs

    def names(self, names: list[str]) -> dict:
        """Return the student's values of these names, those that there are."""
        self.drop()
        answer, blobs = self.request("names", names=sorted(names))
        found = {}
        with reading():
            if "error" in answer:
                raise Malformed(str(answer["error"]["text"])[:MESSAGE])
            of = FromStudent(self, blobs)
            for name in names:
                if name in answer["values"]:
                    found[name] = of.value(answer["values"][name])
                    if isinstance(found[name], Remote):
                        note(found[name], "name", name)
        return found

    def invoke(self, operation: str, *args, **kwargs):
        """Apply an operation in S; return or raise what came of it."""
        __tracebackhide__ = True
        self.send_names()
        self.drop()
        _held = [copy() for copy in self.copies.values()]  # the answer may name any
        to = ToStudent(self)
        message = {"f": operation, "args": to.node(args), "kwargs": to.node(kwargs)}
        message["rules"] = self._rules(operation, args)
        message["sync"] = self._sync(to)
        message["tensors"] = to.in_order()
        self.calls += 1
        message["call"] = call = self.calls
        message["setting"] = self._setting(to)
        parts, files = self._files(to.blobs)
        self.passed = {number: value for number, value in to.seen.values()}
        answer, blobs = self.request("invoke", parts, **message, **files)
        try:
            value, error = self._conclude(answer, blobs, call)
        finally:
            self._stir(to)
        if answer.get("rule"):
            self._break(answer["rule"], message["rules"])
        if error is not None:
            raise error
        return value

    def _conclude(self, answer: dict, blobs: list, call: int) -> tuple:
        """Take over what a call did; return its value and exception, one of them."""
        value = error = None
        with reading():
            of = FromStudent(self, blobs, call, answer.get("inputs"))
            if "changed" in answer:
                self._take(answer, of, blobs)
            if "error" in answer:
                error = self.exception(answer["error"])
            else:
                value = of.value(answer["value"])
        return value, error

    def _break(self, rule, rules: list[str]) -> None:
        """Note that a rule was broken, by the name that we gave it; stop the test."""
        rule = rule if rule in rules else forbidden.GUARD
        self.broken.append(rule)
        raise Stopped(f"{rule} was called: solve this without it")

    def _take(self, answer: dict, of: FromStudent, blobs: list) -> None:
        """Do here what the call did there: to files, arguments, copies, output."""
        self.take_files(answer, blobs)
        for change in answer["changed"]:
            apply(self.passed[change["i"]], change["v"], of)
        for change in answer["sync"]:
            copy = self.copies.get(change["h"], lambda: None)()
            if copy is None:
                continue
            if "training" in change:
                copy.training = bool(change["training"])
            else:
                apply(copy, change["v"], of)
            self.states[change["h"]] = Shared(copy, weak=True)
        for kind, text in answer["warnings"][:100]:
            kind = getattr(builtins, str(kind), UserWarning)
            good = isinstance(kind, type) and issubclass(kind, Warning)
            warnings.warn(str(text), kind if good else UserWarning, stacklevel=5)
        if answer["out"]:
            sys.stdout.write(str(answer["out"]))

    # --- what surrounds a request -----------------------------------------------------

    def send_names(self) -> None:
        """Tell S what a test has bound or deleted among the student's names."""
        missing = object()
        now = {name: self.space.get(name, missing) for name in self.bound}
        changed = {n: v for n, v in now.items() if v is not self.bound[n]}
        if changed:
            self.bound.update(changed)
            there = {n: v for n, v in changed.items() if v is not missing}
            self.bind(there, [name for name in changed if name not in there])

    def bind(self, names: dict, gone: list[str] = ()) -> None:
        """Bind and delete names of S's."""
        to = ToStudent(self)
        nodes = {name: to.node(value) for name, value in names.items()}
        tensors = to.in_order()
        self.request("bind", to.blobs, names=nodes, gone=list(gone), tensors=tensors)

    def _rules(self, operation: str, args: tuple) -> list[str]:
        name = fact(args[0], "name") if operation == "call" and args else None
        return [*forbidden.ACTIVE, *self.rules.get(name, [])]

    def _setting(self, to: ToStudent) -> dict:
        """Gradient mode, default type, and random state if T has drawn or seeded."""
        now = _random_state()
        place = None
        if self.random is None or not _same_random(now, self.random):
            place = to.blob(pickle.dumps(now))
        dtype = str(torch.get_default_dtype())[6:]
        return {"grad": torch.is_grad_enabled(), "dtype": dtype, "random": place}

    def _stir(self, to: ToStudent) -> None:
        """Draw once from every source, so that S and T do not draw alike from now on.

        S's state is never taken over: a student could choose what T draws next.
        """
        torch.rand(1), np.random.random(), random.random()  # noqa: NPY002
        self.random = _random_state()
        for _, value in to.seen.values():
            if isinstance(value, torch.Generator):
                torch.rand(1, generator=value)

    def _sync(self, to: ToStudent) -> list:
        """Return what T did to its copies of S's tensors and modules."""
        found = []
        for handle, state in list(self.states.items()):
            if state.value is not None:
                change = state.change(to)
                if change is not None:
                    found.append([handle, change])
        return found

    def _files(self, parts: list = ()) -> tuple[list, dict]:
        """Return the parts of a message with T's changed files, and where they are."""
        changed, gone = self.folder.changes()
        parts, places = list(parts), {}
        for name, data in changed.items():
            places[name] = len(parts)
            parts.append(data)
        return parts, {"files": [places, gone]}

    def take_files(self, answer: dict, blobs: list) -> None:
        changed, gone = answer["files"]
        data = {str(n): bytes(blobs[int(place)]) for n, place in changed.items()}
        self.folder.apply(data, gone)

    # --- objects on both sides --------------------------------------------------------

    def adopt(self, handle: int, value):
        """Remember that `value` is T's copy of an object of S's."""
        self.own[id(value)] = handle
        self.copies[handle] = weakref.ref(value)
        self.states[handle] = Shared(value, weak=True)
        weakref.finalize(value, self._forget, handle, id(value)).atexit = False
        return value

    def _forget(self, handle: int, identity: int) -> None:
        self.own.pop(identity, None)
        self.copies.pop(handle, None)
        self.states.pop(handle, None)
        self.dropped.append(handle)

    def drop(self) -> None:
        """Let S forget what T holds no more."""
        if self.dropped or self.ended:
            handles, self.dropped = self.dropped, []
            calls, self.ended = self.ended, []
            self.request("drop", handles=handles, calls=calls)

    def derivative(self, question: dict, blobs: list) -> tuple[dict, list]:
        """Differentiate a tensor that T passed, for an answer that asks for it."""
        try:
            tensor = self.passed[question["callback"]]
            passed = ToStudent.reach(self.passed, tensor)
            leaves = [self.passed[number] for number in passed]
            if question["others"]:
                known = {id(leaf) for leaf in leaves}
                all_leaves = graph_of([tensor])[0].items()
                leaves += [leaf for key, leaf in all_leaves if key not in known]
            grad = Decoder(blobs).value(question["grad"])
            found = torch.autograd.grad(
                tensor,
                leaves,
                grad,
                retain_graph=bool(question["keep"]),
                allow_unused=True,
            )
            for leaf, value in zip(
                leaves[len(passed) :], found[len(passed) :], strict=True
            ):
                if value is not None:
                    leaf.grad = value if leaf.grad is None else leaf.grad + value
            to = Encoder()
            return {"grads": to.node(list(found[: len(passed)]))}, to.blobs
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}, []

    def vjp(self, call: int, out: int, grad: Tensor, count: int) -> list:
        """Return the gradients of a call's inputs for one of its outputs."""
        to = Encoder()
        grads = to.node([grad])
        fields = {"call": call, "outs": [out], "grads": grads, "keep": True}
        answer, blobs = self.request("vjp", to.blobs, **fields)
        with reading():
            error = self.exception(answer["error"]) if "error" in answer else None
            found = None if error else Decoder(blobs).value(answer["grads"])
            if error is None and (not isinstance(found, list) or len(found) != count):
                raise Malformed("its gradients are of another number")
        if error is not None:
            raise error
        return found

    def exception(self, told: dict) -> BaseException:
        """Return the exception to raise here for one that was raised in S."""
        if told.get("late"):
            return Stopped(f"your code was stopped: {str(told['text'])[:MESSAGE]}")
        text = str(told["text"])[:MESSAGE]
        self.said.append(text)
        base = getattr(builtins, str(told["builtin"]), Exception)
        if not (isinstance(base, type) and issubclass(base, Exception)):
            text, base = (
                f"your code raised {told['class']} {text}".strip(),
                RuntimeError,
            )
        known = self.classes.get(told.get("h")) or known_class(told, base)
        error = exception_class(known or base, str(told["class"]))(text)
        for line in told.get("lines", [])[:5]:
            if hasattr(error, "add_note"):
                error.add_note(f"in your code, {str(line)[:300]}")
        return error


def _random_state() -> tuple:
    return torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def _same_random(a: tuple, b: tuple) -> bool:
    numpy_alike = a[1][2] == b[1][2] and np.array_equal(a[1][1], b[1][1])
    return torch.equal(a[0], b[0]) and numpy_alike and a[2] == b[2]
