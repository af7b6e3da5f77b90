"""The choices on which graders reasonably differ, as options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Interval

from openvlt import Option

Units: TypeAlias = Annotated[
    Literal["convert", "require", "ignore"],
    Option(
        "convert between units; require the gold's own; or ignore them. Unless required, one side may omit its unit"
    ),
]
Percent: TypeAlias = Annotated[
    Literal["lenient", "whole", "strict"],
    Option("lenient: 28 is 28 %; whole: 28 is, but 0.5 is not 0.5 %; strict: only 0.28 is 28 %"),
]
Order: TypeAlias = Annotated[
    Literal["fixed", "free"], Option("free: lists in any order; sets always are, tuples and intervals never")
]
Braces: TypeAlias = Annotated[
    Literal["free", "fixed"], Option("free: a set answers a list in any order; fixed: only in the order of the list")
]
Brackets: TypeAlias = Annotated[
    Literal["exact", "strict", "loose"], Option("strict: 1, 2 is (1, 2); loose: so is [1, 2]; exact: neither is")
]
Digits: TypeAlias = Annotated[
    int, Ge(0), Option("significant digits a decimal needs to approximate an exact gold; 0: never accept one")
]
RoundedGold: TypeAlias = Annotated[
    bool, Option("an exact answer is right if it rounds to a decimal gold (16 pi for 50.27)")
]
Unevaluated: TypeAlias = Annotated[
    Literal["accept", "refuse"],
    Option("refuse: an answer that leaves arithmetic to do (12 x 34) is not its value"),
]
Nouns: TypeAlias = Annotated[
    Literal["any", "known"], Option("known: behind a number only nouns that the gold, its unit or the question has")
]
Reduced: TypeAlias = Annotated[bool, Option("fractions must be in lowest terms (2/4 is not 1/2)")]
Margin: TypeAlias = Annotated[
    Annotated[float, Ge(0)] | str,
    Option("accepted absolute error; or the metadata key of it, for rows that state one"),
]
Tolerance: TypeAlias = Annotated[float, Interval(ge=0, lt=1), Option("accepted relative error")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How strict a comparison is; the verifiers' options of the same names explain the fields.

    Attributes:
        known: words of the gold, its unit and the question, without the plural's s; needed where `nouns` is ``known``.
    """

    units: Units = "convert"
    percent: Percent = "lenient"
    order: Order = "fixed"
    braces: Braces = "free"
    brackets: Brackets = "strict"
    digits: Digits = 6
    precision: int | None = None
    tolerance: Tolerance = 0.0
    margin: float = 0.0
    rounded_gold: RoundedGold = False
    reduced: Reduced = False
    unevaluated: Unevaluated = "accept"
    nouns: Nouns = "any"
    known: frozenset[str] = frozenset()
