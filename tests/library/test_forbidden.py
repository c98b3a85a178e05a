"""A rule counts calls, by whatever name: every way to a function, and no other."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import check
from course_lib.check import forbidden

ELU = "torch.nn.functional.elu"
x = torch.linspace(-2, 2, 5)
alias = F.elu


def in_a_thread():
    thread = threading.Thread(target=F.elu, args=(x,))
    thread.start()
    thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "way",
    [
        lambda: F.elu(x),
        lambda: alias(x),
        lambda: nn.ELU()(x),
        lambda: functools.partial(F.elu, alpha=1.0)(x),
        lambda: getattr(torch.nn.functional, "e" + "lu")(x),
        lambda: list(map(F.elu, [x, x])),
        lambda: torch.nn.modules.activation.F.elu(x),
        in_a_thread,
    ],
)
def test_every_way_to_a_function_is_noticed(way):
    with pytest.raises(check.CheckFailed, match=f"{ELU} was called"):
        with check.without(ELU):
            way()


def test_an_answer_that_swallows_everything_is_caught():
    def answer():
        with contextlib.suppress(BaseException):
            F.elu(x)

    with pytest.raises(check.CheckFailed, match="was called"), check.without(ELU):
        answer()


def test_switching_the_watch_off_is_noticed():
    def answer():
        sys.setprofile(None)
        np.linalg.svd(np.eye(2))

    rule = check.without("numpy.linalg.svd")
    with pytest.raises(check.CheckFailed, match="setprofile"), rule:
        answer()


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("torch.svd", lambda: torch.svd(torch.eye(2))),
        ("torch.Tensor.softmax", lambda: x.softmax(0)),
        ("torch.nn.Linear", lambda: nn.Linear(2, 2)),
        ("numpy.sort", lambda: np.sort([2, 1])),
        ("math.sqrt", lambda: __import__("math").sqrt(2)),
    ],
)
def test_other_kinds_of_functions_are_noticed(name, call):
    with pytest.raises(check.CheckFailed, match=name), check.without(name):
        call()
    call()  # and afterwards all is as it was


def test_what_is_allowed_passes_and_its_own_errors_come_out():
    with check.without(ELU, "torch.celu"):
        expected = torch.where(x > 0, x, x.expm1())
    assert torch.equal(expected, F.elu(x))
    with pytest.raises(ZeroDivisionError), check.without(ELU):
        divmod(1, 0)
    assert forbidden.ACTIVE == []


def test_a_rule_about_nothing_is_an_error():
    with pytest.raises(LookupError, match=r"torch\.no_such"):
        with check.without("torch.no_such"):
            pass


SOFTMAX = "torch.nn.functional.softmax"


@pytest.mark.parametrize(("call", "rule"), [(F.elu, ELU), (F.softmax, SOFTMAX)])
def test_blocks_may_be_nested(call, rule):
    """Each rule holds in the inner block, and the block that said it reports it."""
    reached = []

    def nested():
        with check.without(ELU):
            with check.without(SOFTMAX):
                reached.append(list(forbidden.ACTIVE))
                call(x)
                reached.append("after the call")
            reached.append("after the inner block")

    with pytest.raises(check.CheckFailed, match=f"{rule} was called"):
        nested()
    assert reached == [[ELU, SOFTMAX]]
    assert forbidden.ACTIVE == []
    assert sys.getprofile() is None


def test_the_outer_rule_holds_after_the_inner_block():
    def nested():
        with check.without(ELU):
            with check.without(SOFTMAX):
                x.tanh()
            assert forbidden.ACTIVE == [ELU]
            F.elu(x)

    with pytest.raises(check.CheckFailed, match=f"{ELU} was called"):
        nested()


def test_a_block_without_names_is_an_error_and_clears_no_rule():
    with check.without(ELU):
        with pytest.raises(LookupError, match="needs the name"), check.without():
            pass
        assert forbidden.ACTIVE == [ELU]


def test_an_answer_cannot_pretend_that_a_rule_stopped_it():
    with pytest.raises(forbidden.Broken), check.without(ELU):
        raise forbidden.Broken("stop here, and all is well")


def test_a_profiler_that_was_there_is_there_again():
    def ours(frame, event, arg):
        pass

    sys.setprofile(ours)
    try:
        with check.without(ELU):
            pass
        assert sys.getprofile() is ours
    finally:
        sys.setprofile(None)
