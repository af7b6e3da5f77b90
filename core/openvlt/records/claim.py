"""A reasoning chain, the claim a verifier is given, and its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from openvlt.records.chat import FinishReason
from openvlt.records.example import Example

Status: TypeAlias = Literal[
    "correct", "incorrect", "partial", "scored", "unparsed", "bad_gold", "not_applicable", "timeout", "error", "skipped"
]
Cause: TypeAlias = Literal["response", "gold", "system", "machine"]
"""Who is to blame for a missing plain score: the response, the gold, the verifier (``system``), or the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One sampled reasoning chain.

    Attributes:
        think: the reasoning, without its tags.
        explanation: the prose between reasoning and answer, often empty.
        answer: the extracted answer; None if there is none.
        raw: the model's whole output.
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
    """A verifier's decision on a claim. An internal error is never a score of zero.

    Attributes:
        status: the decision.
        score: None unless the response is the cause, so that no response is rewarded or punished for anything else.
        reason: one line.
        cause: what caused a status without a plain score.
        tier: the step that decided (``text``, ``number``, ``symbolic``, ...), if the verifier has several.
        detail: further findings, such as the tags a format check found.
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
        """The response has no readable answer, which is its own fault: it scores lowest."""
        return Verdict(status="unparsed", score=score, reason=reason, cause="response")

    @staticmethod
    def bad_gold(reason: str) -> Verdict:
        """The gold answer cannot be read; the claim is not scored."""
        return Verdict(status="bad_gold", score=None, reason=reason, cause="gold")

    @staticmethod
    def not_applicable(reason: str) -> Verdict:
        """The verifier does not apply to this claim."""
        return Verdict(status="not_applicable", score=None, reason=reason, cause="system")

    @staticmethod
    def timeout(cause: Cause, reason: str, score: float | None = 0.0) -> Verdict:
        """Time ran out; `score` counts only if the response caused it."""
        return Verdict(status="timeout", score=score if cause == "response" else None, reason=reason, cause=cause)

    @staticmethod
    def error(reason: str) -> Verdict:
        """The verifier failed; the claim is not scored."""
        return Verdict(status="error", score=None, reason=reason, cause="system")

    @staticmethod
    def lost(reason: str) -> Verdict:
        """The machine failed; the claim is not scored, and the verdict not kept: the next one may differ."""
        return Verdict(status="error", score=None, reason=reason, cause="machine")

    @staticmethod
    def skipped(reason: str) -> Verdict:
        """A training step ran out of time before the claim's turn; it is not scored, and the verdict not kept."""
        return Verdict(status="skipped", score=None, reason=reason, cause="machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A response to an example, for a verifier to check.

    Attributes:
        trace: the parsed response: ``trace.raw`` is all of it, ``trace.answer`` the extracted answer.
        example: the question with its gold answer.
        token_ids: the response's tokens, if known.
        group: equal for claims that answer the same prompt; empty if there are no groups.
        verdicts: earlier verdicts on this claim, by component name, in recipe order.
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
        """True if an earlier verifier found the answer correct."""
        return any(verdict.status == "correct" for verdict in self.verdicts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A trace with its verdicts, by component name, in recipe order."""

    trace: Trace
    verdicts: Mapping[str, Verdict]

    @property
    def is_correct(self) -> bool:
        return any(verdict.status == "correct" for verdict in self.verdicts.values())

    @property
    def is_unparsed(self) -> bool:
        """True if no answer was found in the response, or none that can be read."""
        return not self.is_correct and any(verdict.status == "unparsed" for verdict in self.verdicts.values())

    @property
    def is_incorrect(self) -> bool:
        """True if the response is known to be wrong; a trace no verifier could decide is neither."""
        return not self.is_correct and any(
            verdict.status in ("incorrect", "unparsed") for verdict in self.verdicts.values()
        )
