"""What may go wrong with one node of a solution's syntax: each kind of mistake once.

A kind is a function from a node to the nodes that may stand there by mistake. A node
that it has nothing to say of gives none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import libcst as cst

Node = TypeVar("Node", bound=cst.CSTNode)
Change = Callable[[cst.CSTNode], Iterator[cst.CSTNode]]
TRUE, FALSE = cst.Name("True"), cst.Name("False")

COMPARISONS = {
    cst.LessThan: (cst.LessThanEqual, cst.GreaterThan),
    cst.LessThanEqual: (cst.LessThan, cst.GreaterThan),
    cst.GreaterThan: (cst.GreaterThanEqual, cst.LessThan),
    cst.GreaterThanEqual: (cst.GreaterThan, cst.LessThan),
    cst.Equal: (cst.NotEqual,),
    cst.NotEqual: (cst.Equal,),
    cst.In: (cst.NotIn,),
    cst.NotIn: (cst.In,),
    cst.Is: (cst.IsNot,),
    cst.IsNot: (cst.Is,),
}
BINARY = {
    cst.Add: cst.Subtract,
    cst.Subtract: cst.Add,
    cst.Multiply: cst.Divide,
    cst.Divide: cst.Multiply,
    cst.FloorDivide: cst.Divide,
    cst.Modulo: cst.FloorDivide,
    cst.Power: cst.Multiply,
    cst.BitAnd: cst.BitOr,
    cst.BitOr: cst.BitAnd,
}
ASSIGNED = {
    cst.AddAssign: cst.SubtractAssign,
    cst.SubtractAssign: cst.AddAssign,
    cst.MultiplyAssign: cst.DivideAssign,
    cst.DivideAssign: cst.MultiplyAssign,
    cst.BitAndAssign: cst.BitOrAssign,
    cst.BitOrAssign: cst.BitAndAssign,
}
# a word of the field and the one that is written in its place; both ways
WORDS = (
    "relu tanh",
    "ReLU Tanh",
    "softmax log_softmax",
    "max min",
    "amax amin",
    "maximum minimum",
    "argmax argmin",
    "sum mean",
    "std var",
    "floor ceil",
    "any all",
    "sin cos",
    "exp expm1",
    "log log1p",
    "zeros ones",
    "zeros_like ones_like",
    "zeros_ ones_",
    "rand randn",
    "train eval",
    "no_grad enable_grad",
    "max_pool2d avg_pool2d",
    "MaxPool2d AvgPool2d",
    "BatchNorm2d InstanceNorm2d",
    "append extend",
    "reflect constant",
    "nearest bilinear",
    "ij xy",
)
OTHER = {one: two for pair in map(str.split, WORDS) for one, two in (pair, pair[::-1])}
# what is forgotten: f(x, …) for x, and x.f(…) for x
FORGOTTEN = set(
    """
    abs batch_norm clamp clip clone contiguous copy deepcopy detach double dropout
    eval exp flatten flip float int log norm normalize pad permute relu rot90 round
    softmax sorted sqrt square squeeze t tanh transpose unsqueeze unsqueeze_ view
    """.split()
)


def comparison(node: cst.ComparisonTarget) -> Iterator[cst.CSTNode]:
    """Compare otherwise: at the border, or the other way round."""
    for other in COMPARISONS.get(type(node.operator), ()):
        yield node.with_changes(operator=other())


def arithmetic(node: cst.BinaryOperation) -> Iterator[cst.CSTNode]:
    """Take the neighbouring operator."""
    if other := BINARY.get(type(node.operator)):
        yield node.with_changes(operator=other())


def assigned(node: cst.AugAssign) -> Iterator[cst.CSTNode]:
    """Take the neighbouring operator in x += y."""
    if other := ASSIGNED.get(type(node.operator)):
        yield node.with_changes(operator=other())


def logic(node: cst.BooleanOperation) -> Iterator[cst.CSTNode]:
    """Swap `and` and `or`; forget one side."""
    other = cst.Or if isinstance(node.operator, cst.And) else cst.And
    yield node.with_changes(operator=other())
    yield node.left
    yield node.right


def sign(node: cst.UnaryOperation) -> Iterator[cst.CSTNode]:
    """Forget -, `not` or ~."""
    yield node.expression


def whole_number(node: cst.Integer) -> Iterator[cst.CSTNode]:
    """Be off by one: sizes, axes, strides, padding, kernels, borders."""
    value = int(node.value, 0)
    yield node.with_changes(value=str(value + 1))
    if value > 0:
        yield node.with_changes(value=str(value - 1))


def fraction(node: cst.Float) -> Iterator[cst.CSTNode]:
    """Take twice the number."""
    value = float(node.value)
    yield node.with_changes(value=repr(2 * value if value else 1.0))


def truth(node: cst.Name) -> Iterator[cst.CSTNode]:
    """Swap True and False: bias, training, keepdim, inplace, …"""
    if node.value in ("True", "False"):
        yield node.with_changes(value=str(node.value != "True"))


def word(node: cst.Attribute) -> Iterator[cst.CSTNode]:
    """Write the neighbouring function: another activation, norm, pooling, sum."""
    if other := OTHER.get(node.attr.value):
        yield node.with_changes(attr=cst.Name(other))


def setting(node: cst.SimpleString) -> Iterator[cst.CSTNode]:
    """Write the neighbouring mode."""
    value = node.evaluated_value
    if value in OTHER:
        yield node.with_changes(value=repr(OTHER[value]))


def call(node: cst.Call) -> Iterator[cst.CSTNode]:
    """Swap two arguments, drop one, forget the root, the activation, the copy, …"""
    for first in range(len(node.args) - 1):
        pair = node.args[first : first + 2]
        if all(arg.keyword is None and not arg.star for arg in pair):
            swapped = [
                arg.with_changes(value=other.value)
                for arg, other in zip(pair, pair[::-1], strict=True)
            ]
            yield node.with_changes(
                args=(*node.args[:first], *swapped, *node.args[first + 2 :])
            )
    for place, arg in enumerate(node.args):
        last = place == len(node.args) - 1 and place
        if arg.keyword or (last and not arg.star):
            kept = [*node.args[:place], *node.args[place + 1 :]]
            kept[-1:] = [
                a.with_changes(comma=cst.MaybeSentinel.DEFAULT) for a in kept[-1:]
            ]
            yield node.with_changes(args=kept)
    if isinstance(node.func, cst.Name) and node.func.value in OTHER:
        yield node.with_changes(func=cst.Name(OTHER[node.func.value]))
    yield from _forgotten(node)


def _forgotten(node: cst.Call) -> Iterator[cst.CSTNode]:
    function, where = node.func, None
    if isinstance(function, cst.Attribute):
        function, where = function.attr, function.value
    if not isinstance(function, cst.Name) or function.value not in FORGOTTEN:
        return
    module = isinstance(where, cst.Name) and where.value in MODULES
    if where is not None and not module and not _named(where, "functional"):
        yield where
    elif node.args and not node.args[0].star:
        yield cst.ensure_type(node.args[0].value, cst.BaseExpression)


MODULES = {"torch", "F", "np", "math", "copy", "linalg"}


def _named(node: cst.CSTNode, name: str) -> bool:
    return isinstance(node, cst.Attribute) and node.attr.value in (name, "linalg")


def part(node: cst.Slice) -> Iterator[cst.CSTNode]:
    """Forget where a slice begins, where it ends, or its step."""
    if node.lower:
        yield node.with_changes(lower=None)
    if node.upper:
        yield node.with_changes(upper=None)
    if node.step:
        yield node.with_changes(step=None, second_colon=cst.MaybeSentinel.DEFAULT)


def order(node: cst.Tuple) -> Iterator[cst.CSTNode]:
    """Swap two neighbours: height and width, mean and variance, …"""
    for first in range(len(node.elements) - 1):
        one, two = node.elements[first : first + 2]
        swapped = one.with_changes(value=two.value), two.with_changes(value=one.value)
        yield node.with_changes(
            elements=(*node.elements[:first], *swapped, *node.elements[first + 2 :])
        )


def either(node: cst.IfExp) -> Iterator[cst.CSTNode]:
    """Take one answer for both cases."""
    yield cst.ensure_type(node.body, cst.BaseExpression)
    yield cst.ensure_type(node.orelse, cst.BaseExpression)


def condition(node: cst.If) -> Iterator[cst.CSTNode]:
    """Forget the check of bad input, or take one branch for both cases."""
    yield node.with_changes(test=FALSE)
    yield node.with_changes(test=TRUE)


def filtered(node: cst.CompFor) -> Iterator[cst.CSTNode]:
    """Forget what a comprehension leaves out."""
    if node.ifs:
        yield node.with_changes(ifs=node.ifs[1:])


def jump(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Swap `break` and `continue`."""
    yield cst.Continue() if isinstance(node, cst.Break) else cst.Break()


def statement(node: cst.SimpleStatementLine) -> Iterator[cst.CSTNode]:
    """Forget a line: a call for its effect, or a change of what is there already."""
    if len(node.body) != 1:
        return
    (line,) = node.body
    called = isinstance(line, cst.Expr) and isinstance(
        line.value, (cst.Call, cst.Yield)
    )
    anew = isinstance(line, cst.Assign) and _uses_its_target(line)
    if called or anew or isinstance(line, (cst.AugAssign, cst.Del)):
        yield node.with_changes(body=[cst.Pass()])


def _uses_its_target(line: cst.Assign) -> bool:
    targets = [target.target for target in line.targets]
    return any(uses(line.value, target) for target in targets)


def block(node: cst.IndentedBlock) -> Iterator[cst.CSTNode]:
    """Swap two lines of which the second changes what the first changed."""
    lines = list(node.body)
    for place in range(len(lines) - 1):
        one, two = (_target(line) for line in lines[place : place + 2])
        if one is not None and two is not None and one.deep_equals(two):
            pair = lines[place : place + 2]
            swapped = [
                other.with_changes(leading_lines=line.leading_lines)  # comments stay
                for line, other in zip(pair, pair[::-1], strict=True)
            ]
            yield node.with_changes(
                body=[*lines[:place], *swapped, *lines[place + 2 :]]
            )


def _target(line: cst.CSTNode) -> cst.CSTNode | None:
    if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1:
        (inner,) = line.body
        if isinstance(inner, cst.Assign) and len(inner.targets) == 1:
            return inner.targets[0].target
        if isinstance(inner, cst.AugAssign):
            return inner.target
    return None


def uses(node: cst.CSTNode, target: cst.CSTNode) -> bool:
    """Does `target` stand anywhere in `node`?"""
    return node.deep_equals(target) or any(uses(c, target) for c in node.children)


KINDS: dict[type[cst.CSTNode], tuple[Change, ...]] = {
    cst.ComparisonTarget: (comparison,),
    cst.BinaryOperation: (arithmetic,),
    cst.AugAssign: (assigned,),
    cst.BooleanOperation: (logic,),
    cst.UnaryOperation: (sign,),
    cst.Integer: (whole_number,),
    cst.Float: (fraction,),
    cst.Name: (truth,),
    cst.Attribute: (word,),
    cst.SimpleString: (setting,),
    cst.Call: (call,),
    cst.Slice: (part,),
    cst.Tuple: (order,),
    cst.IfExp: (either,),
    cst.If: (condition,),
    cst.CompFor: (filtered,),
    cst.Break: (jump,),
    cst.Continue: (jump,),
    cst.SimpleStatementLine: (statement,),
    cst.IndentedBlock: (block,),
}
