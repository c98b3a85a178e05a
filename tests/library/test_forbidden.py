"""A rule counts calls, by whatever name: every way to a function, and no other."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import importlib
import math
import sys
import tempfile
import threading
import warnings

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import _disable_current_modes

from course_lib import check
from course_lib.check import dispatched, forbidden
from course_lib.errors import CheckFailed, CourseError

ELU = "torch.nn.functional.elu"
x = torch.linspace(-2, 2, 5)
alias = F.elu


def in_a_thread():
    thread = threading.Thread(target=F.elu, args=(x,))
    thread.start()
    thread.join()


def scripted(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(function)


def elu_of(x: torch.Tensor) -> torch.Tensor:
    return F.elu(x)


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return torch._C._nn.elu(grad)


def in_backward():
    leaf = x.clone().requires_grad_()
    Backwards.apply(leaf).sum().backward()


def in_a_pool(function):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(function, x).result()


def under_another_name():
    with torch.profiler.record_function("aten::conv2d"):
        torch._C._nn.elu(x), x.exp()


def without_modes():
    with torch._C.DisableTorchFunction(), _disable_current_modes():
        torch._C._nn.elu(x)


def of_cpu():
    return torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)


HIDDEN = [
    lambda: torch._C._nn.elu(x),
    lambda: torch.ops.aten.elu(x),
    lambda: torch.ops.aten.elu.default(x),
    lambda: torch.ops.aten.elu.out(x, out=torch.empty(5)),
    lambda: torch._C._nn.elu_(x.clone()),
    lambda: F.elu_(x.clone()),
    lambda: F.elu(x.clone(), inplace=True),
    lambda: torch.celu(x),
    lambda: torch.celu_(x.clone()),
    lambda: F.celu(x),
    lambda: nn.CELU()(x),
    lambda: torch.selu(x),
    lambda: SCRIPTED(x),
    lambda: torch.jit.trace(elu_of, x)(x),
    lambda: torch.vmap(torch._C._nn.elu)(x[None]),
    lambda: torch._refs.nn.functional.elu(x),
    lambda: list(map(torch._C._nn.elu, [x])),
    lambda: in_a_pool(torch._C._nn.elu),
    lambda: in_a_pool(torch.ops.aten.elu.default),
    in_backward,
    under_another_name,
    without_modes,
    lambda: torch.ops.aten.elu.default.redispatch(of_cpu(), x),
    lambda: list(map(torch.ops.aten.elu.default._handle.redispatch_boxed,
        [of_cpu()], [x])),
    lambda: torch.library.get_kernel("aten::elu", "CPU").call_boxed(
        of_cpu(), x, 1, 1, 1),
    lambda: torch.jit.wait(torch.jit.fork(SCRIPTED, x)),
    lambda: torch.fx.experimental.proxy_tensor.make_fx(elu_of)(x)(x),
]  # fmt: skip
SCRIPTED = scripted(elu_of)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", HIDDEN)
def test_the_operation_counts_whoever_calls_it(way):
    with pytest.raises(check.CheckFailed, match=f"{ELU} was called"):
        with check.without(ELU):
            way()
    way()  # and afterwards all is as it was


LRN = "torch.nn.functional.local_response_norm"


def lrn_of(x: torch.Tensor) -> torch.Tensor:
    return F.local_response_norm(x, 3)


def lrn_by_hand(x: torch.Tensor) -> torch.Tensor:
    squares = F.avg_pool3d(F.pad(x.square()[:, None], (0, 0, 0, 0, 1, 1)), (3, 1, 1), 1)
    return x / (1 + 1e-4 * squares[:, 0]) ** 0.75


class Normed(nn.Module):
    def __init__(self, norm=None):
        super().__init__()
        self.norm = norm or nn.LocalResponseNorm(3)

    def forward(self, x):
        return self.norm(x)


def quiet(make, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make(*args)


def saved(function):
    """Return a compiled function as it is after a round to the disk."""
    with tempfile.TemporaryDirectory() as folder:
        function.save(f"{folder}/it.pt")
        return quiet(torch.jit.load, f"{folder}/it.pt")


def exported(x):
    return torch.export.export(Normed().eval(), (x,)).module()


maps = torch.rand(1, 4, 3, 3)
COMPILED = {  # each made before the rule holds
    "scripted": lambda: functools.partial(scripted(F.local_response_norm), size=3),
    "inside": lambda: scripted(lrn_of),
    "layer": lambda: quiet(torch.jit.script, Normed()),
    "traced": lambda: quiet(torch.jit.trace, lrn_of, maps),
    "traced_layer": lambda: quiet(torch.jit.trace, Normed(), maps),
    "saved": lambda: saved(scripted(lrn_of)),
    "saved_trace": lambda: saved(quiet(torch.jit.trace, lrn_of, maps)),
    "saved_layer": lambda: saved(quiet(torch.jit.script, Normed())),
    "frozen": lambda: torch.jit.freeze(quiet(torch.jit.script, Normed().eval())),
    "exported": lambda: exported(maps),
    "symbolic": lambda: torch.fx.symbolic_trace(lrn_of),
    "in_a_pool": lambda: lambda x: in_a_pool(lambda _: SCRIPTED_LRN(x)),
}
SCRIPTED_LRN, EXPECTED = scripted(lrn_of), lrn_of(maps)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("way", COMPILED)
def test_a_composition_counts_however_it_was_compiled(way):
    compiled = COMPILED[way]()
    with pytest.raises(check.CheckFailed, match=f"{LRN} was called"):
        with check.without(LRN):
            compiled(maps)
    if way != "in_a_pool":
        assert torch.equal(compiled(maps), EXPECTED)  # afterwards all is as it was


@pytest.mark.filterwarnings("ignore")
def test_what_is_compiled_from_ones_own_lines_is_free():
    own = [lrn_by_hand, scripted(lrn_by_hand), torch.jit.trace(lrn_by_hand, maps)]
    own += [saved(scripted(lrn_by_hand)), torch.fx.symbolic_trace(lrn_by_hand)]
    with check.without(LRN):
        for function in own:
            assert torch.allclose(function(maps), EXPECTED)


def test_a_pytorch_that_records_nothing_is_no_silence(monkeypatch):
    with monkeypatch.context() as patch:
        patch.delattr(torch.autograd, "_enable_profiler_legacy")
        dispatched.recorder.cache_clear()
        with pytest.raises(CourseError, match=r"_legacy is missing.*install"):
            with check.without(ELU):
                pass
    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd, "_enable_profiler_legacy", lambda setting: None)
        patch.setattr(torch.autograd, "_disable_profiler_legacy", lambda: [])
        dispatched.recorder.cache_clear()
        with pytest.raises(CourseError, match="does not tell which operations run"):
            with check.without(ELU):
                pass
    dispatched.recorder.cache_clear()
    with pytest.raises(check.CheckFailed), check.without(ELU):
        torch.celu(x)


def of_linear(x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, x)


SCRIPTED_LINEAR = scripted(of_linear)
square, images = torch.eye(3), torch.ones(1, 1, 4, 4)
LAYERS, LEAF = nn.Sequential(nn.ReLU()), nn.Parameter(x.clone())
LEAF.grad, ADAM = x, torch.optim.Adam([LEAF])
FITTED = sklearn.linear_model.LinearRegression()


def unwatched(call):
    with torch._C.DisableTorchFunction():
        return call()


@pytest.mark.parametrize(
    ("rule", "way"),
    [
        ("torch.nn.functional.linear", lambda: SCRIPTED_LINEAR(square)),
        ("torch.nn.functional.linear", lambda: nn.Linear(3, 3)(square)),
        ("torch.nn.functional.linear", lambda: torch.ops.aten.linear(square, square)),
        ("torch.nn.functional.conv2d", lambda: nn.Conv2d(1, 1, 2)(images)),
        ("torch.nn.functional.conv2d", lambda: torch.conv2d(images, images)),
        ("torch.nn.functional.softmax", lambda: x.softmax(0)),
        ("torch.nn.functional.softmax", lambda: torch._softmax(x, 0, False)),
        ("torch.nn.functional.softmax", lambda: nn.Softmax(0)(x)),
        ("torch.nn.functional.unfold", lambda: torch.ops.aten.im2col(
            images, [2, 2], [1, 1], [0, 0], [1, 1])),
        ("torch.nn.functional.batch_norm", lambda: torch.native_batch_norm(
            images, None, None, None, None, True, 0.1, 1e-5)),
        ("torch.nn.functional.layer_norm", lambda: torch.native_layer_norm(
            x, [5], None, None, 1e-5)),
        ("torch.nn.functional.cross_entropy", lambda: torch.ops.aten.cross_entropy_loss(
            square, torch.arange(3))),
        ("torch.Tensor.softmax", lambda: torch.softmax(x, 0)),
    ],
)  # fmt: skip
def test_compositions_count_by_their_own_operation(rule, way):
    with pytest.raises(check.CheckFailed, match=f"{rule} was called"):
        with check.without(rule):
            way()


@pytest.mark.parametrize(
    ("rule", "way"),
    [
        (ELU, lambda: torch.where(x > 0, x, x.exp() - 1)),
        (ELU, lambda: torch.where(x > 0, x, torch.expm1(x)).clamp(min=-1)),
        (ELU, lambda: F.relu(x) + F.softplus(x) + F.gelu(x) + F.leaky_relu(x)),
        ("torch.nn.functional.linear", lambda: square @ square.T + x[0]),
        ("torch.nn.functional.linear", lambda: torch.addmm(square, square, square)),
        ("torch.nn.functional.softmax", lambda: x.exp() / x.exp().sum()),
        ("torch.nn.functional.softmax", lambda: F.log_softmax(x, 0)),
        ("torch.nn.functional.log_softmax",
            lambda: F.cross_entropy(square, torch.arange(3))),
        ("torch.nn.functional.cross_entropy",
            lambda: F.nll_loss(F.log_softmax(square, 1), torch.arange(3))),
        ("torch.nn.functional.unfold", lambda: images.unfold(2, 2, 1)),
        ("torch.nn.functional.pad", lambda: F.conv2d(images, images, padding="same")),
        ("torch.nn.functional.conv2d",
            lambda: F.unfold(images, 2).mT @ torch.ones(4, 1)),
        ("torch.nn.functional.batch_norm", lambda: (images - images.mean()) * 2),
        ("torch.nn.functional.local_response_norm", lambda: F.avg_pool2d(images, 2)),
        ("torch.mul", lambda: torch.ones(1, requires_grad=True).exp().backward()),
        ("torch.nn.functional.max_pool2d", lambda: F.adaptive_max_pool2d(images, 2)),
        ("torch.nn.utils.clip_grad_norm_",
            lambda: nn.utils.clip_grad_value_([LEAF], 1)),
        ("sklearn.metrics.accuracy_score",
            lambda: sklearn.metrics.confusion_matrix([0, 1], [0, 1])),
        ("torch.nn.Sequential", lambda: len(LAYERS)),
        ("torch.Tensor.tolist", lambda: str(x)),
    ],
)  # fmt: skip
def test_what_a_rule_does_not_name_is_free(rule, way):
    with check.without(rule):
        way()


def test_a_long_call_is_read_in_parts(monkeypatch):
    """Or its record would fill the memory."""
    sizes, read = [], dispatched._counted

    def counted(threads, function):
        sizes.append(sum(map(len, threads)))
        return read(threads, function)

    def answer():
        torch._C._nn.elu(x)
        for _ in range(1000):
            x.add(1)

    monkeypatch.setattr(forbidden, "MANY", 300)
    monkeypatch.setattr(dispatched, "_counted", counted)
    with pytest.raises(check.CheckFailed, match="was called"), check.without(ELU):
        answer()
    assert len(sizes) >= 3
    assert max(sizes) < sum(sizes) / 2


def test_a_record_that_is_long_to_read_is_read_once():
    many = torch.rand(3000)
    with check.without("math.log"):
        found = list(map(math.log, many))
    assert len(found) == 3000


def test_stopping_the_record_is_noticed():
    def answer():
        list(map(lambda f: f(), [torch.autograd._disable_profiler_legacy]))

    with pytest.raises(check.CheckFailed, match="setprofile"), check.without(ELU):
        answer()


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


def test_a_record_that_was_stopped_unseen_is_noticed():
    """A call that Python's profiler does not tell of: what ran then is not known."""

    def answer():
        functools.partial(torch.autograd._disable_profiler_legacy)()
        functools.partial(torch._C._nn.elu, x)()

    with pytest.raises(check.CheckFailed, match="setprofile"), check.without(ELU):
        answer()


@pytest.mark.parametrize("name", dispatched.PAUSES)
def test_pausing_the_record_is_noticed(name):
    def answer():
        pause(False) if name == "_enable_record_function" else pause()
        torch._C._nn.elu(x)

    pause = getattr(torch._C._autograd, name)
    with pytest.raises(check.CheckFailed, match="setprofile"), check.without(ELU):
        answer()


def test_an_error_that_ends_the_watch_is_noticed():
    def answer():
        def deeper():
            return deeper()

        with contextlib.suppress(RecursionError):
            deeper()  # Python drops a profiler that raises
        np.linalg.svd(np.eye(2))

    rule = check.without("numpy.linalg.svd")
    with pytest.raises(check.CheckFailed, match="setprofile"), rule:
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
        ("torch.nn.functional.max_pool2d", lambda: F.max_pool2d(images, 2)),
        (
            "sklearn.metrics.accuracy_score",
            lambda: sklearn.metrics.accuracy_score([0], [0]),
        ),
        ("torch.optim.Adam", ADAM.step),
        ("sklearn.linear_model.LinearRegression", lambda: FITTED.fit(square, x[:3])),
        ("torch.nn.Sequential", lambda: LAYERS(x)),
        ("torch.Tensor.tolist", lambda: unwatched(x.tolist)),
        ("torch.Tensor.numpy", lambda: unwatched(lambda: x.numpy())),
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


LATE = {
    "__init__.py": "from .inner import again",
    "inner.py": """
import functools

def again(function):
    @functools.wraps(function)
    def wrapped(*args):
        return function(*args)
    return wrapped

def plain(value):
    return value

@again
def decorated(value):
    return value

class Made:
    def __init__(self, value):
        self.value = value

    @staticmethod
    def free(value):
        return value

class Inherits(Made):
    pass

def replaced(value):
    return value

replaced = len
""",
    "starred.py": """
def heappush(heap, item):
    heap.append(item)

from heapq import *
""",
}


def fresh(name):
    """Import the module once more, as a second one, and leave no trace of it."""
    found = importlib.import_module(f"{name}.inner")
    for module in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[module]
    return found


@pytest.fixture
def late(tmp_path, monkeypatch):
    """The name of a package that nobody has imported."""
    name = f"late_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    for file, source in LATE.items():
        (tmp_path / name / file).write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [key for key in sys.modules if key.partition(".")[0] == name]:
        del sys.modules[module]


def breaks(rule, call) -> bool:
    """Does this call break the rule?"""
    try:
        with check.without(rule):
            call()
    except CheckFailed as error:
        return rule in str(error)
    return False


@pytest.mark.parametrize("name", ["plain", "decorated", "Made"])
@pytest.mark.parametrize("earlier", [False, True])
def test_a_package_that_nobody_has_imported_is_watched(late, name, earlier):
    rule = f"{late}.inner.{name}"
    forbidden.find(rule)
    assert late not in sys.modules  # what a rule needs is the code alone
    before = fresh(late) if earlier else None
    assert breaks(rule, lambda: getattr(before or fresh(late), name)(1))
    assert breaks(rule, lambda: fresh(late).Inherits(1)) == (name == "Made")
    assert not breaks(rule, lambda: fresh(late).Made.free(1))


@pytest.mark.parametrize("name", ["again", "inner.Inherits.__init__"])
def test_what_its_file_does_not_define_is_imported(late, name):
    forbidden.find(f"{late}.{name}")
    inner = sys.modules[f"{late}.inner"]
    call = inner.Inherits if "Inherits" in name else inner.again
    assert breaks(f"{late}.{name}", lambda: call(len))


@pytest.mark.parametrize(
    ("name", "values"), [("inner.replaced", [[]]), ("starred.heappush", [[], 1])]
)
def test_what_its_file_binds_twice_is_imported(late, name, values):
    forbidden.find(f"{late}.{name}")
    module, function = name.split(".")
    call = getattr(sys.modules[f"{late}.{module}"], function)
    assert breaks(f"{late}.{name}", lambda: call(*values))


@pytest.mark.parametrize("name", ["inner.none", "inner.Made.none", "none.plain", "x"])
def test_a_name_that_such_a_package_lacks_is_an_error(late, name):
    with pytest.raises(LookupError):
        forbidden.find(f"{late}.{name}")


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
