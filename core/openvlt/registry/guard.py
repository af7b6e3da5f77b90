"""The boundary to components: what one raises, or returns against its interface, becomes a `Fault` that names it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import PurePath
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from openvlt.errors import PASSING, Fault, OpenvltError, PluginError, Reject, WrongResult, printable

if TYPE_CHECKING:
    from openvlt.registry.entries import Built, Entry

T = TypeVar("T")

REGISTERED: dict[type, Entry] = {}
"""What a class was registered as, of those that were built in this process."""

_SHOWN = 300
"""Characters of an exception's text that are shown."""


class Guard:
    """A context manager around calls of a component. It costs 0.2 us, and may be entered again and again.

    Args:
        built: the component.
        method: that is called, for the message.
        row: see below.
        function: that is called, where it is no method of the component.

    Attributes:
        row: id of the row a call is about; empty for none.

    Raises:
        Fault: it failed; without a row, also where it rejects one.
        PluginError: it needs a package that is not installed.
    """

    __slots__ = ("_built", "_function", "_method", "row")

    def __init__(self, built: Built[Any], method: str, row: str, function: object = None) -> None:
        self._function = function
        self._built = built
        self._method = method
        self.row = row

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or isinstance(error, PASSING) or (self.row and isinstance(error, Reject)):
            return
        if not isinstance(error, OpenvltError):  # which has a sentence of its own
            why = reason(self._built, self._method, error, self._function)
            raise _fault(why, self._built.entry, error, self.row) from error


def _fault(why: str, entry: Entry, error: BaseException, row: str = "") -> PluginError:
    """The error for an exception of a component; see `Guard`."""
    from openvlt import system

    found = Fault.of(why, row)
    of_machine = isinstance(error, OSError) and error.errno in system.OF_MACHINE
    found.transient = of_machine or isinstance(error, MemoryError)
    if isinstance(error, ModuleNotFoundError) and error.name:
        from openvlt.registry.targets import install_command, is_installed

        if not is_installed(package := error.name.partition(".")[0]):
            return PluginError(found.problem, f"Run: {install_command([package], entry.id.partition('/')[0])}")
    return found


def reason(built: Built[Any], method: str, error: BaseException, function: object = None) -> str:
    """What failed, how and where: ``teacher chat (openvlt-x 1.2) failed in parse: KeyError: 'a' (x/chat.py:41)``."""
    return _reason(built.entry, type(built.component), method, error, function)


def _reason(entry: Entry, component: type, method: str, error: BaseException, function: object = None) -> str:
    where = place(component.__module__, error, function or getattr(component, method, None))
    return f"{named(entry)} failed in {method}: {told(error)}{where and f' ({where})'}"


def named(entry: Entry) -> str:
    """A component with its distribution, and the version of that where it has one."""
    return f"{entry.kind} {entry.name} ({entry.id.partition('/')[0]} {entry.version}".rstrip() + ")"


def told(error: BaseException) -> str:
    """What an exception says, with its type unless it is the core's own finding; fit to be stored and counted."""
    from openvlt.keys import mask_keys

    text = mask_keys(" ".join(printable(error).split()))
    text = text[:_SHOWN].rstrip(".")
    return text if isinstance(error, WrongResult) else f"{type(error).__name__}: {text}".rstrip(": ")


def answer(component: object, method: str, check: Callable[[Any], T], *arguments: object) -> T:
    """What a method of a component returns, checked by one of `openvlt.results`.

    Args:
        component: one that was built.
        method: its name.
        check: of what it returns.
        arguments: of the method.

    Raises:
        Fault: it failed, or returned what its interface does not allow.
        PluginError: it needs a package that is not installed.
    """
    try:
        return check(getattr(component, method)(*arguments))
    except BaseException as error:
        entry = REGISTERED.get(type(component))
        if entry is None or isinstance(error, (*PASSING, OpenvltError)):
            raise
        raise _fault(_reason(entry, type(component), method, error), entry, error) from error


def blamed(error: BaseException) -> Fault | None:
    """The fault of the component whose method raised an exception that met no guard; None if none did."""
    for frame, _ in _frames(error.__traceback__):
        component = type(frame.f_locals.get("self"))
        if (entry := REGISTERED.get(component)) is not None:
            return Fault.of(_reason(entry, component, frame.f_code.co_name, error))
    return None


def place(module: str, error: BaseException, function: Any = None) -> str:
    """``package/module.py:12``: the innermost line of a plugin's own that an exception passed, or else its function's.

    Args:
        module: of the plugin.
        error: what it raised.
        function: that was called, if the exception need not be its own.

    Returns:
        The place; empty if it is the core's.
    """
    top = module.partition(".")[0]
    passed = [(frame.f_code.co_filename, line, _top(frame)) for frame, line in _frames(error.__traceback__)]
    function = getattr(function, "fget", function)  # of a property
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    if own := [(file, line) for file, line, of in passed if of == top]:
        file, line = own[-1]
    elif code is not None and function.__module__.partition(".")[0] != "openvlt":
        file, line = code.co_filename, code.co_firstlineno
    elif other := [(file, line) for file, line, of in passed if of != "openvlt"]:
        file, line = other[0]
    else:
        return ""
    parts = PurePath(file).parts  # from its package on: the same on every machine
    start = max((index for index, part in enumerate(parts) if part == top), default=len(parts) - 1)
    return f"{'/'.join(parts[start:])}:{line}"


def _top(frame: FrameType) -> str:
    spec = frame.f_globals.get("__spec__")  # has the name of a module that is run as __main__ too
    return str(getattr(spec, "name", "")).partition(".")[0]


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next
