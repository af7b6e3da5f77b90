"""A benchmark of questions with images, all of it said by its options."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from openvlt import Benchmark, Example, Format, Message, Option, Source, Verdict


@dataclass(frozen=True)
class Qa(Benchmark):
    """Questions with images, asked one by one in the words of a template.

    A template may hold ``{question}``, ``{choices}`` (lettered lines), ``{unit}`` and any key of the metadata. The one
    for ``float.1`` is taken for floats of one decimal, that for ``float`` for all others, ``default`` where there is
    none for the answer type.
    """

    source: Annotated[Source, Option("where the questions come from")]
    split: Annotated[str, Option("which of its splits")]
    scorings: Annotated[Mapping[str, str], Option("scoring name to verifier name; the first is the headline")]
    prompts: Annotated[Mapping[str, str], Option("answer type to template")]
    choice: Annotated[str, Option("how one choice is written: {letter}, {choice}")] = "({letter}) {choice}"
    prompt_key: Annotated[str, Option("metadata key that holds the ready-made prompt, where a row has one")] = ""
    system: Annotated[str, Option("system text")] = ""
    markers: Annotated[str, Option("pattern of an image's place in the text, its number as group 1")] = ""
    breakdown: Annotated[tuple[str, ...], Option("metadata keys of the breakdown", affects_output=False)] = ()
    clusters: Annotated[str, Option("metadata key of what questions share", affects_output=False)] = ""
    excluded_from_score: Annotated[
        Mapping[str, str],
        Option("metadata key to a value: reported but not scored", affects_output=False),
    ] = field(default_factory=dict)
    groups: Annotated[
        Mapping[str, tuple[str, ...]], Option("further figure to the keys of its groups", affects_output=False)
    ] = field(default_factory=dict)
    accept_phrases: Annotated[bool, Option("accept a phrase or a bare reply as the answer")] = True
    extract_prompt: Annotated[str, Option("asks a judge for the answer: {prompt}, {response}")] = ""
    score_prompt: Annotated[str, Option("asks a judge for 1 or 0: {question}, {gold}, {answer}")] = ""
    contamination: Annotated[str, Option("what is known of the data in training sets", affects_output=False)] = ""

    version: ClassVar[str] = "2"

    def messages(self, example: Example, format: Format) -> list[Message]:
        turns = [Message.system(self.system)] if self.system else []
        return [*turns, Message.user(*self._placed(self._text(example), example))]

    def judge_extraction(self, example: Example, response: str) -> list[Message] | None:
        if not self.extract_prompt or _is_answer(response, example):
            return None
        told = {"prompt": self._text(example), "response": response}
        return [Message.user(_filled(self.extract_prompt, told))]

    def judge_score(self, example: Example, answer: str) -> list[Message] | None:
        if not self.score_prompt:
            return None
        told = {"question": self._text(example), "gold": example.answer, "answer": answer}
        return [Message.user(_filled(self.score_prompt, told))]

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        figures = {}
        for name, keys in self.groups.items():
            right: defaultdict[tuple[Any, ...], bool] = defaultdict(lambda: True)
            for example, verdict in rows:
                right[tuple(str(example.metadata.get(key)) for key in keys)] &= verdict.status == "correct"
            figures[name] = sum(right.values()) / len(right) if right else 0.0
        return figures

    def _text(self, example: Example) -> str:
        ready = example.metadata.get(self.prompt_key) if self.prompt_key else None
        if ready:
            return str(ready)
        kind = example.answer_type or "default"
        template = self.prompts.get(f"{kind}.{example.precision}") or self.prompts.get(kind) or self.prompts["default"]
        values = {
            **{key: "" if value is None else str(value) for key, value in example.metadata.items()},
            "question": example.question,
            "choices": "\n".join(self._choices(example)),
            "unit": f" (Unit: {example.unit})" if example.unit else "",
        }
        # a template may begin with a part that the row does not have
        return _filled(template, values).lstrip("\n")

    def _choices(self, example: Example) -> Iterator[str]:
        for place, choice in enumerate(example.choices):
            yield _filled(self.choice, {"letter": chr(65 + place), "choice": choice})

    def _placed(self, text: str, example: Example) -> Iterator[Any]:
        """The text with the images in their marked places; those that have none stand before it."""
        if not self.markers:
            yield from (*example.images, text)
            return
        marks = list(re.finditer(self.markers, text))
        placed = {int(mark[1]) - 1 for mark in marks}
        yield from (image for place, image in enumerate(example.images) if place not in placed)
        start = 0
        for mark in marks:
            place = int(mark[1]) - 1
            if 0 <= place < len(example.images):
                if text[start : mark.start()]:
                    yield text[start : mark.start()]
                yield example.images[place]
                start = mark.end()
        if text[start:]:
            yield text[start:]


def _filled(template: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def _is_answer(response: str, example: Example) -> bool:
    """True if a response is nothing but an answer, so that no judge need look for one."""
    if not response or response in example.choices:
        return True
    number = {"integer": int, "float": float}.get(example.answer_type or "")
    try:
        return number is not None and number(response) is not None
    except ValueError:
        return False
