"""How stages say how far they are, without knowing who listens."""

from __future__ import annotations

from typing import Protocol

from openvlt.records import StageRecord


class Progress(Protocol):
    """Shown live on a terminal, as plain lines elsewhere."""

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` units of work lie before it, if that is known."""
        ...

    def advance(self, done: int, **counts: float) -> None:
        """So many more units are done; `counts` (tokens, rejected, reward, loss, ...) replace those shown before."""
        ...

    def end(self, record: StageRecord) -> None:
        """The stage has ended."""
        ...

    def note(self, text: str) -> None:
        """Something the user should know: a choice made for him, a warning."""
        ...


class Quiet:
    """Listens to nothing."""

    def begin(self, stage: str, total: int | None, unit: str) -> None: ...

    def advance(self, done: int, **counts: float) -> None: ...

    def end(self, record: StageRecord) -> None: ...

    def note(self, text: str) -> None: ...
