"""The prompts that the tiny base model knows, as chat messages."""

from __future__ import annotations

from typing import Any

CAPTION = "Describe the image."
DIRECT = "\nAnswer with one word."
THINK = "\nThink step by step, then answer."

Message = dict[str, Any]


def about_image(text: str) -> list[Message]:
    """A user turn with one image, then text."""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}]


def text_only(text: str) -> list[Message]:
    """A user turn without an image."""
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


def reply(text: str) -> list[Message]:
    """The assistant's turn."""
    return [{"role": "assistant", "content": [{"type": "text", "text": text}]}]
