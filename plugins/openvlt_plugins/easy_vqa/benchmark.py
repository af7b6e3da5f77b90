"""The balanced easy-VQA benchmark and its blind baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from openvlt import Benchmark, Example, Format, Message, Option, Source
from openvlt_plugins.easy_vqa.source import EasyVqa, questions_of


@dataclass(frozen=True)
class EasyVqaBenchmark(Benchmark):
    """One question about each of the 1,000 test images, equally many on shape, colour and yes/no.

    Three quarters of easy-VQA's questions are yes/no, and the text alone often gives their answers away. Balancing
    them, with yes and no equally often, lowers the score of a baseline that ignores the image.
    """

    split: Annotated[str, Option("split: test, or dev for tuning")] = "test"
    source: Source = field(init=False, default_factory=lambda: EasyVqa(questions_per_image=1, balanced=True, seed=0))
    scorings: Annotated[Mapping[str, str], Option("scoring name to verifier name")] = field(
        default_factory=lambda: {"exact": "answer"}
    )
    breakdown: Annotated[tuple[str, ...], Option("metadata keys of the breakdown")] = ("category",)

    def messages(self, example: Example, format: Format) -> list[Message]:
        return format.prompt(example)

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        return [Message.user(*example.images, f"{example.question}\nAnswer with one word.")]

    def baselines(self) -> Mapping[str, Callable[[Example], str]]:
        """The blind baseline: the most frequent answer to the same question text in the train split."""
        answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for question in questions_of("train"):
            answers[question.text][question.answer] += 1
        best = {question: counts.most_common(1)[0][0] for question, counts in answers.items()}
        return {"blind": lambda example: best.get(example.question, "no")}
