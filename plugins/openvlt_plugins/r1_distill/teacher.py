"""Teachers that reason in a `<think>` block, from a caption instead of the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge

from openvlt import (
    Completion,
    Example,
    MaxTokens,
    Message,
    Model,
    Option,
    Samples,
    Sampling,
    Seed,
    Teacher,
    Temperature,
    TopP,
    Trace,
    conversation,
)
from openvlt_plugins.r1_distill.reply import read

Size: TypeAlias = Literal["1.5b", "7b", "8b", "14b", "32b", "70b"]

HUB_IDS: dict[Size, str] = {
    "1.5b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
    "7b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B",
    "8b": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
    "14b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
    "32b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
    "70b": "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
}
"""Hub ids of the distillations by size (https://huggingface.co/deepseek-ai/DeepSeek-R1)."""

INSTRUCTION = (
    "Reason step by step. Then explain in one to three sentences how the answer follows, "
    "and put the final answer within \\boxed{}."
)
"""Asks for the final answer in a box, as DeepSeek's usage notes advise; OpenVLThinker's wording is unpublished."""


@dataclass(frozen=True)
class _Reasoner(Teacher):
    """What the teachers of this plugin share: one user turn, no system prompt, `<think>` parsing."""

    k: Samples = 4
    temperature: Temperature = 0.6
    top_p: TopP = 0.95
    max_tokens: MaxTokens = 4096
    seed: Seed = 0

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            n=self.k, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=self.seed
        )

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        parts = [f"Image description:\n{caption}"] if caption else []
        parts.append("\n".join([example.question, *_lettered(example.choices)]))
        instruction = INSTRUCTION + (" Give the letter of the choice." if example.choices else "")
        return conversation(example, "\n\n".join([*parts, instruction]), ())

    def parse(self, completion: Completion) -> Trace:
        return read(completion)


@dataclass(frozen=True)
class R1Distill(_Reasoner):
    """DeepSeek-R1 distillations; the 14B one wrote the chains of OpenVLThinker v1.0, k = 4 (arXiv 2503.17352).

    The authors advise no system prompt, temperature 0.6 and top-p 0.95 (https://github.com/deepseek-ai/DeepSeek-R1,
    usage recommendations). The papers' chains have 323 words on average and a thin tail past 1,100, so the token limit
    suffices for nearly all.
    """

    size: Annotated[Size, Option("size of the distillation")] = "14b"
    model: Annotated[Model | None, Option("another model, instead of the one of that size")] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.model is None:
            object.__setattr__(self, "model", Model(id=HUB_IDS[self.size]))


@dataclass(frozen=True)
class Qwq(_Reasoner):
    """QwQ-32B, which wrote the chains of OpenVLThinker v1.2 (arXiv 2503.17352 v3, section 4.1).

    Its model card advises temperature 0.6, top-p 0.95 and a top-k of 20 to 40.
    """

    model: Annotated[Model, Option("the model")] = Model(id="Qwen/QwQ-32B")
    top_k: Annotated[int, Ge(0), Option("tokens considered; 0 for all")] = 30
    max_tokens: MaxTokens = 8192

    @property
    def sampling(self) -> Sampling:
        return replace(super().sampling, top_k=self.top_k)


def _lettered(choices: tuple[str, ...]) -> list[str]:
    return [f"({chr(65 + index)}) {choice}" for index, choice in enumerate(choices)]
