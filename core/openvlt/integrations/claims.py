"""Claims from what a trainer knows: the response as text or chat messages, and the columns of its dataset.

A column can hold anything: numbers, arrays, bytes, text with lone surrogates, whatever is in somebody else's table.
None of it is an error here. What cannot be read counts as unknown, and verifiers report a gold that cannot be read.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any, TypeVar, cast, get_args

from openvlt import tables
from openvlt.extraction import parse
from openvlt.records import MOST_DECIMALS, AnswerType, Claim, Completion, Example, Format
from openvlt.results import encodable
from openvlt.store import decode, encode

T = TypeVar("T")
log = logging.getLogger(__name__)

_PACKED = '{"openvlt":'
"""Begins a gold answer that is a whole example, as `pack` writes it."""


def pack(example: Example) -> str:
    """An example as the text of a gold answer, for trainers that hand over nothing else to a reward."""
    return f"{_PACKED}{encode(example).decode()}}}"


def claim_of(response: str, gold: object, known: Mapping[str, Any], format: Format) -> Claim:
    """A claim on a question.

    Args:
        response: what the model wrote.
        gold: the gold answer, text or a number, or a whole example from `pack`.
        known: what else is known of the question: ``id``, ``question``, ``choices``, ``answer_type``, ``precision``,
            ``unit`` and ``source``; an invalid value counts as unknown.
        format: names the tags.
    """
    text = cell_text(gold)
    whole = _read(_unpacked, text, None) if text.startswith(_PACKED) else None
    return Claim(trace=parse(Completion(text=response), format), example=whole or _example(text, known))


def _unpacked(text: str) -> Example:
    return decode(Example, text[len(_PACKED) : -1])


def text_of(message: Any) -> str:
    """The text of a prompt or completion: text itself, or chat messages with text in parts."""
    found, left = list[str](), [message]
    while left:
        part = plain(left.pop())
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, Mapping):
            left.append(part.get("content", part.get("text")))
        elif isinstance(part, bytes):
            found.append(cell_text(part))
        elif isinstance(part, Sequence):
            left.extend(reversed(part))
    return "".join(found)


def cell_text(value: Any) -> str:
    """The text of a cell, JSON for a list or an object; empty for one that has none."""
    value = plain(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple | dict):
        written: str = _read(lambda each: json.dumps(each, ensure_ascii=False, default=plain), value, "")
        return written or _read(str, value, "")
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else _read(str, value, "")
    return "" if tables.is_empty(text) else text


def plain(value: Any) -> Any:
    """A value without numpy or torch: arrays as lists, their numbers as Python's."""
    if isinstance(value, str) or not hasattr(value, "tolist"):
        return value
    return _read(lambda each: each.tolist(), value, None)


def is_ids(completion: Any) -> bool:
    """True for token ids."""
    if not isinstance(completion, Sequence) or isinstance(completion, str | bytes):
        return False
    return bool(completion) and all(isinstance(each, Integral) for each in completion)


def _example(gold: str, known: Mapping[str, Any]) -> Example:
    unit = encodable(cell_text(known.get("unit")))
    return Example(
        id=encodable(cell_text(known.get("id"))),
        question=encodable(text_of(known.get("question"))),
        answer=gold,
        choices=_read(_choices, known.get("choices"), ()),
        answer_type=_answer_type(known.get("answer_type")),
        precision=_read(_precision, known.get("precision"), None),
        unit=None if tables.is_empty(unit) else unit,
        source=encodable(cell_text(known.get("source"))),
    )


def _answer_type(value: Any) -> AnswerType | None:
    name = cell_text(value)
    if name in get_args(AnswerType):
        return cast(AnswerType, name)
    if not tables.is_empty(name):
        _warn_of_type(name[:40])
    return None


@lru_cache(maxsize=16)  # once for each name
def _warn_of_type(name: str) -> None:
    log.warning("answer_type %r is none of %s; it counts as unknown", name, ", ".join(get_args(AnswerType)))


def _choices(value: Any) -> tuple[str, ...]:
    """A list or array of choices, a mapping from letters, or the text of one."""
    return tuple(encodable(cell_text(each)) for each in tables.choices_of(plain(value)))


def _precision(value: Any) -> int | None:
    decimals = tables.whole_number_of(plain(value), "precision")
    return decimals if decimals is not None and 0 <= decimals <= MOST_DECIMALS else None


def _read(read: Callable[[Any], T], value: Any, otherwise: T) -> T:
    try:
        return read(value)
    except Exception:  # noqa: BLE001 (any object may stand in a column)
        return otherwise
