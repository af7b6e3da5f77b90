"""About how long stages take on the GPUs of a plan, as their trainers and backends estimate it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openvlt.errors import counted


@dataclass(frozen=True, slots=True)
class Hours:
    """About how long a stage takes, with the most rows it may have and the longest replies.

    Attributes:
        number: hours, for all of its rows.
        rows: how many rows `number` is for, where theirs is known only afterwards and it depends on it; else None.
    """

    number: float
    rows: int | None = None

    def __str__(self) -> str:
        return _rounded(self.number) + (f" per {self.rows:,} rows" if self.rows else "")


def estimated(hours: Callable[[int], float | None], rows: int | None) -> Hours | None:
    """Ask for the hours of so many rows, or of a thousand where their number is unknown; None if nothing is known."""
    if rows is not None:
        found = hours(rows)
        return None if found is None else Hours(found)
    few, more = hours(1000), hours(2000)
    return None if few is None else Hours(few, None if few == more else 1000)


def in_all(stages: Sequence[Hours | None]) -> str:
    """The sum of at least one stage, and what is missing from it."""
    whole = [each.number for each in stages if each and not each.rows]
    depending, unknown = sum(bool(each and each.rows) for each in stages), stages.count(None)
    left = [f"{counted(depending, 'stage')} whose rows are known only afterwards"] if depending else []
    left += [f"{counted(unknown, 'stage')} not estimated"] if unknown else []
    missing = " and ".join(left)
    if not whole:
        return f"Hours in all: unknown, with {missing}."
    summed = _rounded(sum(whole))
    return f"Hours in all: at most {summed.lstrip('<')}{missing and f', without {missing}'}."


def _rounded(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 0.05 else "<0.1"
