"""A benchmark of questions with images, defined by its options."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from openvlt import Benchmark, Example, Format, Image, Message, Option, Source, UsageError, Verdict


@dataclass(frozen=True)
class Qa(Benchmark):
    """Questions with images, each rendered by a template.

    A template may have ``{question}``, ``{choices}`` (lettered lines), ``{unit}`` and any key of the metadata. The
    template ``float.1`` is for floats of one decimal, ``float`` for all other floats, and ``default`` for answer types
    without a template.
    """

    source: Annotated[Source, Option("source of the questions")]
    split: Annotated[str, Option("split of the source")]
    scorings: Annotated[Mapping[str, str], Option("scoring name to verifier name; the first is the headline")]
    prompts: Annotated[
        Mapping[str, str], Option("answer type to template; none to ask as in training, and the base for a bare answer")
    ] = field(default_factory=dict)
    choice: Annotated[str, Option("template of one choice: {letter}, {choice}")] = "({letter}) {choice}"
    prompt_key: Annotated[str, Option("metadata key of a ready-made prompt, for rows that have one")] = ""
    system: Annotated[str, Option("system text")] = ""
    markers: Annotated[str, Option("pattern of an image's position in the text, its number as group 1")] = ""
    breakdown: Annotated[tuple[str, ...], Option("metadata keys of the breakdown", affects_output=False)] = ()
    clusters: Annotated[str, Option("metadata key by which related questions are clustered", affects_output=False)] = ""
    excluded_from_score: Annotated[
        Mapping[str, str],
        Option("metadata key to a value: reported but not scored", affects_output=False),
    ] = field(default_factory=dict)
    groups: Annotated[
        Mapping[str, tuple[str, ...]], Option("additional figure to the keys of its groups", affects_output=False)
    ] = field(default_factory=dict)
    means: Annotated[
        Mapping[str, tuple[str, ...]],
        Option("additional figure to the mean of which ones, `accuracy` among them", affects_output=False),
    ] = field(default_factory=dict)
    reading: Annotated[
        Literal["tag", "phrase", "anywhere", "whole"],
        Option("where an answer may be if there is neither tag nor box", affects_output=False),
    ] = "phrase"
    extract_prompt: Annotated[str, Option("prompt that asks a judge for the answer: {prompt}, {response}")] = ""
    score_prompt: Annotated[str, Option("prompt that asks a judge for 1 or 0: {question}, {gold}, {answer}")] = ""
    judged_question: Annotated[str, Option("metadata key of {question} in it; empty for the text of the prompt")] = ""
    contamination: Annotated[str, Option("known overlap with training sets", affects_output=False)] = ""

    version: ClassVar[str] = "2"

    def __post_init__(self) -> None:
        known = ("accuracy", *self.groups)
        for name, parts in self.means.items():
            for part in parts or ("",):
                if part not in known:
                    raise UsageError(f"The mean '{name}' is of '{part}'.", f"Choose from: {', '.join(known)}.", "means")

    def messages(self, example: Example, format: Format) -> list[Message]:
        if not self.prompts:
            return format.prompt(example)
        system = [Message.system(self.system)] if self.system else []
        earlier = [Message(turn.role, (turn.text,)) for turn in example.history]
        return [*system, *earlier, Message.user(*self._with_images(self._text(example), example))]

    def base_messages(self, example: Example, format: Format) -> list[Message]:
        bare = "\nAnswer with the letter." if example.choices else "\nAnswer with one word."
        return self.messages(example, format if self.prompts else replace(format, system="", suffix=bare))

    def judge_extraction(self, example: Example, response: str) -> list[Message] | None:
        if not self.extract_prompt or _is_answer(response, example):
            return None
        values = {"prompt": self._text(example), "response": response}
        return [Message.user(_render(self.extract_prompt, values))]

    def judge_score(self, example: Example, answer: str) -> list[Message] | None:
        if not self.score_prompt:
            return None
        question = str(example.metadata.get(self.judged_question) or self._text(example))
        values = {"question": question, "gold": example.answer, "answer": answer}
        return [Message.user(_render(self.score_prompt, values))]

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        figures = {}
        for name, keys in self.groups.items():
            correct: defaultdict[tuple[str, ...], bool] = defaultdict(lambda: True)
            for example, verdict in rows:
                correct[tuple(str(example.metadata.get(key)) for key in keys)] &= verdict.status == "correct"
            figures[name] = sum(correct.values()) / len(correct) if correct else 0.0
        right = [verdict.status == "correct" for _, verdict in rows]
        known = {"accuracy": sum(right) / max(len(right), 1), **figures}
        means = {name: sum(map(known.__getitem__, parts)) / len(parts) for name, parts in self.means.items()}
        return {**figures, **means}

    def _text(self, example: Example) -> str:
        if self.prompt_key and (ready := example.metadata.get(self.prompt_key)):
            return str(ready)
        answer_type, prompts = example.answer_type or "default", self.prompts
        template = prompts.get(f"{answer_type}.{example.precision}") or prompts.get(answer_type) or prompts["default"]
        values = {
            **{key: "" if value is None else str(value) for key, value in example.metadata.items()},
            "question": example.question,
            "choices": "\n".join(self._choices(example)),
            "unit": f" (Unit: {example.unit})" if example.unit else "",
        }
        # A template may begin with a part that is empty for this row.
        return _render(template, values).lstrip("\n")

    def _choices(self, example: Example) -> Iterator[str]:
        for index, choice in enumerate(example.choices):
            yield _render(self.choice, {"letter": chr(65 + index), "choice": choice})

    def _with_images(self, text: str, example: Example) -> Iterator[str | Image]:
        """The text with the images at their markers, and before it the images without a marker."""
        if not self.markers:
            yield from example.images
            yield text
            return
        marks = list(re.finditer(self.markers, text))
        marked = {int(mark[1]) - 1 for mark in marks}
        yield from (image for index, image in enumerate(example.images) if index not in marked)
        start = 0
        for mark in marks:
            index = int(mark[1]) - 1
            if 0 <= index < len(example.images):
                if text[start : mark.start()]:
                    yield text[start : mark.start()]
                yield example.images[index]
                start = mark.end()
        if text[start:]:
            yield text[start:]


def _render(template: str, values: Mapping[str, str]) -> str:
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
