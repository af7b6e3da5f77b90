"""A backend whose replies are written down, and which fails where it is told to; also a one-file plugin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, ClassVar, Literal, TypeAlias

from openvlt import (
    Backend,
    Completion,
    Engine,
    ImageReader,
    Model,
    Option,
    Register,
    Rejected,
    Request,
    Sampling,
    hookimpl,
)

Fault: TypeAlias = Literal["down", "over-long", "raises", "short"]


@hookimpl
def register_backends(register: Register) -> None:
    register("scripted", Scripted, summary="replies as it is told, for tests")


@dataclass(frozen=True)
class Scripted(Backend):
    """Replies as it is told.

    The first pattern that a prompt contains decides its reply, of which the samples are numbered; a prompt with none of
    them gets one of `replies` by its digest and the sample.
    """

    replies: Annotated[tuple[str, ...], Option("replies to other prompts")] = ("<think>so</think><answer>1</answer>",)
    rules: Annotated[Mapping[str, str], Option("reply by regular expression; {sample} is the sample's index")] = field(
        default_factory=dict
    )
    faults: Annotated[Mapping[str, Fault], Option("fault by regular expression")] = field(default_factory=dict)

    capabilities: ClassVar[frozenset[str]] = frozenset({"samples"})
    deterministic: ClassVar[bool] = True

    @contextmanager
    def open(self, model: Model, read: ImageReader) -> Iterator[Engine]:
        yield Script(self)


@dataclass(frozen=True)
class Script:
    """The open engine."""

    told: Scripted

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> list[Sequence[Completion] | Rejected]:
        return [self._reply(each, sampling) for each in requests]

    def _reply(self, request: Request, sampling: Sampling) -> list[Completion] | Rejected:
        text = "\n".join(part for turn in request.messages for part in turn.content if isinstance(part, str))
        fault = next((fault for pattern, fault in self.told.faults.items() if re.search(pattern, text)), None)
        if fault == "raises":
            raise RuntimeError("the engine fell over")
        if fault in ("down", "over-long"):
            return Rejected(id=request.key, reason=f"scripted: {fault}", transient=fault == "down")
        rule = next((reply for pattern, reply in self.told.rules.items() if re.search(pattern, text)), None)
        wanted = request.samples[: -1 if fault == "short" else None]
        return [self._completion(text, rule, sample, sampling) for sample in wanted]

    def _completion(self, text: str, rule: str | None, sample: int, sampling: Sampling) -> Completion:
        place = int(sha256(f"{sample} {text}".encode()).hexdigest()[:8], 16) % len(self.told.replies)
        said = self.told.replies[place] if rule is None else rule.replace("{sample}", str(sample))
        for stop in sampling.stop:
            said = said.partition(stop)[0]
        tokens = re.findall(r"\s*\S+|\s+", said)
        cut = len(tokens) > sampling.max_tokens
        said = "".join(tokens[: sampling.max_tokens])
        return Completion(
            text=said,
            finish_reason="length" if cut else "stop",
            prompt_tokens=len(text.split()),
            completion_tokens=min(len(tokens), sampling.max_tokens),
        )
