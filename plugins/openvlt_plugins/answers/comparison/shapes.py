"""Canonical forms: labels, plus-minus as a set, inequalities as intervals, lists of solutions."""

from __future__ import annotations

from typing import NamedTuple

from openvlt_plugins.answers.grammar.tree import (
    CONSTANTS,
    Call,
    Group,
    Join,
    Node,
    Num,
    Phrase,
    Quantity,
    Ratio,
    Relation,
    Sym,
    Words,
    children,
    symbols,
)
from openvlt_plugins.answers.values.exact import rational

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}


class Labelled(NamedTuple):
    """A value and its label, as in ``x = 2`` or ``Area = 15``."""

    label: Node | None
    value: Node


def is_equation(node: Node) -> bool:
    return isinstance(node, Relation) and set(node.ops) == {"="}


def labelled(node: Node) -> Labelled:
    """Split a label off: the last side of an equation whose first side is a name. ``5 = s`` counts as ``s = 5``."""
    if not isinstance(node, Relation):
        return Labelled(None, node)
    if node.ops == ("in",) and isinstance(node.sides[0], Sym) and isinstance(node.sides[1], Group | Join):
        return Labelled(node.sides[0], node.sides[1])
    if set(node.ops) != {"="}:
        return Labelled(None, node)
    sides = node.sides
    if len(sides) == 2 and isinstance(sides[1], Sym) and sides[1].name not in CONSTANTS and not is_name(sides[0]):
        sides = (sides[1], sides[0])
    numbers = {value for side in sides if (value := rational(side)) is not None}
    if len(numbers) > 1:
        return Labelled(None, node)
    if is_name(sides[0]) or (len(numbers) == 1 and not any(symbols(side) for side in sides)):
        return Labelled(sides[0] if is_name(sides[0]) else None, sides[-1])
    return Labelled(None, node)


def is_unevaluated(node: Node) -> bool:
    """True if arithmetic of numbers is left to be done: 12 x 34, 5!, the root of 16; not 3/4, 2.5 x 10^6 or 12 pi."""
    node = labelled(node).value
    if isinstance(node, Call) and rational(node) is not None:
        return not _is_written(node)
    return any(map(is_unevaluated, children(node)))


def _is_written(node: Node) -> bool:
    """True for a number as it is written: with a sign, a percent sign, as a fraction or with a power of ten."""
    match node:
        case Num():
            return True
        case Call(op="neg" | "%", args=(inner,)):
            return _is_written(inner)
        case Call(op="/", args=args):
            return all(isinstance(arg, Num) for arg in args)
        case Call(op="*", args=(Num(), Call(op="^", args=(Num(value=ten), power)))):
            return ten == 10 and _is_written(power)
        case Call(op="^", args=(Num(value=ten), power)):
            return ten == 10 and _is_written(power)
    return False


def is_name(node: Node) -> bool:
    """True if a node only names a value: a variable, f(2), an angle, (x, y), S1:S, a word; not 2x or x^2."""
    match node:
        case Words():
            return True
        case Sym(name=name):
            return name not in CONSTANTS
        case Call(op=op, args=args):
            if op.endswith("()"):
                return True
            return op not in {"neg", "!", "%", "deg", "root", "^"} and all(map(is_name, args))
        case Group(items=items) | Ratio(parts=items):
            return all(map(is_name, items))
    return False


def labels_agree(one: Node, other: Node) -> bool:
    """False if two labels name different things, such as x and y, or area and perimeter."""
    if one == other:
        return True
    if isinstance(one, Words) and isinstance(other, Words):
        a, b = one.text.split(), other.text.split()
        return a[-1] == b[-1] or any(len(word) == 1 for word in (*a, *b))
    if isinstance(one, Sym) and isinstance(other, Sym):
        return False
    if isinstance(one, Words | Sym) and isinstance(other, Words | Sym):
        # "y value" names y, and is no label of x; "slope" may be called m.
        name, text = (one, other) if isinstance(one, Sym) else (other, one)
        letters = {word for word in getattr(text, "text", "").split() if len(word) == 1}
        return not letters or getattr(name, "name", "").casefold() in letters
    pair = sorted((one, other), key=lambda node: isinstance(node, Call))
    if isinstance(pair[0], Sym) and isinstance(pair[1], Call) and pair[1].op.endswith("()"):
        return pair[0].name in {"y", pair[1].op.removesuffix("()")}
    return type(one) is not type(other)


def has_plus_minus(node: Node) -> bool:
    match node:
        case Call(op="pm" | "mp"):
            return True
        case Call(args=below):
            return any(map(has_plus_minus, below))
        case Quantity(value=value):
            return has_plus_minus(value)
    return False


def with_sign(node: Node, sign: str) -> Node:
    """The expression with `sign` for every plus-minus, and the opposite sign for every minus-plus."""
    match node:
        case Call(op=("pm" | "mp") as op, args=(inner,)):
            return Call("neg", (with_sign(inner, sign),)) if (op == "pm") == (sign == "-") else with_sign(inner, sign)
        case Call(op=op, args=args):
            return Call(op, tuple(with_sign(arg, sign) for arg in args))
        case Quantity(value=value, unit=unit):
            return Quantity(with_sign(value, sign), unit)
    return node


def solutions(node: Node) -> Node:
    """Plus-minus as a set of two values; a list of equations for one variable as the set of its values."""
    if has_plus_minus(node):
        return Group("{", (with_sign(node, "+"), with_sign(node, "-")), "}")
    if isinstance(node, Relation):
        label, value = labelled(node)
        if label is not None and has_plus_minus(value):
            return Relation(("=",), (label, solutions(value)))
    if isinstance(node, Group) and node.opening == "" and len(node.items) > 1:
        parts = [labelled(item) for item in node.items]
        names = {part.label for part in parts}
        if len(names) == 1 and isinstance(name := parts[0].label, Sym):
            return Relation(("=",), (name, Group("{", tuple(part.value for part in parts), "}")))
        # x = 1, 2 is x = 1 or x = 2.
        if isinstance(parts[0].label, Sym) and all(part.label is None for part in parts[1:]):
            return Relation(("=",), (parts[0].label, Group("{", tuple(part.value for part in parts), "}")))
    return node


def by_label(node: Node) -> dict[Node, Node] | None:
    """The values of a list by label, if each item has its own label."""
    if not isinstance(node, Group) or len(node.items) < 2:
        return None
    found = dict(labelled(item) for item in node.items)
    return {k: v for k, v in found.items() if k} if None not in found and len(found) == len(node.items) else None


def phrase_parts(node: Node) -> tuple[Node, ...]:
    """The parts of a phrase, or of a node that could be written as one: ``radius: 5`` is ``radius 5``."""
    match node:
        case Phrase(parts=parts):
            return parts
        case Relation(ops=("=",), sides=(Words() as label, value)):
            return label, value
        case Group(opening="", items=items):
            return tuple(part for item in items for part in phrase_parts(item))
    return (node,)


def interval(node: Node) -> tuple[str, Node] | None:
    """The variable of an inequality, and its interval or union of intervals."""
    if isinstance(node, Relation) and node.ops == ("in",) and isinstance(node.sides[0], Sym):
        return node.sides[0].name, node.sides[1]
    if isinstance(node, Relation) and set(node.ops) <= {"<", "<=", ">", ">="}:
        return _one_interval(node)
    if isinstance(node, Group) and node.opening == "" and len(node.items) > 1:
        parts = [interval(item) for item in node.items]
        if any(part is None for part in parts):
            return None
        found = [part for part in parts if part]
        if len({name for name, _ in found}) == 1 and _apart([part for _, part in found]):
            return found[0][0], Join("cup", tuple(part for _, part in found))
    return None


def _one_interval(node: Relation) -> tuple[str, Node] | None:
    sides, ops = node.sides, node.ops
    if ops[0] in {">", ">="}:
        sides, ops = sides[::-1], tuple(_FLIPPED[op] for op in ops[::-1])
    if not set(ops) <= {"<", "<="}:
        return None
    names = [index for index, side in enumerate(sides) if isinstance(side, Sym) and side.name not in CONSTANTS]
    if len(names) != 1 or any(symbols(side) for index, side in enumerate(sides) if index != names[0]):
        return None
    index, name = names[0], sides[names[0]]
    if not isinstance(name, Sym) or len(sides) > 3 or (len(sides) == 3 and index != 1):
        return None
    low = sides[index - 1] if index else Call("neg", (Sym("oo"),))
    high = sides[index + 1] if index + 1 < len(sides) else Sym("oo")
    opening = "[" if index and ops[index - 1] == "<=" else "("
    closing = "]" if index + 1 < len(sides) and ops[index] == "<=" else ")"
    return name.name, Group(opening, (low, high), closing)


def _apart(intervals: list[Node]) -> bool:
    """True if one interval ends before the other begins, so that the two together can only mean their union."""
    if len(intervals) != 2 or not all(isinstance(part, Group) for part in intervals):
        return False
    one, other = (part for part in intervals if isinstance(part, Group))
    for first, second in ((one, other), (other, one)):
        high, low = rational(first.items[1]), rational(second.items[0])
        if high is not None and low is not None and high <= low:
            return True
    return False
