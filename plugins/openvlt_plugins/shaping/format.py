"""Whether a response has the format that the recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from openvlt import Claim, Format, Option, Verdict, Verifier


@dataclass(frozen=True)
class FormatCheck(Verifier):
    """Scores 1 if the response is one think block followed by one answer block, else 0.

    Accepts a response whose opening think tag the chat template wrote (``prefilled``), and white space anywhere.
    Refuses text before the think block or after the answer block, an empty answer, and a duplicate tag. The verdict's
    ``detail`` has the parts of the response: ``think``, ``explanation`` and ``answer``.
    """

    inline: ClassVar[bool] = True

    explanation: Annotated[bool, Option("allow prose between the two blocks, as in OpenVLThinker's traces")] = True
    prefilled: Annotated[bool, Option("the opening think tag may be missing, since the chat template wrote it")] = True
    format: Annotated[Format, Option("names the tags")] = field(default_factory=Format)

    def verify(self, claim: Claim) -> Verdict:
        think, answer = self.format.think, self.format.answer
        text = claim.response.strip()
        tags = [f"<{think}>", f"</{think}>", f"<{answer}>", f"</{answer}>"]
        counts = [text.count(tag) for tag in tags]
        if counts[0] == 0 and self.prefilled:
            text, counts[0] = tags[0] + text, 1
        for tag, count in zip(tags, counts, strict=True):
            if count != 1:
                return Verdict.scored(0.0, f"{tag} occurs {count} times")
        starts = [text.index(tag) for tag in tags]
        if starts != sorted(starts):
            return Verdict.scored(0.0, "the tags are out of order")
        ends = [start + len(tag) for start, tag in zip(starts, tags, strict=True)]
        names = ("think", "explanation", "answer")
        parts = {name: text[ends[index] : starts[index + 1]].strip() for index, name in enumerate(names)}
        return Verdict.scored(*self._score(text[: starts[0]], parts, text[ends[-1] :]), detail=parts)

    def _score(self, before: str, parts: dict[str, str], after: str) -> tuple[float, str]:
        if before.strip():
            return 0.0, "text before the think block"
        if after.strip():
            return 0.0, "text after the answer block"
        if not parts["answer"]:
            return 0.0, "the answer is empty"
        if parts["explanation"] and not self.explanation:
            return 0.0, "text between the blocks"
        return 1.0, "well-formed"


@dataclass(frozen=True)
class TagCount(Verifier):
    """Partial credit for the format: a quarter for each of the four tags that occurs exactly once.

    As in open-r1 (tag_count_reward), but white space around a tag is free. The order is not checked, which ``format``
    does. Where the chat template wrote the opening think tag (`prefilled`), it counts with its closing tag.
    """

    inline: ClassVar[bool] = True

    prefilled: Annotated[bool, Option("the opening think tag may be missing, since the chat template wrote it")] = True
    format: Annotated[Format, Option("names the tags")] = field(default_factory=Format)

    def verify(self, claim: Claim) -> Verdict:
        tags = [f"<{slash}{name}>" for name in (self.format.think, self.format.answer) for slash in ("", "/")]
        once = [claim.response.count(tag) == 1 for tag in tags]
        if self.prefilled and tags[0] not in claim.response:
            once[0] = once[1]
        missed = [tag for tag, found in zip(tags, once, strict=True) if not found]
        return Verdict.scored(sum(once) / 4, f"not once: {', '.join(missed)}" if missed else "each tag once")
