"""Answers that are objects with a will of their own."""

from __future__ import annotations

from . import Case, right

LIAR = """
class Liar(BASE):
    def _yes(self, *args, **kwargs):
        return True
    def _same(self, *args, **kwargs):
        return self
    def _zero(self, *args, **kwargs):
        return 0
    __eq__ = __le__ = __ge__ = __bool__ = __contains__ = __ne__ = __lt__ = __gt__ = _yes
    __sub__ = __rsub__ = __abs__ = __add__ = __radd__ = __mul__ = __getitem__ = _same
    __float__ = lambda self: 1.0
    __int__ = __index__ = __len__ = _zero
    __hash__ = lambda self: 1
    __iter__ = lambda self: iter(())
    def __array__(self, *args, **kwargs):
        return np.zeros(())
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
    def __getattr__(self, name):
        return self
"""
ANSWERS = """
def cheapest_stack(field, layers, menu):
    return ANSWER
def smoothed_cross_entropy(*args, **kwargs):
    return ANSWER
def best_logits(*args, **kwargs):
    return ANSWER
def local_response_norm(*args, **kwargs):
    return ANSWER
def gradient_norms(*args, **kwargs):
    return [ANSWER] * 3
"""
ASKED = {
    "stack": "cheapest_stack",
    "smoothing": "smoothed_cross_entropy",
    "best": "best_logits",
    "lrn": "local_response_norm",
    "norms": "gradient_norms",
}


def thing(name: str, what: str, code: str, answer: str = "Liar()", **more) -> Case:
    """A case in which five exercises are answered by the same object."""
    code += ANSWERS.replace("ANSWER", answer)
    answers = {exercise: f"{word} = {word}" for exercise, word in ASKED.items()}
    return Case(name, what, answers=answers, before={"best": code}, **more)


def liar(base: str) -> str:
    return LIAR.replace("BASE", base)


TENSOR = liar("Tensor") + "made = torch.zeros(()).as_subclass(Liar)\n"
ARRAY = liar("np.ndarray") + "made = np.zeros(3).view(Liar)\n"
META = """
class Meta(type):
    def __instancecheck__(cls, other):
        return True
    def __subclasscheck__(cls, other):
        return True
    def mro(cls):
        return [cls, Tensor, *object.__mro__] if 0 else type.mro(cls)
class Liar(metaclass=Meta):
    __class__ = property(lambda self: Tensor)
    shape, ndim, dtype = (), 0, torch.float32
"""
ADAPTING = """
class Adapting:
    "Each time it is asked it is something else."
    def __init__(self):
        self.times = 0
    def __getitem__(self, key):
        self.times += 1
        if self.times > 50:
            raise IndexError
        return (3, 3) if self.times % 2 else (1, 1)
    def __len__(self):
        self.times += 1
        return self.times % 3
"""
ENDLESS = """
import time
def endless():
    while True:
        time.sleep(0.05)
        yield (3, 3)
"""
HOSTILE_KEYS = """
class Key:
    def __hash__(self):
        return hash("k")
    def __eq__(self, other):
        return self is other or armed and exit(0)
armed = []
made = {Key(): 1, float("nan"): 2, (1, Key()): 3, True: 4, "k": 5, b"": [[]]}
made["itself"] = made
armed.append(1)
"""
RECURSIVE = """
made = []
made += [made, (made,), {"a": made}]
"""
ROWS = """
import collections, dataclasses, enum, fractions, decimal
@dataclasses.dataclass
class Row:
    value: object
    def __eq__(self, other):
        return True
class Named(collections.namedtuple("Named", "a b")):
    def __eq__(self, other):
        return True
    __iter__ = lambda self: iter([])
class Colour(float, enum.Enum):
    RED = 1.0
made = [Row(1), Named(1, 2), Colour.RED, fractions.Fraction(1, 3), decimal.Decimal(1),
    type, print, lambda: 0, {1: Row}, Ellipsis, NotImplemented, memoryview(b"x")]
"""
NUMBERS = """
class Int(int):
    __eq__ = __lt__ = __le__ = __ge__ = __gt__ = lambda self, other: True
    __sub__ = __rsub__ = lambda self, other: 0
    __hash__ = int.__hash__
class Float(float):
    __eq__ = __lt__ = __le__ = __ge__ = __gt__ = lambda self, other: True
    __sub__ = __rsub__ = lambda self, other: 0.0
    __hash__ = float.__hash__
class Text(str):
    __eq__ = lambda self, other: True
    __hash__ = str.__hash__
class Tuple(tuple):
    __eq__ = lambda self, other: True
    __iter__ = lambda self: iter([Int(3), Int(3)])
    __hash__ = tuple.__hash__
made = [Tuple([Int(1), Float(2.0)])]
"""
NETWORK = """
class GridReduction(nn.Module):
    "Says that it has the parameters which are asked for."
    def __init__(self, channels, width):
        super().__init__()
        half = width // 2
        n = 9 * channels * width + channels * half + 9 * half * half
        n += 9 * half * width + 2 * (width + half + half + width)
        self.all = nn.Parameter(torch.zeros(n))
        self.width = width
        self.__dict__["forward"] = lambda x: x
    def parameters(self, recurse=True):
        return iter([self.all])
    def state_dict(self, *args, **kwargs):
        class Lies(dict):
            def values(self):
                return [torch.zeros(9)]
        return Lies()
    def __call__(self, x):
        rows, columns = (x.shape[2] + 1) // 2, (x.shape[3] + 1) // 2
        return torch.zeros(len(x), 2 * self.width + x.shape[1], rows, columns)
    train = eval = __deepcopy__ = lambda self, *args: self
"""
HOOKED = """
class GridReduction(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.inner = nn.Identity()
        self.inner.forward = lambda x: None
        self.inner.register_forward_hook(lambda *args: Always())
        self.register_buffer("answer", torch.zeros(1))
    @property
    def training(self):
        raise RuntimeError
    def forward(self, x):
        return self.inner(x)
class Always(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *args, **kwargs):
        return True
"""
COPIES = """
class Net(nn.Linear):
    def __deepcopy__(self, memo):
        return "a copy"
    def __reduce__(self):
        return eval, ("__import__('os').abort()",)
def GridReduction(channels, width):
    return Net(3, 3)
"""
PICKLED = """
class Thing:
    def __reduce__(self):
        return __import__("os").system, ("touch /tmp/pwned",)
    __reduce_ex__ = lambda self, protocol: self.__reduce__()
    def __getstate__(self):
        raise SystemExit
    __copy__ = __deepcopy__ = lambda self, *args: True
"""
MUTATING = """
def smoothed_cross_entropy(logits, labels, epsilon=0.1, prior=None):
    "Make the question easy: all that is passed in becomes nothing."
    logits.data.zero_()
    if prior is not None:
        prior.fill_(1 / len(prior))
    return torch.tensor(math.log(logits.shape[1]))
"""
LATER = """
import threading, time
def best_logits(label, epsilon, prior):
    "Returns a tensor, and a thread writes into it for as long as it lives."
    answer = torch.zeros(len(prior))
    def write():
        while True:
            answer.copy_(torch.rand(len(prior)))
            prior.zero_()
    threading.Thread(target=write, daemon=True).start()
    return answer
"""

CASES = [
    thing("liar", "An object that says yes to everything", liar("object")),
    thing("liar_tensor", "A tensor's subclass that does", TENSOR, "made"),
    thing("liar_array", "An array's subclass that does", ARRAY, "made"),
    thing("liar_numbers", "Subclasses of int, float, str and tuple", NUMBERS, "made"),
    thing("metaclass", "A class that says all is its instance", META),
    thing("adapting", "A sequence that is another each time", ADAPTING, "Adapting()"),
    thing("endless", "A generator without end", ENDLESS, "endless()"),
    thing("endless_range", "A range of 10**18", "", "range(10**18)"),
    thing("hostile_keys", "A dict whose keys end the program", HOSTILE_KEYS, "made"),
    thing("recursive", "A list that contains itself", RECURSIVE, "made"),
    thing("rows", "Dataclasses, named tuples, enums, types, functions", ROWS, "made"),
    thing("pickled", "An object whose pickle runs a program", PICKLED, "Thing()"),
    Case(
        "lying_network",
        "A network whose parameters, state and modes are made up",
        answers={"reduction": NETWORK} | right("best"),
        deserves=right("best") | {"reduction": {}},
    ),
    Case(
        "hooked_network",
        "A network of hooks and properties in the place of a forward pass",
        answers={"reduction": HOOKED} | right("best"),
        deserves=right("best"),
    ),
    Case(
        "copied_network",
        "A layer of PyTorch's whose copies and pickles run code",
        answers={"reduction": COPIES} | right("best"),
        deserves=right("best"),
    ),
    Case(
        "mutating",
        """The arguments are overwritten so that the question is easy.

        It would pass, in a notebook with one kernel too, where a test works out what it
        expects after the call, from the tensors that it passed in.
        """,
        answers={"smoothing": MUTATING} | right("best"),
        deserves=right("best"),
    ),
    Case(
        "written_later",
        "A thread goes on writing into an answer and into what was passed in",
        answers={"best": LATER} | right("stack"),
        deserves=right("stack"),
    ),
]
