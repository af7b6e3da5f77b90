"""The card of a distilled data set: its sources, how it was made, and how often the teacher was right."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openvlt.records import Judged, Row, StageRecord
from openvlt.stages.near_duplicates import COUNT
from openvlt.terminal import escape

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&!#$@]")
_LINK = re.compile(r":(?=//)|\.(?<=www\.)", re.IGNORECASE)
BIN = 50
"""Words per bar of the length histogram."""


@dataclass
class PassCounts:
    """How often the teacher was right on a source; a sample that is not a trace counts as wrong.

    Attributes:
        examples: number of questions.
        right: correct samples of all questions.
        solved: questions with at least one correct sample.
        undecided: samples whose verifiers failed; they are neither right nor wrong.
        open: questions without a correct sample and with an undecided one.
    """

    examples: int = 0
    right: int = 0
    solved: int = 0
    undecided: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The content of a card.

    Attributes:
        name: of the data set.
        sources: source name to its licence and revision.
        components: role (captioner, teacher, verifier, filter) to component id and options.
        models: role to model and backend.
        prompts: role to the prompt for the first example.
        stages: records of the stages.
        k: samples per question.
        passed: by source.
        lengths: traces by length of the reasoning, in bins of `BIN` words.
    """

    name: str
    sources: Mapping[str, tuple[str, str]]
    components: Sequence[tuple[str, str, Mapping[str, Any]]]
    models: Mapping[str, str]
    prompts: Mapping[str, str]
    stages: Sequence[StageRecord]
    k: int
    passed: dict[str, PassCounts] = field(default_factory=dict)
    lengths: Counter[int] = field(default_factory=Counter)

    def count(self, judged: Iterable[Row], chosen: Iterable[Row]) -> None:
        """Count the verdicts of all traces, and the lengths of the chosen ones."""
        for row in judged:
            right = sum(each.is_correct for each in row.judged)
            undecided = sum(map(_is_undecided, row.judged))
            passed = self.passed.setdefault(row.example.source, PassCounts())
            passed.examples += 1
            passed.right += right
            passed.solved += right > 0
            passed.undecided += undecided
            passed.open += undecided > 0 and not right
        for row in chosen:
            self.lengths.update(len(each.trace.think.split()) // BIN for each in row.judged)

    def text(self) -> str:
        """The card in Markdown."""
        parts = [
            "---\ntags:\n- openvlt\n---\n",
            f"# {_cell(self.name)}\n",
            f"{sum(self.lengths.values())} verified reasoning traces, distilled by openvlt; one row per trace.\n",
            "## Sources\n",
            markdown_table(("source", "licence", "revision"), ((n, *facts) for n, facts in self.sources.items())),
            "The licence of the teacher's model may also apply to models trained on its traces.\n",
            "## Models\n",
            markdown_table(("role", "model"), self.models.items()),
            "## Components\n",
            markdown_table(("role", "component", "options"), ((r, c, _options(o)) for r, c, o in self.components)),
            "## Prompts\n",
            *(f"Of the {role}, for the first example:\n\n{_fenced(text)}\n" for role, text in self.prompts.items()),
            "## Counts\n",
            markdown_table(("stage", "in", "out", "rejected"), map(_counts, self.stages)),
            *_near_duplicates(self.stages),
            "## How often the teacher is right\n",
            f"Of {self.k} samples per question; a sample that is not a trace counts as wrong, and one whose verifiers "
            "failed does not count.\n",
            markdown_table(
                ("source", "questions", "pass@1", f"pass@{self.k}", "undecided samples"),
                map(self._passed, self.passed.items()),
            ),
            "## Length of the reasoning\n",
            markdown_table(("words", "traces", ""), self._histogram()),
        ]  # fmt: skip
        return "\n".join(parts)

    def _passed(self, item: tuple[str, PassCounts]) -> tuple[str, ...]:
        source, passed = item
        first = _share(passed.right, passed.examples * self.k - passed.undecided)
        solved = _share(passed.solved, passed.examples - passed.open)
        return source, str(passed.examples), first, solved, str(passed.undecided)

    def _histogram(self) -> list[tuple[str, ...]]:
        most = max(self.lengths.values(), default=1)
        return [
            (f"{bar * BIN} to {bar * BIN + BIN - 1}", str(count), "#" * max(1, round(40 * count / most)))
            for bar, count in sorted(self.lengths.items())
        ]


def _is_undecided(judged: Judged) -> bool:
    """True if a verifier failed and none decided."""
    failed = any(verdict.score is None for verdict in judged.verdicts.values())
    return failed and not judged.is_correct and not judged.is_incorrect


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "undecided"


def _counts(stage: StageRecord) -> tuple[str, ...]:
    rejected = ", ".join(f"{count} x {reason}" for reason, count in stage.rejected.items())
    return stage.name, str(stage.taken), str(stage.out), rejected or "0"


def _near_duplicates(stages: Iterable[StageRecord]) -> list[str]:
    """How many rows repeated a question of a benchmark; nothing if they were not looked for."""
    found = [stage.counts[COUNT] for stage in stages if COUNT in stage.counts]
    return [f"{sum(found):g} rows that repeated a question of a benchmark were dropped.\n"] if found else []


def _options(options: Mapping[str, Any]) -> str:
    shown = {name: value["id"] if _is_model(value) else value for name, value in options.items()}
    return ", ".join(f"{name}={value!r}" for name, value in shown.items() if value not in (None, ""))


def _is_model(value: Any) -> bool:
    return isinstance(value, Mapping) and "id" in value and "dtype" in value


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    """Foreign text in one line of Markdown that shows it as it is: no markup, HTML, entity or link."""
    return _LINK.sub(r"\\\g<0>", _MARKUP.sub(r"\\\g<0>", escape(" ".join(text.split()))))


def _fenced(text: str) -> str:
    """A code block, with a fence longer than any in the text."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{escape(text)}\n{fence}"
