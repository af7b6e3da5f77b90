"""The policy of the previous iteration, prompted as in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from openvlt import (
    Completion,
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


@dataclass(frozen=True)
class Policy(Teacher):
    """Samples chains from the policy, which sees the image (arXiv 2503.17352, section 4.2).

    A reply without a complete answer becomes a trace without an answer, for the verifiers and filters to handle.
    """

    format: Annotated[Format, Option("prompt and reply format of the policy; the recipe's")] = Format()
    model: Annotated[Model, Option("the model; 'policy' is the result of the previous iteration")] = Model(id="policy")
    k: Samples = 4
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    max_tokens: MaxTokens = 2048
    seed: Seed = 0

    uses_caption: ClassVar[bool] = False

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            n=self.k, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=self.seed
        )

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        return self.format.prompt(example)

    def parse(self, completion: Completion) -> Trace:
        return parse(completion, self.format)
