"""What a response earns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from openvlt.interfaces.component import Component
from openvlt.records import Claim, Verdict


class Verifier(Component, ABC):
    """Scores a claim.

    Attributes:
        range: the lowest and the highest score it gives; what the response caused (a hang) scores lowest.
        inline: True if `verify` (of an `AnswerVerifier`, `quick` alone) may run in the process that asks, instead of in
            a worker. Nothing there can stop it, so set it only if that code is bounded for every response a model can
            write: no regular expression that backtracks, no number or power of any size, no recursion over nesting.
        grouped: True if a score depends on the other claims of the same group.
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    inline: ClassVar[bool] = False
    grouped: ClassVar[bool] = False

    @abstractmethod
    def verify(self, claim: Claim) -> Verdict:
        """The verdict on one claim; the same claim always gets the same one."""

    def verify_group(self, claims: Sequence[Claim]) -> list[Verdict]:
        """The verdicts on all claims that answer one prompt, in order."""
        return [self.verify(claim) for claim in claims]


class AnswerVerifier(Verifier):
    """Compares an extracted answer with the gold. Extraction, memo and worker are the core's.

    Attributes:
        imports: modules `check` needs; a worker imports them before the clock of its first claim starts.
        context_free: True if a verdict depends on nothing but the answer and what the example says of its gold (the
            gold, choices, answer type, precision and unit). An answer that several examples share is then checked once.
    """

    imports: ClassVar[tuple[str, ...]] = ()
    context_free: ClassVar[bool] = False

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        """Decide with bounded work, or return None to leave it to `check`."""
        return None

    @abstractmethod
    def check(self, answer: str, claim: Claim) -> Verdict:
        """Decide with whatever it takes; runs in a worker with a time limit."""

    def verify(self, claim: Claim) -> Verdict:
        if claim.answer is None:
            return Verdict.unparsed("no answer could be extracted", self.range[0])
        return self.quick(claim.answer, claim) or self.check(claim.answer, claim)
