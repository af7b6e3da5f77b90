"""One user turn: the images, then a request to describe them for a reader who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from openvlt import Captioner, Completion, Image, MaxTokens, Message, Model, Option, Reject, Sampling, Temperature

PROMPT = (
    "Describe this image in full detail, for another AI model that cannot see it and must understand all of it. "
    "Cover every object, text, number, label, colour and position, and how they relate. "
    "Be specific and thorough, and write natural prose."
)
"""OpenVLThinker's caption prompt in other words (arXiv 2503.17352, appendix C)."""


@dataclass(frozen=True)
class QwenVl(Captioner):
    """Captions by a vision-language model; OpenVLThinker v1.0 used the 3B model, v1.2 the 7B (section 4.1).

    The papers do not publish the sampling; greedy decoding is our choice. A caption cut by the token limit is kept,
    since the part that was written is still true.
    """

    model: Annotated[Model, Option("the model")] = Model(id="Qwen/Qwen2.5-VL-3B-Instruct")
    prompt: Annotated[str, Option("text after the images")] = PROMPT
    max_tokens: MaxTokens = 1024
    temperature: Temperature = 0.0

    @property
    def sampling(self) -> Sampling:
        return Sampling(max_tokens=self.max_tokens, temperature=self.temperature)

    def messages(self, images: Sequence[Image]) -> list[Message]:
        return [Message.user(*images, self.prompt)]

    def parse(self, completion: Completion) -> str:
        if not (caption := completion.text.strip()):
            raise Reject("the caption is empty")
        return caption
