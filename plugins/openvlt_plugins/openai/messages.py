"""The bodies of requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any

from openvlt import Image, ImageReader, Message, Model, Sampling


@dataclass(frozen=True)
class Body:
    """The JSON of a request; its messages are serialised once for all samples and retries."""

    messages: str
    fields: dict[str, Any]

    def encoded(self, *, extended: bool, seed: int, limited: bool, refused: frozenset[str] = frozenset()) -> bytes:
        """The body for one sample; without `limited` the server sets the token limit.

        Fields in `refused` are left out; a refused ``max_tokens`` is called ``max_completion_tokens``.
        """
        fields = {**self.fields, "seed": seed}
        if not limited:
            del fields["max_tokens"]
        if not extended:
            neutral = {"top_k": -1, "repetition_penalty": 1.0}
            fields = {name: value for name, value in fields.items() if neutral.get(name) != value}
        if "max_tokens" in refused and limited:
            fields["max_completion_tokens"] = fields["max_tokens"]
        fields = {name: value for name, value in fields.items() if name not in refused}
        return f'{json.dumps(fields)[:-1]}, "messages": {self.messages}}}'.encode()


def make_body(messages: Sequence[Message], model: Model, sampling: Sampling, encode: Callable[[Image], str]) -> Body:
    """A request's body. All decoding fields are explicit, or the server would use the model's generation config."""
    turns = [{"role": turn.role, "content": _content(turn, encode)} for turn in messages]
    fields: dict[str, Any] = {
        "model": model.id,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "top_k": sampling.top_k or -1,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.presence_penalty:  # some endpoints refuse the field
        fields["presence_penalty"] = sampling.presence_penalty
    if sampling.stop:
        fields["stop"] = list(sampling.stop)
    fields |= {name: value for name, value in sampling.extra_body.items() if name not in fields}
    return Body(json.dumps(turns), fields)


def seed(key: str, sample: int, base: int) -> int:
    """The seed of one sample, of 31 bits since some servers accept no more."""
    return int.from_bytes(sha256(f"{base}:{key}:{sample}".encode()).digest()[:4]) >> 1


def _content(turn: Message, encode: Callable[[Image], str]) -> str | list[dict[str, Any]]:
    if not any(isinstance(part, Image) for part in turn.content):
        return "".join(str(part) for part in turn.content)
    return [
        {"type": "image_url", "image_url": {"url": encode(part)}}
        if isinstance(part, Image)
        else {"type": "text", "text": part}
        for part in turn.content
    ]


def data_url(image: Image, model: Model, read: ImageReader) -> str:
    """An image in a URL, within the model's limits of pixels."""
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
