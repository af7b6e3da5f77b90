"""Errors for users: one sentence what is wrong, one sentence what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Self

PASSING = (KeyboardInterrupt, GeneratorExit)
"""What no component is blamed for: the user ends the command, or a caller the generator."""


class OpenvltError(Exception):
    """An error a user can act on; the command line prints it without a traceback.

    Args:
        problem: one sentence: what is wrong, with the value and where it came from.
        remedy: one sentence: what to do about it.
        option: the option of a component that it is about, such as ``source.path``, by which its source position is
            found; empty for the component itself.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, remedy: str = "", option: str = "") -> None:
        super().__init__(f"{problem} {remedy}".strip())
        self.problem = problem
        self.remedy = remedy
        self.option = option

    def at(self, position: str) -> Self:
        """The same error, which says where its cause is."""
        return type(self)(f"{position}: {self.problem}", self.remedy)


class UsageError(OpenvltError):
    """The command line or a recipe asks for something impossible."""

    exit_code = 2


class PluginError(OpenvltError):
    """A plugin is missing, broken or ambiguous."""

    exit_code = 3


class WrongResult(ValueError):
    """What a component returned is not what its interface says; the message completes "it ..."."""


class Fault(PluginError):
    """A method of a component raised an exception, or returned what it must not; `openvlt.registry.guard` makes it.

    Attributes:
        reason: what failed, how and where, the same for the same cause; a row is rejected for it.
        transient: True if the machine may be the cause, so that the next run tries the row again.
    """

    reason: str = ""
    transient: bool = False

    @classmethod
    def of(cls, reason: str, row: str = "") -> Self:
        """The fault with this reason; `row` is the id of the row it is about, or ``row 4`` where it has none."""
        on = f", on {row if row.startswith('row ') else f'row {row}'}" if row else ""
        fault = cls(f"The {reason}{on}.", "Fix it there, or report it to the plugin's author.")
        fault.reason = reason
        return fault


class DataError(OpenvltError):
    """Data cannot be read or written, or too little of it remains."""

    exit_code = 4


class RemoteError(OpenvltError):
    """An endpoint or hub does not respond as it should."""

    exit_code = 5


@contextmanager
def located(position: Callable[[], str]) -> Iterator[None]:
    """Begin the message of an error that is raised inside with the source position of its cause; empty for none."""
    try:
        yield
    except OpenvltError as error:
        if not (where := position()):
            raise
        raise error.at(where) from error


_LONGEST_REASON = 1_000
"""Characters of a reason that are kept: it is stored and shown for each cause."""


class Reject(Exception):
    """Raised by any component to reject one row, which is recorded with the reason.

    Args:
        reason: a short phrase, the same for the same cause, so that it can be counted.
        transient: True if the same row may succeed on the next run (an endpoint was down).
    """

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.reason = printable(reason)[:_LONGEST_REASON]
        self.transient = bool(transient)


def printable(text: object) -> str:
    """What a plugin's exception, or what should be its text, says, as it can be stored: NUL and lone surrogates are
    written out. Its own code that says it may fail."""
    try:
        said = str(text)
    except Exception:  # noqa: BLE001 - the boundary to a component
        return "its text cannot be read"
    return said.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def first_line(error: BaseException) -> str:
    """What an error of another package says, in a line without a full stop; its type if it says nothing."""
    return str(error).strip().partition("\n")[0][:300].rstrip(". ") or type(error).__name__


def counted(number: int, noun: str) -> str:
    """``1 question``, ``2,000 questions``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def closest(value: str, valid: list[str]) -> str:
    """``Did you mean 'x'?`` with the name that begins with `value` or is closest; without one, all valid names."""
    from difflib import get_close_matches

    begun = sorted(name for name in valid if value and name.startswith(value))
    near = begun or get_close_matches(value, valid, n=1, cutoff=0.5)
    if near:
        return f"Did you mean '{near[0]}'?"
    return f"Choose one of: {', '.join(sorted({*valid}))}." if valid else "There are none to choose from."
