"""Questions that are worded alike, by the n-grams of their words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

N = 5
"""Words of an n-gram. A number that is changed changes five of them: of a question of 20 words a third."""
OVERLAP = 0.8
"""Share of the n-grams of a benchmark's question that are in another, from which the two are the same."""
FEW = 13
"""Words under which a question is worded like others by chance ("What is the value of x?"): it must have no image, and
be worded exactly so. GPT-3 was cleaned by 13-grams (arXiv 2005.14165, appendix C)."""
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+|[^\w\s]*[+\-*/=<>^][^\w\s]*")


def words_of(text: str) -> list[str]:
    """The words, numbers and signs of calculation in a text, in lower case, without the marks of images."""
    return _WORD.findall(text.replace("<image>", " ").casefold())


class Wordings:
    """An index of the n-grams of questions; some 6 kB a question."""

    def __init__(self) -> None:
        self._by_gram: defaultdict[int, list[int]] = defaultdict(list)
        self._sizes: list[tuple[int, bool]] = []

    def add(self, text: str, *, has_image: bool) -> int:
        """Add a question of a benchmark; returns its number, from 0."""
        number, grams = len(self._sizes), _grams(text)
        self._sizes.append((len(grams), has_image))
        for gram in grams:
            self._by_gram[gram].append(number)
        return number

    def overlaps(self, text: str) -> dict[int, float]:
        """The questions that share n-grams with a text, by their number: the share of theirs."""
        shared = Counter(number for gram in _grams(text) for number in self._by_gram.get(gram, ()))
        return {number: count / self._sizes[number][0] for number, count in shared.items()}

    def is_same(self, text: str, number: int, *, has_image: bool) -> bool:
        """True if a text and a question that overlaps with it are one, by the words alone.

        Of two with images the pictures decide: many questions are of one template.
        """
        images = has_image + self._sizes[number][1]
        return images < 2 if len(words_of(text)) >= FEW else not images


def _grams(text: str) -> set[int]:
    """Those of a text by hash; a short text is one n-gram."""
    words = words_of(text)
    if len(words) < FEW:
        return {hash(tuple(words))} if words else set()
    return {hash(tuple(words[at : at + N])) for at in range(len(words) - N + 1)}
