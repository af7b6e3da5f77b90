"""The tree of a parsed answer: frozen nodes, compared and hashed by value."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Num:
    """A number as written; `decimals` counts the digits after its point, None for an integer."""

    value: Fraction
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable, subscript included, or one of the constants ``pi``, ``e``, ``i`` and ``oo``."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on numbers: ``+ * / ^ neg ! pm mp % deg abs root`` (radicand, degree) or a function's name."""

    op: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Items in order between brackets; a plain list (``1, 2``) has no brackets."""

    opening: str
    items: tuple[Node, ...]
    closing: str


@dataclass(frozen=True, slots=True)
class Join:
    """Sets or cases joined by ``cup``, ``cap`` or ``minus``."""

    op: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """Sides with the relations between them: ``= != < <= > >= ~ in``."""

    ops: tuple[str, ...]
    sides: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Numbers in proportion, such as 7:32; a clock time is parsed the same way."""

    parts: tuple[Node, ...]


Unit: TypeAlias = tuple[tuple[str, int], ...]
"""Canonical unit names with their powers, sorted."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit."""

    value: Node
    unit: Unit


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of entries."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Text, folded."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words and mathematics in order, such as ``domain: [0, 2] and range: (1, 3)``."""

    parts: tuple[Node, ...]


Node: TypeAlias = "Num | Sym | Call | Group | Join | Relation | Ratio | Quantity | Matrix | Words | Phrase"

CONSTANTS = frozenset({"pi", "e", "i", "oo"})
EXPRESSIONS = (Num, Sym, Call)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below a node."""
    match node:
        case Call(args=below) | Group(items=below) | Join(parts=below) | Relation(sides=below):
            return below
        case Ratio(parts=below) | Phrase(parts=below):
            return below
        case Quantity(value=value):
            return (value,)
        case Matrix(rows=rows):
            return tuple(entry for row in rows for entry in row)
    return ()


def symbols(node: Node) -> frozenset[str]:
    """The variables in a node, without constants."""
    if isinstance(node, Sym):
        return frozenset() if node.name in CONSTANTS else frozenset({node.name})
    return frozenset().union(*(symbols(child) for child in children(node)))
