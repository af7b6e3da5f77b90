"""Which question a row of a response file answers, and whether it asks what the data asks."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path

from openvlt.bench.definition import Definition
from openvlt.bench.layouts import Layout, reach
from openvlt.bench.questions import Questions
from openvlt.bench.replies import Answered, scalar
from openvlt.errors import DataError

SAME = 0.8
"""Share of a question's words, in order, that another wording of it has."""
_DIGITS = 18
"""Digits of a position that are read: more is beyond all data, and Python reads no more than 4,300."""
SHOWN = 3
_START = 5  # words of a question that it is looked up by
_PLACEHOLDER = re.compile(r"<[|/]?(?:image|img|vision|video)[^<>]*>|\[(?:image|img)[^\[\]]*\]", re.IGNORECASE)
_WORD = re.compile(r"\w+")


class Matching:
    """Matches the rows of a file to the questions of the data.

    Raises:
        DataError: a row cannot be matched, or asks another question than the data.
    """

    def __init__(self, definition: Definition, asked: Questions, layout: Layout, file: Path) -> None:
        self._definition, self._ids, self._layout, self._file = definition, asked.ids, layout, file
        rows = [(row.example.id, row.example.question, row.example.answer) for row in asked.output.rows()]
        self._questions = {id: question for id, question, _ in rows}
        self._golds = {id: gold for id, _, gold in rows}
        self._other: list[str] = []

    def id_of(self, answered: Answered) -> tuple[str, ...]:
        """The id of the question that a row answers; several if the row may be of any of them; none if it is unknown.

        Raises:
            DataError: there is nothing to match the row by.
        """
        if answered.id:
            return (answered.id,)
        own = reach(answered.row, self._layout.row) if self._layout.row else answered.row
        if isinstance(own, Mapping):
            with self._definition.benchmark.guarded("id_of"):
                if id := self._definition.benchmark.component.source.id_of(own):
                    return (id,)
        position = scalar(reach(answered.row, self._layout.position))
        if position.isdecimal():
            at = int(position.lstrip("0")[:_DIGITS] or 0)
            return self._ids[at : at + 1]
        if answered.question:
            return self._asked_in(answered.question, scalar(reach(answered.row, self._layout.gold)))
        raise DataError(
            f"{self._file}: row {answered.number} has no id; its columns are {', '.join(answered.row)}.",
            "Name the columns of the id and the response: --columns id=...,response=...",
        )

    def check(self, id: str, answered: Answered) -> None:
        """Compare the question in a row with that of the data, whose words a prompt may surround.

        Raises:
            DataError: this is the third row with another question.
        """
        own = self._questions.get(id, "")
        if answered.question and own and not same_question(own, answered.question):
            self._other.append(f"'{id}' asks {_short(answered.question)!r}, and the data {_short(own)!r}")
            if len(self._other) == SHOWN:
                self.finish()

    def finish(self) -> None:
        """
        Raises:
            DataError: rows had other questions than the data.
        """
        if self._other:
            raise DataError(
                f"The questions of {self._file} are not those of the data: {'; '.join(self._other)}.",
                "Correct its ids, or name the split and data it was made for; --columns question= compares none.",
            )

    def _asked_in(self, prompt: str, gold: str) -> tuple[str, ...]:
        """The ids of the longest question that is in a prompt, of those with its gold answer if there are any."""
        said = words_of(prompt)
        found: list[str] = []
        longest = 0
        for size in range(1, _START + 1):
            for at in range(len(said) - size + 1):
                for id, words in self._starts.get(tuple(said[at : at + size]), ()):
                    if len(words) >= longest and said[at : at + len(words)] == words:
                        found = [*found, id] if len(words) == longest else [id]
                        longest = len(words)
        found = list(dict.fromkeys(found))
        return tuple([id for id in found if gold and self._golds[id] == gold] or found)

    @cached_property
    def _starts(self) -> dict[tuple[str, ...], list[tuple[str, list[str]]]]:
        starts = defaultdict(list)
        for id, question in self._questions.items():
            if words := words_of(question):
                starts[tuple(words[:_START])].append((id, words))
        return dict(starts)


def words_of(question: str) -> list[str]:
    """The words of a question, without placeholders of images, marks and white space."""
    return _WORD.findall(_PLACEHOLDER.sub(" ", unicodedata.normalize("NFKC", question)).casefold())


def same_question(own: str, said: str) -> bool:
    """True if a question is another wording of the data's, or a prompt that contains it, or a part of it."""
    a, b = words_of(own), words_of(said)
    if not a or not b:
        return True
    text_a, text_b = (f" {' '.join(words)} " for words in (a, b))
    if text_a in text_b or text_b in text_a:
        return True
    matched = sum(block.size for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks())
    return matched >= SAME * len(a)


def _short(question: str) -> str:
    text = " ".join(question.split())
    return text if len(text) <= 60 else f"{text[:60]}..."
