"""Equations and inequalities, equal up to a nonzero factor."""

from __future__ import annotations

from fractions import Fraction

from openvlt_plugins.answers.grammar.limits import TooLarge
from openvlt_plugins.answers.grammar.tree import Call, Node, Relation
from openvlt_plugins.answers.values.normal import Opaque, Poly, normal, start_work
from openvlt_plugins.answers.values.probe import NO_VALUE, points, value

_GREATER = {">": "<", ">=": "<="}


def zero_side(relation: Relation) -> tuple[str, Node]:
    """The relation as an operator and an expression compared with zero; greater-than becomes less-than."""
    left, right = relation.sides
    op = relation.ops[0]
    if op in _GREATER:
        return _GREATER[op], Call("+", (right, Call("neg", (left,))))
    return op, Call("+", (left, Call("neg", (right,))))


def same_equation(one: Node, other: Node, *, signed: bool) -> bool | None:
    """Whether two expressions are multiples of each other, and so vanish together; None if the normal form cannot tell.

    Args:
        one: an expression compared with zero.
        other: another.
        signed: True if the factor must be positive, as between inequalities.
    """
    start_work()
    try:
        a, b = normal(one), normal(other)
        comparable = not signed or (a.is_polynomial and b.is_polynomial)
        if comparable and _primitive(a.top, signed) == _primitive(b.top, signed):
            return True
    except (Opaque, TooLarge):
        pass
    return False if _ratio_varies(one, other) else None


def _primitive(poly: Poly, signed: bool) -> Poly:
    """The polynomial without negative powers and common variables, its leading coefficient one (or minus one)."""
    if not poly:
        return poly
    atoms = {atom for mono in poly for atom, _ in mono}
    lowest = {atom: min(dict(mono).get(atom, Fraction()) for mono in poly) for atom in atoms}
    if not signed:
        poly = {
            tuple(sorted((a, e) for a in atoms if (e := dict(mono).get(a, Fraction()) - min(lowest[a], Fraction())))): c
            for mono, c in poly.items()
        }
    lead = poly[max(poly)]
    return {mono: coefficient / (abs(lead) if signed else lead) for mono, coefficient in poly.items()}


def _ratio_varies(one: Node, other: Node) -> bool:
    """True if the quotient of the two is proven to differ between two points."""
    ratios = []
    for point in points(one, other):
        try:
            a, b = value(one, point), value(other, point)
            ratios.append((a.at / b.at, (a.error / (abs(a.at) + 1e-300) + b.error / abs(b.at))))
        except NO_VALUE:
            continue
    if len(ratios) < 2:
        return False
    (first, error), *rest = ratios
    return any(abs(r - first) > 1e3 * (e + error + 1e-15) * (abs(r) + abs(first)) for r, e in rest)
