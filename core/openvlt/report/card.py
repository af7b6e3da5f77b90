"""The card of a distilled data set: where it comes from, how it was made, and how good it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openvlt.records import Row, StageRecord

BIN = 50
"""Words a bar of the length histogram stands for."""


@dataclass
class Passed:
    """How often the teacher was right about a source: of each question's `k` samples, one that is no trace is wrong."""

    examples: int = 0
    right: int = 0
    solved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card tells.

    Attributes:
        name: of the data set.
        sources: source name to its licence and revision.
        components: role (captioner, teacher, verifier, filter) to component id and options.
        models: role to model and backend.
        prompts: role to one prompt, as it was asked.
        stages: what each step took and left.
        k: samples a question.
    """

    name: str
    sources: Mapping[str, tuple[str, str]]
    components: Sequence[tuple[str, str, Mapping[str, Any]]]
    models: Mapping[str, str]
    prompts: Mapping[str, str]
    stages: Sequence[StageRecord]
    k: int
    passed: dict[str, Passed] = field(default_factory=dict)
    lengths: Counter[int] = field(default_factory=Counter)

    def count(self, judged: Iterable[Row], chosen: Iterable[Row]) -> None:
        """Take in what the verifiers said of all traces, and the lengths of the chosen ones."""
        for row in judged:
            right = sum(each.is_correct for each in row.judged)
            passed = self.passed.setdefault(row.example.source, Passed())
            passed.examples += 1
            passed.right += right
            passed.solved += right > 0
        for row in chosen:
            self.lengths.update(len(each.trace.think.split()) // BIN for each in row.judged)

    def text(self) -> str:
        """The card in Markdown."""
        parts = [
            "---\ntags:\n- openvlt\n---\n",
            f"# {self.name}\n",
            f"{sum(self.lengths.values())} verified reasoning traces, distilled by openvlt; one row a trace.\n",
            "## Sources\n",
            _table(("source", "licence", "revision"), ((n, *facts) for n, facts in self.sources.items())),
            "The licence of the teacher's model may also bind what is trained on its traces.\n",
            "## Models\n",
            _table(("role", "model"), self.models.items()),
            "## Components\n",
            _table(("role", "component", "options"), ((r, c, _options(o)) for r, c, o in self.components)),
            "## Prompts\n",
            *(f"The {role}'s, for the first example:\n\n{_fenced(text)}\n" for role, text in self.prompts.items()),
            "## Counts\n",
            _table(("step", "in", "out", "left out"), map(_counts, self.stages)),
            "## How often the teacher is right\n",
            f"Of {self.k} samples a question; one that is no trace counts as wrong.\n",
            _table(("source", "questions", "pass@1", f"pass@{self.k}"), map(self._passed, self.passed.items())),
            "## Length of the reasoning\n",
            _table(("words", "traces", ""), self._histogram()),
        ]  # fmt: skip
        return "\n".join(parts)

    def _passed(self, item: tuple[str, Passed]) -> tuple[str, ...]:
        source, passed = item
        first = passed.right / (passed.examples * self.k)
        return source, str(passed.examples), f"{first:.1%}", f"{passed.solved / passed.examples:.1%}"

    def _histogram(self) -> list[tuple[str, ...]]:
        most = max(self.lengths.values(), default=1)
        return [
            (f"{bar * BIN} to {bar * BIN + BIN - 1}", str(count), "#" * max(1, round(40 * count / most)))
            for bar, count in sorted(self.lengths.items())
        ]


def _counts(stage: StageRecord) -> tuple[str, ...]:
    left_out = ", ".join(f"{count} x {reason}" for reason, count in stage.rejected.items())
    return stage.name, str(stage.taken), str(stage.out), left_out or "0"


def _options(options: Mapping[str, Any]) -> str:
    shown = {name: value["id"] if _is_model(value) else value for name, value in options.items()}
    return ", ".join(f"{name}={value!r}" for name, value in shown.items() if value not in (None, ""))


def _is_model(value: Any) -> bool:
    return isinstance(value, Mapping) and "id" in value and "dtype" in value


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _fenced(text: str) -> str:
    """A code block; a longer fence than any the text holds."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
