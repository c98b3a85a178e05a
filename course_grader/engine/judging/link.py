"""What a test asks of the student's side, and all that both sides have in common.

Plain data and tensors become the test's own. Anything else stays a `Remote`.
"""

from __future__ import annotations

import builtins
import sys
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from course_grader.engine.common.folder import Folder
from course_grader.engine.common.plain import Decoder, Encoder
from course_grader.engine.common.shared import apply
from course_grader.engine.common.wire import Channel, Malformed
from course_lib.check import forbidden

from .crossing import FromStudent, ToStudent
from .draws import Draws
from .gradients import derivative
from .held import Held
from .line import Line
from .modules import remake
from .names import Names
from .patience import Patience
from .proxies import Remote, fact, note
from .raised import MESSAGE, Exceptions, Stopped, lasting, reading
from .terms import Terms


class Link:
    """The connection to one student's process."""

    def __init__(
        self,
        channel: Channel,
        folder: Folder,
        space: dict,
        patience: Patience,
        secret: bytes = b"",
    ):
        """space: where the judge's cells run; secret: of what it draws."""
        self.held = Held()
        self.exceptions = Exceptions(self.held.classes)
        self.line = Line(channel, self.derivative, self.held.dropped)
        self.folder, self.names = folder, Names(space)
        self.draws, self.terms, self.patience = Draws(secret), Terms(), patience
        self.calls = 0

    def place(self, files: dict[str, bytes]) -> None:
        """Put what was handed in into the student's folder, which no parent sees."""
        places = {name: place for place, name in enumerate(files)}
        self.line.request("place", list(files.values()), files=[places, []])

    def run(self, source: str) -> tuple[dict, list]:
        """Run a cell of the student's notebook."""
        parts, files = self._files()
        answer, blobs = self.line.request("run", parts, source=source, **files)
        if "files" in answer:
            with reading():
                self._take_files(answer, blobs)
        return answer, blobs

    def values(self, names: list[str]) -> dict:
        """Return the student's values of these names, those that there are."""
        given = list(self.held.classes)
        answer, blobs = self.line.request("names", names=sorted(names), given=given)
        found = {}
        with reading():
            if "error" in answer:
                raise Malformed(str(answer["error"]["text"])[:MESSAGE])
            of = FromStudent(self, blobs)
            for name in names:
                if name in answer["values"]:
                    of.name = self.held.origin = name
                    found[name] = of.value(answer["values"][name])
                    if isinstance(found[name], Remote):
                        note(found[name], "name", name)
        return found

    def bind(self, names: dict, gone: list[str] = ()) -> None:
        """Bind and delete names on the student's side."""
        to = ToStudent(self.held, self.terms.concealed)
        nodes = {name: to.node(value) for name, value in names.items()}
        fields = {"names": nodes, "gone": list(gone), "tensors": to.in_order()}
        self.terms.goes_along(to.along)
        self.line.request("bind", to.blobs, **fields)

    def invoke(self, operation: str, *args, **kwargs):
        """Apply an operation on the student's side; return or raise what came of it."""
        __tracebackhide__ = True
        name = fact(args[0], "name") if operation == "call" and args else None
        with self.patience.with_(name, self.line):
            return self._invoke(operation, name, args, kwargs)

    def _invoke(self, operation: str, name: str | None, args: tuple, kwargs: dict):
        __tracebackhide__ = True
        there, gone = self.names.news()
        if there or gone:
            self.bind(there, gone)
        _held = self.held.alive()  # the answer may name any
        to = ToStudent(self.held, self.terms.concealed)
        message = {"f": operation, "args": to.node(args), "kwargs": to.node(kwargs)}
        self.held.origin = name or self.origin_of(*args[:2])
        message["rules"] = self.rules(self.held.origin)
        message["sync"] = self.held.changes(to)
        message["tensors"] = to.in_order()
        self.terms.goes_along(to.along)
        message["given"] = list(self.held.classes)
        self.calls += 1
        message["call"] = call = self.calls
        message["setting"] = self._setting(to)
        parts, files = self._files(to.blobs)
        self.held.passed = {number: value for number, value in to.seen.values()}
        self.held.passed |= (fact(args[0], "lazy") if args else None) or {}
        answer, blobs = self.line.request("invoke", parts, **message, **files)
        try:
            value, error = self._conclude(answer, blobs, call, name)
        finally:
            self.draws.stir(to.generators)
        if answer.get("rule"):
            self.broke(answer["rule"])
        if operation != "next":
            error = lasting(error)
        if error is not None:
            raise error
        if isinstance(value, Iterator) and fact(value, "lazy") is None:
            passed = self.held.passed.items()  # that it was made of, and may give
            note(value, "lazy", {min(n, -1 - n): one for n, one in passed})
        return value

    def origin_of(self, *values) -> str | None:
        """Return by which name of the student's the first of theirs came."""
        found = (self.held.origin_of(v, fact(v, "handle")) for v in values)
        return next(filter(None, found), None)

    def rules(self, origin: str | None) -> list[str]:
        """Return what must not be called by what came by a name of the student's."""
        return [*forbidden.ACTIVE, *self.terms.rules.get(origin, [])]

    def vjp(self, call: int, out: int, grad: Tensor, count: int) -> list:
        """Return the gradients of a call's inputs for one of its outputs."""
        to = Encoder()
        grads = to.node([grad])
        fields = {"call": call, "outs": [out], "grads": grads, "keep": True}
        answer, blobs = self.line.request("vjp", to.blobs, **fields)
        if answer.get("rule"):
            self.broke(answer["rule"])
        with reading():
            error = self._raised(answer["error"]) if "error" in answer else None
            found = None if error else Decoder(blobs).value(answer["grads"])
            if error is None and (not isinstance(found, list) or len(found) != count):
                raise Malformed("its gradients are of another number")
        if error is not None:
            raise lasting(error)
        return found

    def derivative(self, question: dict, blobs: list) -> tuple[dict, list]:
        """Answer an answer that asks for a derivative of what was passed to it."""
        return derivative(self.held.passed, question, blobs)

    # --- what surrounds a request -----------------------------------------------------

    def _conclude(self, answer: dict, blobs: list, call: int, name) -> tuple:
        """Take over what a call did; return its value and exception, one of them."""
        value = error = None
        with reading():
            of = FromStudent(self, blobs, call, answer.get("inputs"), name)
            if "changed" in answer:
                self._take(answer, of, blobs)
            if "error" in answer:
                error = self._raised(answer["error"])
            else:
                value = of.value(answer["value"])
        return value, error

    def _raised(self, told: dict) -> BaseException:
        error, text = self.exceptions.raised(told)
        self.terms.said.append(text)
        return error

    def broke(self, rule) -> None:
        """Note that a rule was broken, by the name that we gave it; stop the test."""
        known = {*forbidden.ACTIVE}.union(*self.terms.rules.values())
        rule = rule if isinstance(rule, str) and rule in known else forbidden.GUARD
        self.terms.broken.append(rule)
        raise Stopped(f"{rule} was called: solve this without it")

    def _take(self, answer: dict, of: FromStudent, blobs: list) -> None:
        """Do here what the call did there: to files, arguments, copies, output."""
        self._take_files(answer, blobs)
        for change in answer["changed"]:
            apply(self.held.passed[change["i"]], change["v"], of)
        for change in answer["sync"]:
            copy = self.held[change["h"]]
            if copy is None:
                continue
            if "made" in change:
                remake(of, copy, change["made"])
            elif "training" in change:
                copy.training = bool(change["training"])
            else:
                apply(copy, change["v"], of)
            self.held.renew(change["h"])
        for kind, text in answer["warnings"][:100]:
            kind = getattr(builtins, str(kind), UserWarning)
            good = isinstance(kind, type) and issubclass(kind, Warning)
            warnings.warn(str(text), kind if good else UserWarning, stacklevel=5)
        for stream, text in answer["out"]:
            (sys.stderr if stream == "stderr" else sys.stdout).write(str(text))

    def _setting(self, to: ToStudent) -> dict:
        """Gradient mode, default type, and random state if we have drawn or seeded."""
        news = self.draws.news()
        place = None if news is None else to.blob(news)
        dtype = str(torch.get_default_dtype())[6:]
        return {"grad": torch.is_grad_enabled(), "dtype": dtype, "random": place}

    def _files(self, parts: list = ()) -> tuple[list, dict]:
        """Return the parts of a message with changed files, and where they are."""
        changed, gone = self.folder.changes()
        parts, places = list(parts), {}
        for name, data in changed.items():
            places[name] = len(parts)
            parts.append(data)
        return parts, {"files": [places, gone]}

    def _take_files(self, answer: dict, blobs: list) -> None:
        changed, gone = answer["files"]
        data = {str(n): bytes(blobs[int(place)]) for n, place in changed.items()}
        self.folder.apply(data, gone)
