"""Ways to a forbidden function that are no plain call, and right answers beside them.

By `c.CourseGrade.forbidden`, by `check.without`, and by a test that compares with it.
"""

from __future__ import annotations

from .judge_cases import Exercise

# ruff: noqa: E501  (answers and tests as they stand in their cells)

RULES = {
    "r_layer": ["torch.nn.functional.elu"],
    "r_class": ["torch.nn.functional.elu"],
    "r_lazy": ["torch.nn.functional.elu"],
    "r_way": ["torch.nn.functional.elu"],
    "r_mode": ["torch.nn.functional.elu"],
    "r_later": ["torch.nn.functional.elu"],
    "r_loss": ["torch.nn.functional.cross_entropy"],
    "r_log": ["math.log"],
    "r_sorted": ["builtins.sorted"],
    "r_length": ["builtins.len"],
    "r_fitted": ["sklearn.linear_model.LinearRegression"],
    "r_scored": ["sklearn.metrics.accuracy_score"],
}
EXERCISES = [
    Exercise(
        "r_layer",
        "class Own(nn.Module):\n    def forward(self, x): return torch.where(x > 0, x, x.exp() - 1)\n"
        "def r_layer(): return Own()",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "assert torch.allclose(r_layer()(x), w)",
        (
            "def r_layer(): return nn.ELU()",
            "class Own(nn.Module):\n    def forward(self, x): return F.elu(x)\ndef r_layer(): return Own()",
            "def r_layer(): return nn.Sequential(nn.ELU())",
            "r_layer = nn.ELU",
            "def r_layer(): return F.elu",
            "import functools\ndef r_layer(): return functools.partial(F.elu, alpha=1.)",
            "def r_layer(): return nn.ELU().forward",
            "def r_layer(): return lambda x: F.elu(x)",
            "def r_layer(): return torch.jit.script(nn.ELU())",
        ),
        (
            "def r_layer(): return lambda x: torch.where(x > 0, x, x.exp() - 1)",
            "class Own(nn.Sequential):\n    def forward(self, x): return torch.where(x > 0, x, x.exp() - 1)\n"
            "def r_layer(): return Own(nn.ReLU())",
            "def r_layer(): return lambda x: x.clamp(min=0) + x.clamp(max=0).expm1()",
        ),
    ),
    Exercise(
        "r_class",
        "class r_class(nn.Module):\n    def forward(self, x): return torch.where(x > 0, x, x.exp() - 1)\n",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\nnet = r_class()\n"
        "assert torch.allclose(net(x), w)",
        (
            "r_class = nn.ELU",
            "class r_class(nn.Module):\n    def forward(self, x): return F.elu(x)\n",
            "class r_class(nn.ELU): pass",
            "class r_class(nn.Sequential):\n    def __init__(self): super().__init__(nn.ELU())",
        ),
        (
            "class r_class(nn.Sequential):\n    def forward(self, x): return torch.where(x > 0, x, x.exp() - 1)",
            "def r_class(): return lambda x: torch.where(x > 0, x, x.exp() - 1)",
        ),
    ),
    Exercise(
        "r_without",
        "class Own2(nn.Module):\n    def forward(self, x): return torch.where(x > 0, x, x.exp() - 1)\n"
        "def r_without(): return Own2()",
        "from course_lib import check\nx = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "net = r_without()\nwith check.without('torch.nn.functional.elu'):\n    y = net(x)\n"
        "assert torch.allclose(y, w)",
        (
            "def r_without(): return nn.ELU()",
            "class Own2(nn.Module):\n    def forward(self, x): return F.elu(x)\ndef r_without(): return Own2()",
            "def r_without(): return nn.Sequential(nn.Identity(), nn.ELU())",
            "def r_without(): return nn.ModuleList([nn.ELU()])[0]",
        ),
        ("def r_without(): return lambda x: torch.where(x > 0, x, x.exp() - 1)",),
    ),
    Exercise(
        "r_lazy",
        "def r_lazy(xs): return [torch.where(x > 0, x, x.exp() - 1) for x in xs]",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "for y in r_lazy([x, x]): assert torch.allclose(y, w)",
        (
            "def r_lazy(xs): return (F.elu(x) for x in xs)",
            "def r_lazy(xs):\n    for x in xs: yield F.elu(x)",
            "def r_lazy(xs): return map(F.elu, xs)",
            "class L:\n    def __init__(self, xs): self.xs = xs\n    def __len__(self): return len(self.xs)\n"
            "    def __getitem__(self, i): return F.elu(self.xs[i])\ndef r_lazy(xs): return L(xs)",
        ),
        (
            "def r_lazy(xs): return (torch.where(x > 0, x, x.exp() - 1) for x in xs)",
            "def r_lazy(xs): return map(lambda x: torch.where(x > 0, x, x.exp() - 1), xs)",
        ),
    ),
    Exercise(
        "r_oracle",
        "class r_oracle(nn.Module):\n    def forward(self, x): return torch.where(x > 0, x, x.exp() - 1)\n",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "assert torch.allclose(r_oracle()(x), F.elu(x))",
        (
            "r_oracle = nn.ELU",
            "class r_oracle(nn.Module):\n    def forward(self, x): return F.elu(x)\n",
            "def r_oracle(): return F.elu",
        ),
    ),
    Exercise(
        "r_way",
        "def r_way(x): return torch.where(x > 0, x, x.exp() - 1)",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "assert torch.allclose(r_way(x), w)",
        (
            "import _thread, time\ndef r_way(x):\n    out = []\n"
            "    _thread.start_new_thread(lambda: out.append(F.elu(x)), ())\n    while not out: time.sleep(.01)\n"
            "    return out[0]",
            "@torch.jit.script\ndef work(x: torch.Tensor):\n    return torch._C._nn.elu(x, 1.0, 1.0, 1.0)\n"
            "@torch.jit.script\ndef start(x: torch.Tensor):\n    return torch.jit.wait(torch.jit.fork(work, x))\n"
            "def r_way(x): return start(x)",
            "def r_way(x): return torch.func.functional_call(nn.ELU(), {}, (x,))",
            "def r_way(x): return torch.vmap(F.elu)(x[None])[0]",
            "class A(torch.autograd.Function):\n    @staticmethod\n"
            "    def forward(ctx, x): return torch._C._nn.elu(x)\n    @staticmethod\n"
            "    def backward(ctx, g): return g\ndef r_way(x): return A.apply(x)",
            "import concurrent.futures as c\ndef r_way(x):\n"
            "    with c.ThreadPoolExecutor(1) as p: return p.submit(torch._C._nn.elu, x).result()",
            "def r_way(x):\n    x = x.clone()\n    torch._C._nn.elu_(x)\n    return x",
            "def r_way(x): return torch.empty(9).copy_(x).apply_(lambda v: float(F.elu(torch.tensor(v))))",
        ),
        (
            "import _thread, time\ndef r_way(x):\n    out = []\n"
            "    _thread.start_new_thread(lambda: out.append(torch.where(x > 0, x, x.exp() - 1)), ())\n"
            "    while not out: time.sleep(.01)\n    return out[0]",
        ),
    ),
    Exercise(
        "r_mode",
        "def r_mode(x): return torch.where(x > 0, x, x.exp() - 1)",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "assert torch.allclose(r_mode(x), w)",
        (
            "def r_mode(x):\n    class T(torch.Tensor):\n        @classmethod\n"
            "        def __torch_function__(c, f, t, a=(), k=None): return torch._C._nn.elu(a[0].as_subclass(torch.Tensor))\n"
            "    return torch.relu(x.as_subclass(T))",
            "from torch.utils._python_dispatch import TorchDispatchMode\nclass M(TorchDispatchMode):\n"
            "    def __torch_dispatch__(self, f, t, a=(), k=None): return torch.ops.aten.elu.default(*a)\n"
            "def r_mode(x):\n    with M(): return torch.relu(x)",
            "def r_mode(x): return torch.func.vjp(F.elu, x)[0]",
            "def r_mode(x): return torch.func.jvp(torch.ops.aten.elu, (x,), (x,))[0]",
            "def r_mode(x): return torch.utils.checkpoint.checkpoint(torch._C._nn.elu, x, use_reentrant=False)",
            "def r_mode(x): return getattr(torch.ops.aten, 'elu').out(x, out=torch.empty(9))",
            "import atexit, gc, weakref\nclass D:\n    def __del__(self): out.append(torch._C._nn.elu(self.x))\n"
            "out = []\ndef r_mode(x):\n    out.clear(); d = D(); d.x = x; del d\n    return out[0]",
            "def r_mode(x):\n    with torch.autograd.profiler.profile(): return torch._C._nn.elu(x)",
        ),
    ),
    Exercise(
        "r_later",
        "def r_later(x): return torch.where(x > 0, x, x.exp() - 1)",
        "x = torch.linspace(-2, 2, 9)\nw = torch.where(x > 0, x, x.exp() - 1)\n"
        "assert torch.allclose(r_later(x), w)",
        (
            "def r_later(x): return torch.nested.nested_tensor([x]).unbind()[0].clone().sub_(0) if 0 else torch._C._nn.elu(torch.nested.nested_tensor([x])).unbind()[0]",
            "import sys\ndef r_later(x):\n    out = []\n    sys.settrace(lambda *a: None)\n"
            "    try: return torch._C._nn.elu(x)\n    finally: sys.settrace(None)",
            "import asyncio\ndef r_later(x):\n"
            "    async def go(): return await asyncio.to_thread(torch._C._nn.elu, x)\n    return asyncio.run(go())",
            "def r_later(x):\n    from torch.ao.nn.quantized.functional import elu\n"
            "    return elu(x, 1., 0) if x.is_quantized else torch.nn.quantized.FloatFunctional().add_scalar(torch._C._nn.elu(x), 0.)",
            "def r_later(x): return torch.library.custom_op('mine::elu', torch._C._nn.elu, mutates_args=(), schema='(Tensor x) -> Tensor')(x)",
            "lib = torch.library.Library('mine2', 'DEF')\nlib.define('e(Tensor x) -> Tensor')\n"
            "lib.impl('e', lambda x: torch._C._nn.elu(x), 'CPU')\ndef r_later(x): return torch.ops.mine2.e(x)",
        ),
    ),
    Exercise(
        "r_loss",
        "def r_loss(x, t): return -x.log_softmax(1)[torch.arange(len(t)), t].mean()",
        "torch.manual_seed(0)\nx, t = torch.rand(4, 3), torch.tensor([0, 1, 2, 0])\n"
        "w = -x.log_softmax(1)[torch.arange(4), t].mean()\nassert torch.allclose(r_loss(x, t), w)",
        (
            "def r_loss(x, t): return nn.CrossEntropyLoss()(x, t)",
            "r_loss = nn.CrossEntropyLoss()",
            "import torch.nn.functional as G\nr_loss = G.cross_entropy",
        ),
    ),
    Exercise(
        "r_log",
        "def r_log(v): return [float(torch.tensor(x, dtype=torch.float64).log()) for x in v]",
        "import math\nfor a, b in zip(r_log([1, 2]), [0, math.log(2)], strict=True): assert abs(a - b) < 1e-9",
        (
            "import math\ndef r_log(v): return [math.log(x) for x in v]",
            "import math\ndef r_log(v): return (math.log(x) for x in v)",
            "import math\ndef r_log(v): return list(map(math.log, v))",
            "import math\ndef r_log(v): return map(math.log, v)",
            "import math\nfrom functools import partial\ndef r_log(v): return [partial(math.log)(x) for x in v]",
            "import math, operator\ndef r_log(v): return [operator.call(math.log, x) for x in v]",
            "import math\ndef r_log(v): return sorted(v, key=math.log) and [math.log.__call__(x) for x in v]",
            "import math\ndef r_log(v): return np.frompyfunc(math.log, 1, 1)(np.array(v)).tolist()",
            "import math\ndef r_log(v): return np.vectorize(math.log)(v).tolist()",
        ),
        (
            "import numpy as np\ndef r_log(v): return np.log(v).tolist()",
            "def r_log(v): return (float(x) for x in torch.tensor(v).double().log())",
        ),
    ),
    Exercise(
        "r_sorted",
        "def r_sorted(xs):\n    xs = list(xs)\n    xs.sort()\n    return xs",
        "assert r_sorted([3, 1, 2]) == [1, 2, 3]",
        (
            "def r_sorted(xs): return sorted(xs)",
            "def r_sorted(xs): return next(map(sorted, [xs]))",
            "import operator\ndef r_sorted(xs): return operator.call(sorted, xs)",
            "import itertools\ndef r_sorted(xs): return next(itertools.starmap(sorted, [(xs,)]))",
        ),
        ("def r_sorted(xs): return torch.tensor(xs).sort().values.tolist()",),
    ),
    Exercise(
        "r_length",
        "def r_length(xs): return sum(1 for _ in xs)",
        "assert r_length([3, 1, 2]) == 3",
        (
            "def r_length(xs): return len(xs)",
            "def r_length(xs): return next(map(len, [xs]))",
        ),
        ("def r_length(xs): return int(torch.ones_like(torch.tensor(xs)).sum())",),
    ),
    Exercise(
        "r_fitted",
        "def r_fitted(x, y): return np.linalg.lstsq(x, y, rcond=None)[0]",
        "assert np.allclose(r_fitted(np.eye(3), np.arange(3.)), [0, 1, 2])",
        (
            "from sklearn.linear_model import LinearRegression\nmade = LinearRegression(fit_intercept=False)\n"
            "def r_fitted(x, y): return made.fit(x, y).coef_",
            "from sklearn.linear_model import LinearRegression\nclass Mine(LinearRegression):\n"
            "    def __init__(self):\n        self.fit_intercept = self.n_jobs = self.positive = False\n"
            "        self.copy_X, self.n_jobs, self.tol = True, None, 1e-6\n"
            "def r_fitted(x, y): return Mine().fit(x, y).coef_",
        ),
        (
            "from sklearn.linear_model import Ridge\n"
            "def r_fitted(x, y): return Ridge(alpha=1e-12, fit_intercept=False).fit(x, y).coef_",
        ),
    ),
    Exercise(
        "r_scored",
        "def r_scored(a, b): return float(np.mean(np.array(a) == b))",
        "assert r_scored([0, 1], [0, 0]) == .5",
        (
            "from sklearn import metrics\ndef r_scored(a, b): return metrics.accuracy_score(a, b)",
            "from sklearn import metrics\ndef r_scored(a, b): return metrics.accuracy_score.__wrapped__(a, b)",
        ),
        (
            "from sklearn.metrics import confusion_matrix\n"
            "def r_scored(a, b): return float(confusion_matrix(a, b).trace() / 2)",
        ),
    ),
]
