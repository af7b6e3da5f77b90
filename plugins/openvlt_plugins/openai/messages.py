"""The bodies of requests, and the meaning of responses."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from hashlib import sha256
from io import BytesIO
from typing import Any, Literal, TypeAlias

from openvlt import Completion, Image, ImageReader, Message, Model, Sampling

Category: TypeAlias = Literal["retry", "busy", "slow", "down", "context", "refused", "key", "model"]

_OVER_CONTEXT = re.compile(
    r"context[ _]?(?:length|window|size)|prompt is too long|too many tokens|fewer output tokens", re.IGNORECASE
)


class Failure(Exception):
    """A request failed.

    Args:
        reason: a short phrase that can be counted.
        category: ``retry``: it may succeed; ``busy``: the server asks to slow down; ``slow``: it failed under load;
            ``down``: there is no server; ``context``: the prompt exceeds the context; ``refused``: permanently;
            ``key``, ``model``: no request can succeed.
        pause: seconds the server asks to wait.
        detail: the server's message; it may contain anything, so it is only logged.
    """

    def __init__(self, reason: str, category: Category = "retry", *, pause: float = 0.0, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.category = category
        self.pause = pause
        self.detail = detail

    @property
    def transient(self) -> bool:
        return self.category not in {"context", "refused"}


@dataclass(frozen=True)
class Body:
    """The JSON of a request; its messages are serialised once for all samples and retries."""

    messages: str
    fields: dict[str, Any]

    def encoded(self, *, extended: bool, seed: int, limited: bool) -> bytes:
        """The body for one sample; without `limited` the server sets the token limit."""
        fields = {**self.fields, "seed": seed}
        if not limited:
            del fields["max_tokens"]
        if not extended:
            neutral = {"top_k": -1, "repetition_penalty": 1.0}
            fields = {name: value for name, value in fields.items() if neutral.get(name) != value}
        return f'{json.dumps(fields)[:-1]}, "messages": {self.messages}}}'.encode()


def make_body(messages: Sequence[Message], model: Model, sampling: Sampling, read: ImageReader) -> Body:
    """A request's body. All decoding fields are explicit, or the server would use the model's generation config."""
    turns = [{"role": turn.role, "content": _content(turn, model, read)} for turn in messages]
    fields: dict[str, Any] = {
        "model": model.id,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "top_k": sampling.top_k or -1,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    return Body(json.dumps(turns), fields)


def seed(key: str, sample: int, base: int) -> int:
    """The seed of one sample, of 31 bits since some servers accept no more."""
    return int.from_bytes(sha256(f"{base}:{key}:{sample}".encode()).digest()[:4]) >> 1


def _content(turn: Message, model: Model, read: ImageReader) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, Image) for part in turn.content):
        return "".join(str(part) for part in turn.content)
    return [
        {"type": "image_url", "image_url": {"url": _data_url(part, model, read)}}
        if isinstance(part, Image)
        else {"type": "text", "text": part}
        for part in turn.content
    ]


def _data_url(image: Image, model: Model, read: ImageReader) -> str:
    picture = read(image).convert("RGB")
    if model.pixels is not None:
        low, high = model.pixels
        pixels = picture.width * picture.height
        scale = (min(max(pixels, low), high) / pixels) ** 0.5
        if scale != 1:
            picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


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
        reply = json.loads(response.content)
        choice, usage = reply["choices"][0], reply.get("usage") or {}
        message = choice["message"]
        text, thoughts = message.get("content"), message.get("reasoning_content") or message.get("reasoning")
        prompt_tokens, completion_tokens = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Failure("the endpoint's reply is malformed") from error
    if choice.get("finish_reason") == "content_filter":
        raise Failure("the endpoint filtered the reply", "refused")
    if not isinstance(text, str):
        if not isinstance(thoughts, str):
            raise Failure("the endpoint's reply is empty")
        text = ""
    if isinstance(thoughts, str) and thoughts:
        # Some servers move the reasoning out of the reply; the model wrote it first.
        text = f"<think>{thoughts}</think>\n{text}" if text else f"<think>{thoughts}"
    return Completion(
        text=text,
        finish_reason="length" if choice.get("finish_reason") == "length" else "stop",
        prompt_tokens=int(prompt_tokens or 0),
        completion_tokens=int(completion_tokens or 0),
    )


def _failure(response: Response, now: float) -> Failure:
    status, detail = response.status, response.content.decode(errors="replace")
    reason, pause = f"the endpoint returned {status}", _pause(response.retry_after, now)
    if status in {401, 403}:
        return Failure("the endpoint refuses the API key", "key")
    if status == 429 or (status == 503 and pause):
        return Failure(reason, "busy", pause=pause, detail=detail)
    if status in {502, 503, 504}:
        return Failure(reason, "down", detail=detail)
    if status >= 500:
        return Failure(reason, "slow", pause=pause, detail=detail)
    if status in {408, 409, 425}:
        return Failure(reason, detail=detail)
    if status in {400, 413, 422} and _OVER_CONTEXT.search(detail):
        return Failure("the prompt is over the context of the endpoint", "context", detail=detail)
    return Failure(
        f"the endpoint refuses the request ({status})", "model" if status == 404 else "refused", detail=detail
    )


def _pause(value: str, now: float) -> float:
    """The seconds of a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except ValueError:
        return 0.0
