"""How much work a verdict may take in the calling process, where nothing can stop it: steps, not seconds.

A step is about a microsecond of work: a token read, a node evaluated, a product of two terms. Seconds would depend on
the machine and what else it does; a verdict must not.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

QUICK = 30_000
"""steps of a verdict in the calling process; what takes more is decided by a worker"""


class Exhausted(Exception):
    """The work has taken all its steps."""


class _Left(threading.local):
    steps = math.inf


_LEFT = _Left()


def spend(steps: int = 1) -> None:
    """Count steps of this thread's verdict.

    Raises:
        Exhausted: there are none left.
    """
    _LEFT.steps -= steps
    if _LEFT.steps < 0:
        raise Exhausted


@contextmanager
def at_most(steps: int) -> Iterator[None]:
    """Limit the steps of what this thread does within; a limit around it holds too."""
    before = _LEFT.steps
    _LEFT.steps = min(before, steps)
    try:
        yield
    finally:
        _LEFT.steps = before
