"""Why a shortcut does not exist, and parts that several of them share."""

from __future__ import annotations

NO_SPEC = "no specification is given"
OWN = "the notebook has nothing that does this"
NO_TORCH = "no library has this function"
NOT_COUNTED = "nothing in it can be counted or checked by the course's library"
NUMBERS = "two numbers are asked for"
A_SEARCH = "a search over so few is an answer of its own"
TOOL = "the library's function is a part of the answer, which the contract leaves open"

META = "with torch.device('meta'):\n    "
COUNTED = (
    "kind = googlenet.NaiveInception if naive else googlenet.Inception\n"
    + META
    + "module = kind(channels, googlenet.Widths(*widths))\n"
    "cost = flops.count(module, (1, channels, side, side))\n"
    "return cost.params, cost.macs"
)
CONV = "nn.Conv2d(channels, width, kernel_size, groups=groups, bias={})"
