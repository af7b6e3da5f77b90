"""The answer and the answer type of a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from openvlt import AnswerType, Reject, tables

_TYPES: dict[str, AnswerType] = {
    **{name: name for name in get_args(AnswerType)},
    "yes/no": "yes_no",
    "bool": "yes_no",
    "boolean": "yes_no",
    "multi_choice": "choice",
    "multi-choice": "choice",
    "multiple_choice": "choice",
    "multiple-choice": "choice",
    "number": "float",
    "int": "integer",
    "string": "text",
    "other": "text",
}


def answer(value: Any, options: Sequence[str], *, index: bool) -> str:
    """The gold answer as text.

    Args:
        value: text, a number, a truth value, or a list of one or more.
        options: the choices.
        index: the value is the index of a choice, from 0.

    Raises:
        Reject: there is no answer, or no choice with that index.
    """
    if index:
        number = tables.whole_number_of(value, "the answer")
        if number is None or not 0 <= number < len(options):
            raise Reject("the answer is not the index of a choice")
        return chr(ord("A") + number)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return answer(value[0], options, index=False) if len(value) == 1 else json.dumps(list(value), default=str)
    text = tables.text_of(value).strip()
    if not text:
        raise Reject("empty gold answer")
    return text


def answer_type(value: Any) -> AnswerType | None:
    """The answer type, from openvlt's name for it or that of a widely used dataset.

    Raises:
        Reject: the name is unknown.
    """
    if value is None or value == "":
        return None
    name = str(value).strip().lower()
    if name not in _TYPES:
        raise Reject(f"unknown answer type '{name}'")
    return _TYPES[name]
