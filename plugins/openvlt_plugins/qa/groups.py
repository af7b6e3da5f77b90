"""Figures over groups of questions: all variants right, the worst case, every turn of a circle, the mean of tasks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from openvlt import Example, Verdict

Right: TypeAlias = Literal["all", "any", "none", "not all"]
OTHERS = "*"
"""Stands for every role that is not named."""

_HOLDS: dict[str, Callable[[list[bool]], bool]] = {
    "all": all,
    "any": any,
    "none": lambda right: not any(right),
    "not all": lambda right: not all(right),
}


@dataclass(frozen=True)
class Groups:
    """The share of groups in which the right questions are right.

    Attributes:
        by: metadata keys; questions with the same values form a group.
        right: which of a group's questions must be right; or that by role, where a group without one of the roles does
            not count; or ``mean`` for the mean of the groups' accuracies.
        role: metadata key of a question's role in its group.
    """

    by: tuple[str, ...]
    right: Right | Literal["mean"] | Mapping[str, Right] = "all"
    role: str = ""

    def figure(self, rows: Sequence[tuple[Example, Verdict]]) -> float:
        """Compute the figure; 0 if there are no groups."""
        groups: defaultdict[tuple[str, ...], list[tuple[Example, Verdict]]] = defaultdict(list)
        for example, verdict in rows:
            groups[tuple(str(example.metadata.get(key)) for key in self.by)].append((example, verdict))
        found = [share for group in groups.values() if (share := self._share(group)) is not None]
        return sum(found) / len(found) if found else 0.0

    def _share(self, group: Sequence[tuple[Example, Verdict]]) -> float | None:
        if self.right == "mean":
            return accuracy(group)
        wanted: Mapping[str, Right] = {OTHERS: self.right} if isinstance(self.right, str) else self.right
        by_role: defaultdict[str, list[bool]] = defaultdict(list)
        for example, verdict in group:
            role = str(example.metadata.get(self.role))
            by_role[role if role in wanted else OTHERS].append(verdict.status == "correct")
        if any(role not in by_role for role in wanted):
            return None
        return float(all(_HOLDS[right](by_role[role]) for role, right in wanted.items()))


def accuracy(rows: Sequence[tuple[Example, Verdict]]) -> float:
    """The share of rows that are right, where partial credit counts for nothing, as in `Rate.accuracy`."""
    return sum(verdict.status == "correct" for _, verdict in rows) / max(len(rows), 1)
