"""What the verifiers of regions share: limits, who is to blame, and coordinates."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from openvlt import AnswerVerifier, Claim, Example, Option, Verdict
from openvlt_plugins.answers.grading import graded
from openvlt_plugins.answers.grammar import TooLarge, Unreadable
from openvlt_plugins.answers.grammar.limits import CHARACTERS
from openvlt_plugins.answers.regions.reading import GOLD_CHARACTERS, Point, items


@dataclass(frozen=True)
class RegionVerifier(AnswerVerifier):
    """Compares the regions of an answer with those of the gold.

    Both have to be in the same coordinates unless an option says otherwise. Pixels are those of the example's first
    image as it is in the store; a model that gets it resized and writes pixels of that needs golds in the same.
    """

    version: ClassVar[str] = "2"
    inline: ClassVar[bool] = True

    coordinates: Annotated[
        Literal["same", "pixels", "fractions", "thousandths"],
        Option("of the answer: the same as the gold's; pixels of the first image; 0 to 1; or 0 to 1000"),
    ] = "same"
    gold_coordinates: Annotated[
        Literal["pixels", "fractions", "thousandths"], Option("of the gold, where the answer's are not the same")
    ] = "pixels"

    @abstractmethod
    def regions(self, found: list[Any], scale: Point) -> list[Any]:
        """The regions of an answer with coordinates multiplied by `scale`; raises Unreadable or TooLarge."""

    def gold_regions(self, found: list[Any]) -> list[Any]:
        """The regions of the gold; raises as `regions`."""
        return self.regions(found, (1.0, 1.0))

    @abstractmethod
    def score(self, golds: list[Any], given: list[Any]) -> float:
        """The score of an answer, from 0 to 1; one of the two has a region."""

    def check(self, answer: str, claim: Claim) -> Verdict:
        text = claim.example.answer
        try:
            if not text.strip() or len(text) > GOLD_CHARACTERS:
                raise Unreadable("it is empty" if not text.strip() else f"longer than {GOLD_CHARACTERS} characters")
            golds, scale = self.gold_regions(items(text)), self._scale(claim.example)
        except (Unreadable, TooLarge) as error:
            return Verdict.bad_gold(f"the gold cannot be read: {error}")
        try:
            if len(answer) > CHARACTERS:
                raise TooLarge(f"longer than {CHARACTERS} characters")
            given = self.regions(items(answer), scale)
        except TooLarge as error:
            return Verdict.unparsed(f"over the limits: {error}", self.range[0])
        except Unreadable as error:
            return Verdict.incorrect(f"cannot be read: {error}", tier="text")
        score = self.score(golds, given) if golds or given else 1.0
        return graded(score, f"{len(given)} given, {len(golds)} in the gold, score {score:.3g}", tier="structure")

    quick = check

    def _scale(self, example: Example) -> Point:
        """What to multiply the answer's coordinates by to get the gold's."""
        if self.coordinates in ("same", self.gold_coordinates):
            return 1.0, 1.0
        size = (example.images[0].width, example.images[0].height) if example.images else (0, 0)
        if "pixels" in (self.coordinates, self.gold_coordinates) and not all(size):
            raise Unreadable("the size of the image is unknown, which its coordinates depend on")
        sizes = {"pixels": size, "fractions": (1, 1), "thousandths": (1000, 1000)}
        wanted, given = sizes[self.gold_coordinates], sizes[self.coordinates]
        return wanted[0] / given[0], wanted[1] / given[1]
