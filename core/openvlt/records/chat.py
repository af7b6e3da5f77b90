"""A model, its messages, how it samples and what it replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Gt, Le

from openvlt.records.example import PLACEHOLDER, Example, Image

FinishReason: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The model of a captioner, teacher, policy or judge.

    Attributes:
        id: hub id, local folder, ``base``, ``policy``, ``run:NAME/grpo-2``, ``package:NAME/PATH`` (a file of an
            installed Python package) or the id an endpoint serves.
        revision: hub commit or branch.
        backend: a backend's name, or ``{use: name, option: value}``, or several of them, of which the first with all
            its packages installed is used; None lets the core choose.
        dtype: of the weights; ``auto`` is that they are saved in.
        pixels: least and most total pixels (width x height) of an image after resizing; None for the model's own.
        context: tokens of prompt and reply together; None for the model's own limit.
        url: addresses of OpenAI-compatible endpoints, if the model is served.
    """

    id: str
    revision: str | None = None
    backend: str | Mapping[str, Any] | tuple[str | Mapping[str, Any], ...] | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    pixels: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    context: Annotated[int, Ge(1)] | None = None
    url: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to decode, in full; a model's own generation config is ignored.

    Attributes:
        n: samples per prompt.
        temperature: 0 is greedy.
        top_p: nucleus mass.
        top_k: 0 is off.
        max_tokens: new tokens at most.
        repetition_penalty: divides the positive logits of tokens in prompt and reply; 1.0 is off.
        stop: strings that end a reply and are not part of it.
        seed: base of the seeds; each sample's own seed also depends on its prompt and index.
        presence_penalty: subtracted from the logits of tokens in the reply; 0 is off, the range that of OpenAI's API.
        cuts: numbers of tokens at which the text of a longer reply is wanted, too.
        extra_body: further fields of a request to an endpoint.
    """

    n: Annotated[int, Ge(1)] = 1
    temperature: Annotated[float, Ge(0)] = 0.0
    top_p: Annotated[float, Gt(0), Le(1)] = 1.0
    top_k: Annotated[int, Ge(0)] = 0
    max_tokens: Annotated[int, Ge(1)] = 2048
    repetition_penalty: Annotated[float, Gt(0)] = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    presence_penalty: Annotated[float, Ge(-2), Le(2)] = field(default=0.0, metadata={"added": True})
    cuts: tuple[int, ...] = field(default=(), metadata={"added": True})
    extra_body: Mapping[str, Any] = field(default_factory=dict, hash=False, metadata={"added": True})


Part: TypeAlias = str | Image


def with_images(text: str, images: Sequence[Image]) -> tuple[Part, ...]:
    """A text with images in the places of its placeholders; before it, if there are not as many as images."""
    texts = text.split(PLACEHOLDER)
    if len(texts) != len(images) + 1:
        return (*images, text)
    parts: list[Part] = [texts[0]]
    for image, after in zip(images, texts[1:], strict=True):
        parts += [image, after]
    return tuple(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat: text and images, in order."""

    role: Literal["system", "user", "assistant"]
    content: tuple[Part, ...]

    @staticmethod
    def system(*content: Part) -> Message:
        return Message("system", content)

    @staticmethod
    def user(*content: Part) -> Message:
        return Message("user", content)

    @staticmethod
    def assistant(*content: Part) -> Message:
        return Message("assistant", content)


def conversation(example: Example, text: str, images: Sequence[Image]) -> list[Message]:
    """The turns before a question, and the user's turn that asks it, with images in the places of placeholders.

    Args:
        example: whose question it is.
        text: that asks it.
        images: come before the first turn, unless all turns together have as many placeholders.
    """
    roles, texts = [*(turn.role for turn in example.history), "user"], [*(turn.text for turn in example.history), text]
    marks = [each.count(PLACEHOLDER) for each in texts]
    if sum(marks) != len(images):
        marks = [len(images)] + [0] * len(example.history)
    left, messages = list(images), []
    for role, each, count in zip(roles, texts, marks, strict=True):
        messages.append(Message(role, with_images(each, left[:count])))
        left = left[count:]
    return messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply of a model.

    Attributes:
        text: what the model wrote, without special tokens.
        finish_reason: ``length`` if the token limit cut it.
        prompt_tokens: tokens of the prompt, images included, 0 where unknown.
        completion_tokens: tokens of the reply.
        cuts: its text after so many tokens, for those of the sampling's `cuts` that it is longer than.
    """

    text: str
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cuts: Mapping[int, str] = field(default_factory=dict, hash=False)
