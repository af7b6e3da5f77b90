"""Source positions of the keys of a recipe, for messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Key: TypeAlias = tuple[str | int, ...]
"""A key's path: names, and numbers in lists, such as ``("iterations", 0, "traces", "data", "limit")``."""


@dataclass(frozen=True, slots=True)
class SourcePositions:
    """The source positions of one recipe.

    Attributes:
        path: the file.
        lines: line of each key in the file, from 1.
        settings: the ``--set`` strings with the key that each sets; they override the file.
        switches: the switch that replaced a block, as typed, such as ``--teacher chat``, by the key of the block.
    """

    path: Path
    lines: Mapping[Key, int] = field(default_factory=dict)
    settings: Sequence[tuple[Key, str]] = ()
    switches: Mapping[Key, str] = field(default_factory=dict)

    def of(self, key: Key) -> str:
        """The setting or switch that set a key, else ``file:line`` of the key or of its nearest parent.

        A key that an iteration takes from the top of the recipe has its position there; settings of keys below it are
        named with it.
        """
        shared = key[2:] if key[:1] == ("iterations",) else ()
        for steps, setting in reversed(self.settings):
            created = key != () and key not in self.lines and steps[: len(key)] == key
            if created or steps in (key[: len(steps)], shared[: len(steps)]):
                return f"--set {setting}"
        for steps, switch in self.switches.items():
            if steps in (key[: len(steps)], shared[: len(steps)]):
                return switch
        depth, line = self._nearest(key)
        depth_shared, line_shared = self._nearest(shared)
        if depth_shared and depth_shared + 2 > depth:
            line = line_shared
        below = [setting for steps, setting in self.settings if key and _is_below(steps, key, shared)]
        return " with ".join([f"{self.path}:{line}" if line else str(self.path), *(f"--set {each}" for each in below)])

    def _nearest(self, key: Key) -> tuple[int, int | None]:
        at: Key = ()
        depth = 0
        for step in key:
            if (*at, step) in self.lines:
                at = (*at, step)
            elif step != 0:  # a list of one item may be written as that item
                break
            depth += 1
        return depth, self.lines.get(at)


def _is_below(steps: Key, key: Key, shared: Key) -> bool:
    return steps[: len(key)] == key or (bool(shared) and steps[: len(shared)] == shared)


def split(key: str) -> Key:
    """Split ``iterations.0.traces`` into its steps."""
    return tuple(int(step) if step.isdigit() else step for step in key.split("."))
