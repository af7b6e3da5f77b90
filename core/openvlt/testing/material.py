"""What components are tried on: examples with images, responses, claims, judged traces, replies of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from openvlt.extraction import parse
from openvlt.records import Claim, Completion, Example, Format, Image, Judged, Model, Trace, Verdict
from openvlt.store.decoding import decode_image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

COLOURS = {"red": (220, 20, 20), "green": (20, 160, 20), "blue": (20, 20, 220), "grey": (128, 128, 128)}
FORMAT = Format()
REPLIES = (
    "<think>I look, and I see it.</think>\n<answer>red</answer>",
    "<think>3 and 4 are 7.</think>\nSo it is seven.\n<answer>7</answer>",
    "The picture shows a red square on a white ground.",
    "yes", "no", "Verdict: yes", "Score: 1", "0.5", "[[A]]",
    "", " \n\t", "<think>", "</think><answer></answer>", "<answer>1</answer>" * 3,
    "\\boxed{\\frac{1}{2}}", "Ünïcödé ✓ \u202e\u0000", "word " * 5000,
)  # fmt: skip
"""What a model may reply, whatever it is asked."""
HOSTILE = (
    "(" * 20_000, "9**9**9**9", "<answer>" * 5000, "a" * 200_000, "a " * 100_000 + "!", "{" * 5000 + "}" * 5000,
    "1," * 50_000, "\\frac{" * 3000, "<think>" + "</think>" * 5000, "0." + "0" * 100_000 + "1",
)  # fmt: skip
"""Answers that cost unbounded work if a verifier lets them."""


@cache
def image(colour: str) -> Image:
    """The reference to a picture of 32 x 32 pixels of a colour of `COLOURS`."""
    return Image(sha256(content(colour)).hexdigest(), 32, 32)


@cache
def content(colour: str) -> bytes:
    """The picture's file."""
    import PIL.Image

    file = BytesIO()
    PIL.Image.new("RGB", (32, 32), COLOURS[colour]).save(file, "png")
    return file.getvalue()


def colour_of(found: Image) -> str:
    """The colour of a picture of `image`."""
    return next(colour for colour in COLOURS if image(colour) == found)


def read(image: Image) -> Picture:
    """Decode a picture of `image`, as the store does: the picture is shared."""
    return decoded(colour_of(image))


@cache
def decoded(colour: str) -> Picture:
    """The picture of a colour, which all share."""
    return decode_image(content(colour)).convert("RGB")


def examples() -> list[Example]:
    """Nine examples of different types, with none, one and two images; their images are read by `read`."""
    kind = {"category": "made", "alt": "a square"}
    return [
        Example(id="colour", question="What colour is the square?", answer="red", images=(image("red"),),
                answer_type="text", source="made", metadata=kind),
        Example(id="sum", question="What is 3 + 4?", answer="7", answer_type="integer", source="made", metadata=kind),
        Example(id="choice", question="<image> or <image>: which is blue?", answer="B",
                choices=("the first", "the second"), images=(image("green"), image("blue")), answer_type="choice",
                source="made", metadata={"category": "choice"}),
        Example(id="share", question="How wide is it?", answer="0.25", answer_type="float", precision=2, unit="m",
                images=(image("grey"),), source="made"),
        Example(id="ouï", question="Le carré est-il bleu ? ✓", answer="no", answer_type="yes_no",
                images=(image("red"),), source="made"),
        Example(id="list", question="Which numbers?", answer="[1, 2]", answer_type="list", source="made"),
        Example(id="box", question="Where is the square?", answer="[4, 4, 20, 20]", images=(image("blue"),),
                answer_type="box", source="made"),
        Example(id="point", question="Point at it.", answer="[12, 12]", images=(image("blue"),), answer_type="point",
                source="made"),
        Example(id="time", question="What does the clock show?", answer="10:30", images=(image("grey"),),
                source="made"),
    ]  # fmt: skip


def claim(example: Example, response: str, *, is_correct: bool | None = None, group: str = "") -> Claim:
    """The claim of a response, with an earlier verdict of a verifier named ``answer``.

    Args:
        example: the question.
        response: all that a model wrote.
        is_correct: the earlier verdict; by default, whether the response has the gold answer literally.
        group: equal for claims that answer the same prompt.
    """
    trace = parse(Completion(text=response, completion_tokens=len(response.split())), FORMAT)
    right = trace.answer == example.answer if is_correct is None else is_correct
    verdict = Verdict.correct("equal") if right else Verdict.incorrect("another")
    return Claim(trace=trace, example=example, group=group, verdicts={"answer": verdict})


def responses(example: Example) -> list[str]:
    """A right response to an example, a wrong one, and some that are neither."""
    written = [FORMAT.target(Trace(think="I look.", answer=answer, raw="")) for answer in (example.answer, "nonsense")]
    return [*written, f"The answer is {example.answer}.", "", "<think>cut off", "<answer></answer>", "✓ \u202e"]


def claims(examples: Sequence[Example]) -> list[Claim]:
    """Claims on examples, those on one in one group."""
    return [claim(example, each, group=example.id) for example in examples for each in responses(example)]


def judged(example: Example) -> list[Judged]:
    """Judged traces of an example: right ones, wrong ones, one without an answer."""
    texts = [
        *(f"<think>Step {n}. Wait, I look again.</think><answer>{example.answer}</answer>" for n in range(3)),
        *("<think>I guess.</think><answer>nonsense</answer>",) * 2,
        "<think>I never end",
    ]
    found = [claim(example, text) for text in texts]
    return [Judged(trace=each.trace, verdicts=each.verdicts) for each in found]


@cache
def policy() -> Path:
    """The folder of the tiny policy that openvlt brings: a vision-language model of two layers, for CPUs."""
    from openvlt.engines import packaged_models

    return packaged_models()["tiny-vl"]


@dataclass(frozen=True)
class Material:
    """What a component is tried on; replace what yours cannot use.

    Attributes:
        examples: the questions; images among them are read by `read`.
        replies: what models reply to it.
        claims: for a verifier; by default several to each example.
        facts: of the examples, by name and id, for an example filter.
        model: of a backend, and the one a trainer starts from; by default the tiny policy.
        rows: examples that are read of a source or a benchmark.
    """

    examples: Sequence[Example] = field(default_factory=examples)
    replies: Sequence[str] = REPLIES
    claims: Sequence[Claim] = ()
    facts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    model: Model | None = None
    rows: int = 100

    def all_claims(self) -> Sequence[Claim]:
        return self.claims or claims(self.examples)

    def all_facts(self, needs: Sequence[str]) -> dict[str, Mapping[str, float]]:
        """The facts a filter needs; those that are not given are 0, 0.25, ... by example."""
        made = {example.id: index / 4 % 1 for index, example in enumerate(self.examples)}
        return {name: self.facts.get(name, made) for name in needs}

    def the_model(self) -> Model:
        return self.model or Model(id=str(policy()), dtype="float32")
