"""What stand-ins for the student's objects need of the connection behind them."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from .held import Held
from .raised import Exceptions
from .terms import Terms


class Asking(Protocol):
    """Whom a stand-in asks; `link.Link` is the one that there is."""

    held: Held
    terms: Terms
    exceptions: Exceptions

    def invoke(self, operation: str, *args, **kwargs):
        """Apply an operation on the student's side; return or raise what came of it."""

    def vjp(self, call: int, out: int, grad: Tensor, count: int) -> list:
        """Return the gradients of a call's `count` inputs for one of its outputs."""
