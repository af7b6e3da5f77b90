"""Which examples are held out of the training: none that shares an image or a question with the others."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from openvlt import DataError, Example, tables

TEMPLATE = 5
"""A question asked so often, with different answers, says nothing without its image ("What colour is it?")."""


def held_out(examples: Iterable[Example], share: float, seed: int) -> frozenset[int]:
    """Positions of the held-out examples; they do not depend on the order of the examples, or on names of files.

    Examples with a common image (by content) or question stay together, whether directly or through others. A question
    that is asked at least `TEMPLATE` times, about images and with different answers, connects none.

    Args:
        examples: all of them; about 1 kB of memory each.
        share: of the examples, below 1; from 1 on their number. Half of them at most.
        seed: of the choice.

    Raises:
        DataError: the examples cannot be divided.
    """
    facts = [_facts(example) for example in examples]
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for question, images, answer in facts:
        if images:
            answers[question].append(answer)
    templates = {each for each, found in answers.items() if len(found) >= TEMPLATE and len(set(found)) > 1}
    groups = _Groups()
    for question, images, _ in facts:
        groups.join([*images, *([] if images and question in templates else [question])])
    members: defaultdict[str, list[int]] = defaultdict(list)
    names: dict[str, str] = {}
    for position, (question, images, _) in enumerate(facts):
        root = groups.root(images[0] if images else question)
        members[root].append(position)
        names[root] = min(names.get(root, question), question, *images)
    wanted = min(round(share * len(facts)) if share < 1 else int(share), len(facts) // 2)
    chosen: list[int] = []
    for root in sorted(members, key=lambda root: _digest(f"{seed}:{names[root]}")):
        if len(chosen) + len(members[root]) <= wanted:
            chosen += members[root]
    if facts and not chosen:
        raise DataError(
            f"No {share:g} of {len(facts)} examples can be held out: they share images or questions.",
            "Raise held_out, or write a file of test questions and name both with {split} in the path.",
        )
    return frozenset(chosen)


class _Groups:
    """Union of names that occur together."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (above := self._above.setdefault(name, name)) != name:
            self._above[name] = self._above[above]
            name = above
        return name

    def join(self, names: Iterable[str]) -> None:
        roots = [self.root(name) for name in names]
        for root in roots[1:]:
            self._above[root] = roots[0]
            self._above.setdefault(roots[0], roots[0])


def _facts(example: Example) -> tuple[str, list[str], str]:
    """Digests of an example's question and images, and its answer."""
    question = " ".join((example.question, *sorted(example.choices))).casefold()
    return (
        _digest(" ".join(question.split())),
        [tables.image_digest(image) for image in example.images],
        example.answer.casefold(),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
