"""The one place where the rows of a source enter: what a plugin yields is an example or is rejected with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, get_args

from openvlt.errors import OpenvltError, PluginError, Reject
from openvlt.records import MOST_DECIMALS, AnswerType, Example, Image, Rejected
from openvlt.store import decode, encode

LONGEST = 1_000_000
"""Characters of a text; a longer one is a file in the wrong column, and every later stage would copy it."""

_NAMED = 100
"""Characters of a rejected row's id that are kept."""


def accepted(items: Iterable[Any], source: str) -> Iterator[Example | Rejected]:
    """Yield the rows of a source; one that is not an example as the interface describes it is `Rejected`.

    Args:
        items: what the source yields.
        source: its name, for messages.

    Raises:
        PluginError: the source itself failed, so that no further row can be read.
    """
    for number, item in enumerate(_guarded(items, source), start=1):
        try:
            yield _checked(item)
        except Reject as reject:
            yield Rejected(id=_id(item, number), reason=printable(reject.reason), transient=reject.transient)


def printable(text: Any) -> str:
    """A text of a plugin that can be stored: lone surrogates and NUL are written out."""
    return str(text).replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()


def _guarded(items: Iterable[Any], source: str) -> Iterator[Any]:
    try:
        yield from items
    except (OpenvltError, ImportError):  # a missing package has a remedy of its own
        raise
    except Exception as error:  # the boundary: a source may raise anything
        raise PluginError(
            f"The source {source} failed: {type(error).__name__}: {printable(error)[:LONGEST]}.",
            "Run again with --debug to see where, and report it to the plugin's author.",
        ) from error


def _checked(item: Any) -> Example:
    """The example, if all later stages can work with it.

    Raises:
        Reject: it is rejected, or one of its values has the wrong type or cannot be stored.
    """
    if isinstance(item, Rejected):
        raise Reject(str(item.reason), transient=bool(item.transient))
    if not isinstance(item, Example):
        raise Reject(f"the source yielded {type(item).__name__}, not an example")
    for name in ("id", "question", "answer"):
        _check_text(name, getattr(item, name))
    if item.unit is not None:
        _check_text("unit", item.unit)
    if not isinstance(item.choices, tuple | list):
        raise Reject(f"choices are {type(item.choices).__name__}, not texts")
    for choice in item.choices:
        _check_text("a choice", choice)
    if not isinstance(item.images, tuple) or not all(isinstance(image, Image) for image in item.images):
        raise Reject("images are not images")
    if item.answer_type is not None and item.answer_type not in get_args(AnswerType):
        raise Reject("unknown answer type")
    if item.precision is not None and not _is_precision(item.precision):
        raise Reject(f"precision is not a number from 0 to {MOST_DECIMALS}")
    _check_metadata(item.metadata)
    return item if isinstance(item.choices, tuple) else replace(item, choices=tuple(item.choices))


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise Reject(f"{name} is {type(value).__name__}, not text")
    if len(value) > LONGEST:
        raise Reject(f"{name} is longer than {LONGEST:,} characters")
    if "\0" in value:
        raise Reject(f"{name} contains a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Reject(f"{name} contains a lone surrogate") from None


def _is_precision(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DECIMALS


def _check_metadata(metadata: Any) -> None:
    if not isinstance(metadata, Mapping):
        raise Reject(f"metadata is {type(metadata).__name__}, not a mapping")
    nested = False
    for name, value in metadata.items():
        _check_text("a key of metadata", name)
        if isinstance(value, str):
            _check_text("a value of metadata", value)
        nested = nested or not (value is None or isinstance(value, str | bool | float))
    if nested:
        try:
            decode(dict[str, Any], encode(dict(metadata)))
        except (ValueError, TypeError, RecursionError, AttributeError):
            raise Reject("metadata is not JSON") from None


def _id(item: Any, number: int) -> str:
    """The id of a rejected row, or its number where it has none."""
    id = getattr(item, "id", None)
    return printable(id)[:_NAMED] if isinstance(id, str | int) and id != "" else f"row {number}"
