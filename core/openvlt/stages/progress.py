"""How stages report progress."""

from __future__ import annotations

from typing import Protocol

from openvlt.records import StageRecord


class Progress(Protocol):
    """Receives the progress of stages."""

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins, with `total` units of work, if known; an empty name continues the current stage."""
        ...

    def advance(self, done: int, **counts: float) -> None:
        """`done` more units are done; `counts` (tokens, rejected, reward, loss, ...) replace the earlier ones."""
        ...

    def end(self, record: StageRecord) -> None:
        """The stage has ended."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know: a choice made automatically, a warning."""
        ...


class Quiet:
    """Ignores all progress."""

    def begin(self, stage: str, total: int | None, unit: str) -> None: ...

    def advance(self, done: int, **counts: float) -> None: ...

    def end(self, record: StageRecord) -> None: ...

    def note(self, text: str) -> None: ...
