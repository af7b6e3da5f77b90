"""How the fields of layouts become the columns of `rows`: each reader adds what a value says to a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from openvlt import tables
from openvlt_plugins.rows.turns import is_conversation, replied, text_of_turns


def _asked(found: dict[str, Any], value: Any) -> None:
    if isinstance(value, str):
        found["question"] = value
    elif is_conversation(value):
        found["question"] = text_of_turns(value, found)


def _context(found: dict[str, Any], value: Any) -> None:
    if value:
        found["question"] = f"{found['question']}\n{value}"


def _reply(found: dict[str, Any], value: Any) -> None:
    replied(found, text_of_turns(value, found, role="assistant") if is_conversation(value) else str(value))


def _votes(found: dict[str, Any], value: Any) -> None:
    votes = Counter(tables.text_of(each.get("answer") if isinstance(each, Mapping) else each) for each in value)
    found["answer"] = max(votes, key=lambda text: votes[text]) if votes else None


def _index(found: dict[str, Any], value: Any) -> None:
    found |= {"answer": chr(ord("A") + value)} if 0 <= value < len(found.get("choices") or ()) else {"answer": None}


def _coco(found: dict[str, Any], value: Any) -> None:
    found["image"] = f"COCO_{found['data_subtype']}_{value:012}.jpg"


READERS: Mapping[str, Callable[[dict[str, Any], Any], None]] = {
    "asked": _asked,
    "context": _context,
    "reply": _reply,
    "answer": lambda found, value: found.update(answer=value),
    "votes": _votes,
    "index": _index,
    "coco": _coco,
}
"""By what the value is: a question, what belongs to it, a reply, a gold, several people's answers, the index of a
choice, the number of an image of COCO."""
