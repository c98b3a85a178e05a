"""PyTorch's own layers that an answer gave run here: the rules hold for them, too."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from course_lib.check import forbidden

from .link import Link
from .modules import CONTAINERS, RemoteModule


def obey_rules(link: Callable[[], Link]) -> None:
    """From now on, let copies of the student's layers keep the rules when they run.

    link: returns the connection that there is at the time. A container only calls what
    is in it; what stays on the student's side is watched there.
    """
    plain = nn.Module.__call__

    def call(module, *args, **kwargs):
        __tracebackhide__ = True
        now = link()
        rules = now.rules(now.held.origin_of(module)) if now.held.handle(module) else ()
        if not rules or isinstance(module, (RemoteModule, *CONTAINERS)):
            return plain(module, *args, **kwargs)
        try:
            with forbidden.enforced(rules) as broken:
                found = plain(module, *args, **kwargs)
        except forbidden.Broken:
            found = None
        if broken:
            now.broke(broken[0])
        return found

    nn.Module.__call__ = call
