"""A benchmark of questions with images, defined by its options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval

from openvlt import Benchmark, Example, Format, Image, Message, Option, Reject, Source, UsageError, Verdict, tables
from openvlt_plugins.qa.groups import Groups, accuracy


@dataclass(frozen=True)
class Qa(Benchmark):
    """Questions with images, each rendered by a template.

    A template may have ``{question}``, ``{choices}`` (lettered lines), ``{unit}`` and any key of the metadata. The
    template ``float.1`` is for floats of one decimal, ``float`` for all other floats, and ``default`` for answer types
    without a template; `prompts_by` takes keys of the metadata in place of answer type and precision.
    """

    source: Annotated[Source, Option("source of the questions")]
    split: Annotated[str, Option("split of the source")]
    scorings: Annotated[
        Mapping[str, str | Mapping[str, Any]],
        Option("scoring name to verifier, {use: number, tolerance: 0.05}; the first is the headline"),
    ]
    prompts: Annotated[
        Mapping[str, str], Option("answer type to template; none to ask as in training, and the base for a bare answer")
    ] = field(default_factory=dict)
    prompts_by: Annotated[
        tuple[str, ...], Option("metadata keys whose values, joined by dots, name the template, the general one first")
    ] = ()
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
        Mapping[str, tuple[str, ...] | Groups],
        Option("additional figure to the metadata keys of its groups, or {by, right, role}", affects_output=False),
    ] = field(default_factory=dict)
    means: Annotated[
        Mapping[str, tuple[str, ...]],
        Option("additional figure to the mean of which ones, `accuracy` among them", affects_output=False),
    ] = field(default_factory=dict)
    sums: Annotated[
        Mapping[str, Mapping[str, Annotated[float, Interval(ge=-1, le=1)]]],
        Option("additional figure to the weights of those that it is the sum of", affects_output=False),
    ] = field(default_factory=dict)
    reading: Annotated[
        Literal["tag", "phrase", "anywhere", "whole"],
        Option("where an answer may be if there is neither tag nor box", affects_output=False),
    ] = "phrase"
    extract_prompt: Annotated[str, Option("prompt that asks a judge for the answer: {prompt}, {response}")] = ""
    score_prompt: Annotated[
        str, Option("prompt that asks a judge for 1 or 0: {question}, {gold}, {answer}, metadata; the rubric, if any")
    ] = ""
    judged_question: Annotated[str, Option("metadata key of {question} in it; empty for the text of the prompt")] = ""
    contamination: Annotated[str, Option("known overlap with training sets", affects_output=False)] = ""

    version: ClassVar[str] = "3"

    def __post_init__(self) -> None:
        known = ("accuracy", *self.groups)
        for option, figures in (("means", self.means), ("sums", self.sums)):
            for name, parts in figures.items():
                for part in parts or ("",):
                    if part not in known:
                        problem = f"The figure '{name}' is of '{part}'."
                        raise UsageError(problem, f"Choose from: {', '.join(known)}.", option)

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
        values = {**_metadata(example), "question": question, "gold": example.answer, "answer": answer}
        return [Message.user(_render(self.score_prompt, values))]

    def aggregate(self, rows: Sequence[tuple[Example, Verdict]]) -> Mapping[str, float]:
        groups = {name: each if isinstance(each, Groups) else Groups(by=each) for name, each in self.groups.items()}
        figures = {name: each.figure(rows) for name, each in groups.items()}
        known = {"accuracy": accuracy(rows), **figures}
        means = {name: sum(map(known.__getitem__, parts)) / len(parts) for name, parts in self.means.items()}
        sums = {name: sum(known[part] * by for part, by in parts.items()) for name, parts in self.sums.items()}
        return {**figures, **means, **sums}

    def _text(self, example: Example) -> str:
        if self.prompt_key and (ready := example.metadata.get(self.prompt_key)):
            return str(ready)
        values = {
            **_metadata(example),
            "question": example.question,
            "choices": "\n".join(self._choices(example)),
            "unit": f" (Unit: {example.unit})" if example.unit else "",
        }
        # A template may begin with a part that is empty for this row.
        return _render(self._template(example), values).lstrip("\n")

    def _template(self, example: Example) -> str:
        if not self.prompts:
            return "{question}\n{choices}" if example.choices else "{question}"
        keys = [example.metadata.get(key) for key in self.prompts_by] or [example.answer_type, example.precision]
        names = [".".join(map(tables.text_of, keys[:count])) for count in range(len(keys), 0, -1)]
        for name in (*names, "default"):
            if name in self.prompts:
                return self.prompts[name]
        raise Reject(f"no entry of 'prompts' is for {names[-1]}, and none is 'default'")

    def _choices(self, example: Example) -> Iterator[str]:
        for index, choice in enumerate(example.choices):
            if choice:  # an empty one only keeps the letters of those behind it
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


def _metadata(example: Example) -> dict[str, str]:
    return {key: "" if value is None else str(value) for key, value in example.metadata.items()}


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
