"""Conversations: the turns of LLaVA, ShareGPT, OpenAI, ms-swift and TRL as questions and replies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from openvlt import PLACEHOLDER, Completion, Format, parse

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
}
_LEAD = re.compile(r"\s*(?:Question|Answer)\s*:\s*")  # the_cauldron begins its texts so


def is_conversation(value: Any) -> bool:
    """True for a list of turns."""
    return isinstance(value, list) and bool(value) and all(isinstance(turn, Mapping) for turn in value)


def exchanges(turns: Sequence[Any], rest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each user turn, with the assistant's turn after it as the reply if there is one.

    Args:
        turns: of the conversation.
        rest: the other columns, which every row gets; the ids of several rows are numbered.
    """
    found: list[dict[str, Any]] = []
    system = None
    for turn in turns:
        role = _role(turn)
        if role == "system":
            system = _text(turn, {})
        elif role == "user":
            row = {**rest, **({"system": system} if system else {})}
            row["question"] = _LEAD.sub("", _text(turn, row), count=1)
            found.append(row)
        elif role == "assistant" and found:
            replied(found[-1], _text(turn, found[-1]))
    name = next((key for key in ("id", "question_id", "pid") if rest.get(key) not in (None, "")), None)
    for number, row in enumerate(found, 1):
        yield {**row, name: f"{row[name]}#{number}"} if name and len(found) > 1 else row
    if not found:
        yield dict(rest)


def conversations(column: str) -> Callable[[Mapping[str, Any]], Iterator[dict[str, Any]]]:
    """Rows of a conversation: a question for each user turn; each is asked on its own."""

    def each(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        rest = {name: value for name, value in row.items() if name != column}
        yield from map(solved, exchanges(row[column], rest))

    return each


def texts(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Rows of the_cauldron: each pair of ``texts`` is a question about the row's images."""
    rest = {name: value for name, value in row.items() if name != "texts"}
    turns = [
        {"role": role, "content": pair.get(role)}
        for pair in row["texts"]
        if isinstance(pair, Mapping)
        for role in ("user", "assistant")
    ]
    yield from exchanges(turns, rest)


def text_of_turns(turns: Sequence[Any], found: dict[str, Any], role: str = "user") -> str:
    """The text of the last turn of a role; images in it are added to the images of the row."""
    return next((_text(turn, found) for turn in reversed(turns) if _role(turn) == role), "")


def replied(found: dict[str, Any], text: str) -> None:
    """Set the answer a reply gives, and the reply as the row's ready response if it is more than that.

    A row that has a gold answer of its own keeps it.
    """
    trace = parse(Completion(text=text), Format())
    gold = _LEAD.sub("", text, count=1).strip() if trace.answer is None else trace.answer
    if found.get("answer") in (None, ""):
        found["answer"] = gold
    if trace.answer is not None and (trace.think or trace.explanation):
        found["response"] = text


def solved(found: dict[str, Any]) -> dict[str, Any]:
    """The row, with the answer of its column ``solution`` if it has no other, as in the GRPO of TRL and ms-swift."""
    golds = [found.get(name) for name in ("answer", "gold", "label", "ground_truth")]
    if all(gold in (None, "") for gold in golds) and found.get("solution"):
        replied(found, str(found.pop("solution")))
    return found


def _role(turn: Any) -> str:
    return _ROLES.get(str(turn.get("from", turn.get("role"))).lower(), "") if isinstance(turn, Mapping) else ""


def _text(turn: Mapping[str, Any], found: dict[str, Any]) -> str:
    """The text of a turn; images among its parts become placeholders, and images of the row."""
    content = turn.get("value", turn.get("content"))
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if isinstance(part, str) or kind == "text":
            texts.append(part if isinstance(part, str) else str(part.get("text") or ""))
        elif kind in ("image", "image_url"):
            texts.append(PLACEHOLDER)
            image = part.get("image_url", part.get("image", part.get("url")))
            image = image.get("url") if isinstance(image, Mapping) and "url" in image else image
            if image is not None:  # else it is one of the images of the row
                before = found.get("images") or []
                found["images"] = [*(before if isinstance(before, list) else [before]), image]
    return "".join(texts)
