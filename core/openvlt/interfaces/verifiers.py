"""The components that score responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from openvlt.interfaces.asking import Asking
from openvlt.interfaces.component import Component
from openvlt.interfaces.engine import ImageReader
from openvlt.records import Claim, Verdict


class Verifier(Component, ABC):
    """Scores a claim.

    Attributes:
        range: the lowest and the highest score; a failure that the response causes (a timeout) scores lowest, and a
            score outside it is refused as an error of the verifier.
        inline: True if `verify` (of an `AnswerVerifier`, `quick` alone) may run in the calling process instead of a
            worker. Nothing can stop it there, so its work must be bounded for every response a model can write: no
            backtracking regular expressions, no numbers or powers of unlimited size, no recursion over nesting.
        grouped: True if a score depends on the other claims of its group.
        seconds: CPU time of one call in a worker, and how long it may wait without computing.
        memory: bytes that a worker may use beyond what its imports take.
    """

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    inline: ClassVar[bool] = False
    grouped: ClassVar[bool] = False
    seconds: ClassVar[float] = 2.0
    memory: ClassVar[int] = 1 << 30

    @abstractmethod
    def verify(self, claim: Claim) -> Verdict:
        """The verdict on one claim; equal claims get equal verdicts."""

    def verify_group(self, claims: Sequence[Claim]) -> list[Verdict]:
        """The verdicts on all claims of one prompt, in order."""
        return [self.verify(claim) for claim in claims]


class AnswerVerifier(Verifier):
    """Compares an extracted answer with the gold; the core extracts, caches and isolates.

    Attributes:
        imports: modules that `check` needs; a worker imports them before the clock of its first claim starts.
        context_free: True if a verdict depends only on the answer and on the example's gold answer, choices, answer
            type, precision and unit. Equal answers to examples that share these are then checked once.
    """

    imports: ClassVar[tuple[str, ...]] = ()
    context_free: ClassVar[bool] = False

    def quick(self, answer: str, claim: Claim) -> Verdict | None:
        """Decide with bounded work, or return None to defer to `check`."""
        return None

    @abstractmethod
    def check(self, answer: str, claim: Claim) -> Verdict:
        """Decide with as much work as it takes; runs in a worker with a time limit."""

    def verify(self, claim: Claim) -> Verdict:
        if claim.answer is None:
            return Verdict.unparsed("no answer could be extracted", self.range[0])
        return self.quick(claim.answer, claim) or self.check(claim.answer, claim)


class LookingVerifier(Verifier):
    """Scores a claim by the pixels of its images, in a worker as any other verifier, and never inline."""

    @abstractmethod
    def look(self, claim: Claim, read: ImageReader) -> Verdict:
        """The verdict on one claim; equal claims get equal verdicts.

        Args:
            claim: to verify.
            read: decodes an image; the picture is shared, so copy it before changing it.
        """

    def verify(self, claim: Claim) -> Verdict:
        """Not called: the core hands a reader to `look`."""
        raise NotImplementedError


class AskingVerifier(Asking[Claim, Verdict], Verifier):
    """Asks a model about each claim. A claim without a usable reply has no score, which is never a score of 0.

    The response is what the policy is rewarded for, so it may try to persuade the model: the prompt must show it as
    data, and the parser must not take what it repeats for a decision.
    """

    def verify(self, claim: Claim) -> Verdict:
        """Not called: the core asks."""
        raise NotImplementedError
