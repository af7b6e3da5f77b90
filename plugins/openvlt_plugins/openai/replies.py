"""The meaning of an endpoint's replies. Whatever an endpoint sends is a completion or a `Failure`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeAlias

from openvlt import Completion, mask_keys

Category: TypeAlias = Literal[
    "retry",
    "busy",
    "slow",
    "down",
    "context",
    "field",
    "filtered",
    "refused",
    "forbidden",
    "malformed",
    "key",
    "model",
    "quota",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from a failure of some kind.

    Attributes:
        again: times the request is asked again; None is the option ``retries``.
        permanent: whether the request is then at fault, once the endpoint has answered others.
        enough: such failures in a row after which the run ends, since the endpoint answers nobody; 0 is never.
    """

    again: int | None = None
    permanent: bool = False
    enough: int = 0


RULES: dict[Category, Rule] = {
    "retry": Rule(),
    "busy": Rule(),
    "slow": Rule(),
    "down": Rule(),
    "context": Rule(again=0, permanent=True),
    "field": Rule(),
    "filtered": Rule(again=0, permanent=True),
    "refused": Rule(again=0, permanent=True, enough=16),
    "forbidden": Rule(again=1, permanent=True, enough=16),
    "malformed": Rule(permanent=True, enough=16),
    "quota": Rule(enough=4),
    "model": Rule(enough=4),
    "key": Rule(again=0, enough=1),
}

LONGEST_PAUSE = 86_400.0
"""Seconds that an endpoint may ask to wait; more is taken for this much."""

_OVER_CONTEXT = re.compile(
    r"context[ _]?(?:length|window|size)|prompt is too long|too many tokens|fewer output tokens", re.IGNORECASE
)
_POLICY = re.compile(
    r"content[ _](?:policy|filter|management)|ResponsibleAI|safety[ _](?:policy|system)", re.IGNORECASE
)
_FIELDS = re.compile(
    r"(?:unsupported|unknown|unrecognized)[ _](?:parameter|value)\W+(max_tokens|temperature|top_p|seed)\b|"
    r"'(max_tokens|temperature|top_p|seed)' (?:is not supported|does not support)",
    re.IGNORECASE,
)
"""What endpoints say of a decoding field that a model does not take, such as OpenAI's reasoning models."""
_NO_QUOTA = re.compile(
    r"insufficient[ _](?:quota|balance|credits?|funds)|billing[ _](?:hard[ _]limit|not[ _]active)|"
    r"exceeded your current quota|credit balance is too low",
    re.IGNORECASE,
)


class Failure(Exception):
    """A request failed.

    Args:
        reason: a short phrase that can be counted.
        category: ``retry``: it may succeed; ``busy``: the server asks to slow down; ``slow``: it failed under load;
            ``down``: there is no server; ``context``: the prompt exceeds the context; ``field``: the model takes no
            decoding field of that name, the reason; ``filtered``: the reply was withheld; ``refused``: the request is;
            ``forbidden``: the same, or the key may not ask; ``malformed``: it is not a completion; ``key``, ``model``,
            ``quota``: no request can succeed.
        pause: seconds the server asks to wait.
        detail: the server's message, which may contain anything but a key.
    """

    def __init__(self, reason: str, category: Category = "retry", *, pause: float = 0.0, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.category = category
        self.pause = pause
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Response:
    """An endpoint's complete response."""

    status: int
    content: bytes
    retry_after: str = ""


def completion(response: Response, now: float) -> Completion:
    """Parse the response to a chat completion request.

    Args:
        response: the response.
        now: seconds since the epoch, for a `Retry-After` that is a date.

    Raises:
        Failure: it has no completion.
    """
    if response.status != 200:
        raise _failure(response, now)
    try:
        reply = read_json(response.content)
        choice, usage = reply["choices"][0], reply.get("usage")
        message, reason = choice["message"], choice.get("finish_reason")
        text = _text(message.get("content"))
        thoughts = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Failure("the endpoint's reply is malformed", "malformed") from error
    if reason == "content_filter":
        raise Failure("the endpoint filtered the reply", "filtered")
    if text is None and thoughts is None:
        raise Failure("the endpoint's reply is empty", "malformed")
    if thoughts:
        # Some servers move the reasoning out of the reply; the model wrote it first.
        text = f"<think>{thoughts}</think>\n{text}" if text else f"<think>{thoughts}"
    return Completion(
        text=mask_keys(text or ""),
        finish_reason="length" if reason == "length" else "stop",
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
    )


def served_models(content: bytes) -> dict[str, str]:
    """The models in an endpoint's list, with their owners; empty if it is not such a list."""
    try:
        found = {foreign(entry["id"]): foreign(entry.get("owned_by")) for entry in read_json(content)["data"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {id: owner for id, owner in found.items() if id}


def read_json(content: bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def foreign(text: object) -> str:
    """A server's words as one short printable line without keys, for messages and logs."""
    line = " ".join(mask_keys(str(text)).split())
    return "".join(character if character.isprintable() else "\ufffd" for character in line)[:500]


def _text(content: object) -> str | None:
    """The text of a message, also of one in parts; None if there is none. A lone surrogate, which no file can hold and
    which servers send where the token limit cuts a character, becomes U+FFFD."""
    if isinstance(content, list):
        parts = [part["text"] for part in content if part.get("type") == "text"]
        content = "".join(parts) if parts else None
    if not isinstance(content, str):
        return None
    return content.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _count(usage: object, name: str) -> int:
    """A number of tokens; 0 if the server does not tell one."""
    value = usage.get(name) if isinstance(usage, dict) else None
    return int(value) if isinstance(value, int | float) and 0 <= value < 1 << 53 else 0


def _failure(response: Response, now: float) -> Failure:
    status, content = response.status, response.content[:10_000].decode(errors="replace")
    reason, pause, detail = f"the endpoint returned {status}", _pause(response.retry_after, now), foreign(content)
    if status == 401:
        return Failure("the endpoint refuses the API key", "key")
    if status == 402 or (status in {403, 429} and _NO_QUOTA.search(content)):
        return Failure("the endpoint has no quota left", "quota", detail=detail)
    if status == 429 or (status == 503 and pause):
        return Failure(reason, "busy", pause=pause, detail=detail)
    if status in {502, 503, 504} or 520 <= status <= 530:
        return Failure(reason, "down", detail=detail)
    if status >= 500:
        return Failure(reason, "slow", pause=pause, detail=detail)
    if status in {408, 409, 425}:
        return Failure(reason, detail=detail)
    if status in {400, 413, 422} and _OVER_CONTEXT.search(content):
        return Failure("the prompt is over the context of the endpoint", "context", detail=detail)
    if status in {400, 403, 422} and _POLICY.search(content):
        return Failure("the endpoint's policy refuses the request", "filtered", detail=detail)
    if status in {400, 422} and (found := _FIELDS.search(content)):
        return Failure((found[1] or found[2]).lower(), "field", detail=detail)
    kinds: dict[int, Category] = {403: "forbidden", 404: "model", 410: "model"}
    return Failure(f"the endpoint refuses the request ({status})", kinds.get(status, "refused"), detail=detail)


def _pause(value: str, now: float) -> float:
    """The seconds of a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3); 0 if it is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError, IndexError):
            return 0.0
    return min(LONGEST_PAUSE, seconds) if seconds > 0 else 0.0
