"""A reasoning chain, what a verifier is given of it, and what the verifier says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from openvlt.records.chat import FinishReason
from openvlt.records.example import Example

Status: TypeAlias = Literal[
    "correct", "incorrect", "partial", "scored", "unparsed", "bad_gold", "not_applicable", "timeout", "error"
]
Cause: TypeAlias = Literal["response", "gold", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One sampled reasoning chain.

    Attributes:
        think: the reasoning, without its tags.
        explanation: the short prose between reasoning and answer, often empty.
        answer: the extracted answer, None if there is none.
        raw: exactly what the model wrote.
        sample: index of the sample, 0 to k - 1.
    """

    think: str
    answer: str | None
    raw: str
    explanation: str = ""
    sample: int = 0
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verifier says of a claim. An internal error is never a zero.

    Attributes:
        status: what was found.
        score: None when the gold or the system caused it, so that no response is rewarded or punished for it.
        reason: one line.
        cause: who caused it, where the status is not a plain score.
        tier: which step decided (``text``, ``number``, ``symbolic``, ...), where a verifier has several.
        detail: further findings, such as the parts a format check saw.
    """

    status: Status
    score: float | None
    reason: str = ""
    cause: Cause | None = None
    tier: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def correct(reason: str = "", *, tier: str = "") -> Verdict:
        return Verdict(status="correct", score=1.0, reason=reason, tier=tier)

    @staticmethod
    def incorrect(reason: str = "", *, tier: str = "") -> Verdict:
        return Verdict(status="incorrect", score=0.0, reason=reason, tier=tier)

    @staticmethod
    def partial(score: float, reason: str = "", *, tier: str = "") -> Verdict:
        return Verdict(status="partial", score=score, reason=reason, tier=tier)

    @staticmethod
    def scored(score: float, reason: str = "", detail: Mapping[str, Any] | None = None) -> Verdict:
        return Verdict(status="scored", score=score, reason=reason, detail=detail or {})

    @staticmethod
    def unparsed(reason: str, score: float = 0.0) -> Verdict:
        """The response holds no answer that can be read; the response's fault, so it scores lowest."""
        return Verdict(status="unparsed", score=score, reason=reason, cause="response")

    @staticmethod
    def bad_gold(reason: str) -> Verdict:
        """The gold answer cannot be read; the claim is not scored."""
        return Verdict(status="bad_gold", score=None, reason=reason, cause="gold")

    @staticmethod
    def not_applicable(reason: str) -> Verdict:
        """The verifier has nothing to say of this claim."""
        return Verdict(status="not_applicable", score=None, reason=reason, cause="system")

    @staticmethod
    def timeout(cause: Cause, reason: str, score: float | None = 0.0) -> Verdict:
        """Time ran out; `score` counts only when the response caused it."""
        return Verdict(status="timeout", score=score if cause == "response" else None, reason=reason, cause=cause)

    @staticmethod
    def error(reason: str) -> Verdict:
        """The verifier or its worker failed; the claim is not scored."""
        return Verdict(status="error", score=None, reason=reason, cause="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a verifier is given.

    Attributes:
        trace: the response, parsed: ``trace.raw`` is all of it, ``trace.answer`` what was extracted.
        example: the question with its gold answer.
        token_ids: the response's tokens, where known.
        group: claims with one group answer the same prompt; empty where there is none.
        verdicts: the verdicts already reached on this claim, by component name, in recipe order.
    """

    trace: Trace
    example: Example
    token_ids: tuple[int, ...] | None = None
    group: str = ""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @property
    def response(self) -> str:
        return self.trace.raw

    @property
    def answer(self) -> str | None:
        return self.trace.answer

    @property
    def is_correct(self) -> bool:
        """True if a verifier before this one found the answer correct."""
        return any(verdict.status == "correct" for verdict in self.verdicts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A trace with the verdicts reached on it, by component name, in recipe order."""

    trace: Trace
    verdicts: Mapping[str, Verdict]

    @property
    def is_correct(self) -> bool:
        return any(verdict.status == "correct" for verdict in self.verdicts.values())

    @property
    def is_incorrect(self) -> bool:
        """True if the response is known to be wrong; a trace no verifier could decide is neither."""
        return not self.is_correct and any(
            verdict.status in ("incorrect", "unparsed") for verdict in self.verdicts.values()
        )
