"""Claims from what a trainer knows: the response as text or chat messages, and the columns of its dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from openvlt.extraction import parse
from openvlt.records import AnswerType, Claim, Completion, Example, Format


def claim_of(response: str, gold: object, known: Mapping[str, Any], format: Format) -> Claim:
    """A claim on a question.

    Args:
        response: what the model wrote.
        gold: the gold answer, text or a number.
        known: what else is known of the question: ``id``, ``question``, ``choices``, ``answer_type``, ``precision``,
            ``unit`` and ``source``; an invalid value counts as unknown.
        format: names the tags.
    """
    return Claim(
        trace=parse(Completion(text=response), format), example=_example("" if gold is None else str(gold), known)
    )


def text_of(message: Any) -> str:
    """The text of a prompt or completion: text itself, or chat messages with text in parts."""
    if isinstance(message, str):
        return message
    if isinstance(message, Mapping):
        return text_of(message.get("content", message.get("text", "")) or "")
    if isinstance(message, Sequence):
        return "".join(map(text_of, message))
    return ""


def is_ids(completion: Any) -> bool:
    """True for token ids."""
    return isinstance(completion, Sequence) and bool(completion) and isinstance(completion[0], int)


def _example(gold: str, known: Mapping[str, Any]) -> Example:
    answer_type, precision, choices = known.get("answer_type"), known.get("precision"), known.get("choices")
    return Example(
        id=str(known.get("id", "")),
        question=text_of(known.get("question", "")),
        answer=gold,
        choices=tuple(map(str, choices)) if isinstance(choices, Sequence) and not isinstance(choices, str) else (),
        answer_type=answer_type if answer_type in get_args(AnswerType) else None,
        precision=int(precision) if isinstance(precision, int | float) and math.isfinite(precision) else None,
        unit=str(known["unit"]) if known.get("unit") else None,
        source=str(known.get("source") or ""),
    )
