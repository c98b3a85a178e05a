"""Checks whose failures teach: each says what is likely wrong and where to look.

A check that holds is silent, so a notebook cell may end with it. A check that does not
raises `CheckFailed`. Every check leaves the network as it found it: weights, buffers,
gradients, hooks, train or eval mode, and the random state.

Read in this order: checks · hints and sizes (what a failure says) · labels · untouched
(how no trace is left) · forbidden (`without`) · same (`matches`).
"""

from course_lib.check.checks import close, gradients, learns, macs, params, shape
from course_lib.check.forbidden import without
from course_lib.check.same import Match, matches
from course_lib.errors import CheckFailed

__all__ = [
    "CheckFailed",
    "Match",
    "close",
    "gradients",
    "learns",
    "macs",
    "matches",
    "params",
    "shape",
    "without",
]
