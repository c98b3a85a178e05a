"""What the judge's side has in common with a student's process: one table for all."""

from __future__ import annotations

import weakref

from course_grader.engine.common.plain import Encoder
from course_grader.engine.common.shared import Shared


class Held:
    """Copies of and stand-ins for the student's objects, and what is passed."""

    def __init__(self):
        self.passed: dict[int, object] = {}  # by number, during a call
        self.given: dict[int, str] = {}  # id of a function or class both sides have
        self.classes: dict[str, type] = {}  # those that are classes, by name
        self.origin: str | None = None  # whose value is read: a name of the student's
        self._origins: dict[int, str | None] = {}  # by handle
        self._handles: dict[int, int] = {}  # by id of a copy
        self._there: dict[int, weakref.ref] = {}  # copies and stand-ins, by handle
        self._states: dict[int, Shared] = {}  # of copies, by handle
        self._dropped: list[int] = []
        self._ended: list[int] = []  # calls whose graphs nobody holds any more

    def __getitem__(self, handle: int):
        """Return the copy or stand-in of a handle, None when it is gone."""
        return self._there.get(handle, lambda: None)()

    def know(self, name: str, value) -> None:
        """Note that both sides have this function or class of the instructor's."""
        self.given[id(value)] = name
        if isinstance(value, type):
            self.classes[name] = value

    def handle(self, value) -> int | None:
        """Return the handle of what `value` is a copy of, if it is one."""
        return self._handles.get(id(value))

    def origin_of(self, value, handle: int | None = None) -> str | None:
        """Return by which name of the student's an object came here.

        handle: of a stand-in; a copy of ours is known itself.
        """
        return self._origins.get(self.handle(value) if handle is None else handle)

    def adopt(self, handle: int, value):
        """Remember that `value` is our copy of an object of the student's."""
        self._handles[id(value)] = handle
        self._states[handle] = Shared(value, weak=True, known=self._handles)
        return self.stand_in(handle, value)

    def stand_in(self, handle: int, value):
        """Remember what stands here for an object; the student's lives as long."""
        self._there[handle] = weakref.ref(value)
        self._origins.setdefault(handle, self.origin)
        weakref.finalize(value, self._forget, handle, id(value)).atexit = False
        return value

    def leave(self, node: dict) -> None:
        """Let the parts of a module be told anew: none was made here."""
        parts = [node[kind] for kind in ("parameters", "buffers", "children")]
        for part in (one for named in parts for one in named.values()):
            if isinstance(part, dict) and "h" in part:
                if self[int(part["h"])] is None:
                    self._dropped.append(int(part["h"]))
                if part["k"] == "module":
                    self.leave(part)

    def renew(self, handle: int) -> None:
        """Compare a copy with its present state from now on."""
        self._states[handle] = Shared(self[handle], weak=True, known=self._handles)

    def alive(self) -> list:
        """Return all that is there, which keeps it alive while it is in use."""
        return [there() for there in self._there.values()]

    def changes(self, to: Encoder) -> list:
        """Return what the test did to copies of the student's tensors and modules."""
        found = []
        for handle, state in list(self._states.items()):
            if state.value is not None:
                change = state.change(to)
                if change is not None:
                    found.append([handle, change])
        return found

    def end(self, call: int) -> None:
        """Note that nobody can differentiate this call any more."""
        self._ended.append(call)

    def dropped(self) -> dict[str, list]:
        """Return what the student's side may forget: handles, calls, each once."""
        found = {"dropped": [self._dropped, self._ended]}
        some = bool(self._dropped or self._ended)
        self._dropped, self._ended = [], []
        return found if some else {}

    def _forget(self, handle: int, identity: int) -> None:
        self._handles.pop(identity, None)
        self._there.pop(handle, None)
        self._origins.pop(handle, None)
        self._states.pop(handle, None)
        self._dropped.append(handle)
