r"""Verdicts on made pairs: ``python tests/benchmarks/verifier_pairs.py [COUNT] [SEED]``.

Makes golds of every type, and for each answers that say the same, as an honest model would write it, and answers that
do not, as a policy in search of reward would. What is wanted follows from how a pair is made, never from the verifiers.
Prints the wrong verdicts and their counts by family, and exits with 1 if there is a wrong accept or more than 2 % of
the right answers are refused.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any, NamedTuple

import pairs_measures as measures
import pairs_notations as notations
import pairs_numbers as numbers
import pairs_words as words
from pairs_forms import Made

from openvlt import Claim, Example, Format, Trace
from openvlt.registry import Registry
from openvlt.verification import VerifierRunner

MOST_REFUSED = 0.02
FAMILIES: dict[str, Callable[[random.Random], Made]] = {
    name: make
    for module in (numbers, measures, notations, words)
    for name, make in vars(module).items()
    if getattr(make, "__module__", "") == module.__name__
    and getattr(make, "__annotations__", {}).get("return") == "Made"
}
"""Every function of these modules that makes pairs."""


class Pair(NamedTuple):
    """A gold, an answer, and whether it is right."""

    family: str
    gold: str
    said: str
    right: bool
    known: dict[str, Any]


def pairs(count: int, seed: int) -> list[Pair]:
    """Different pairs, the families in turn."""
    rng = random.Random(seed)
    found: dict[tuple[object, ...], Pair] = {}
    for name in islice(cycle(FAMILIES), 50 * count):
        for gold, said, right, *known in FAMILIES[name](rng):
            pair = Pair(name, gold, said, right, known[0] if known else {})
            found.setdefault((gold, said, repr(pair.known)), pair)
        if len(found) >= 2 * count:
            break
    return rng.sample([*found.values()], count)


def wrong(made: list[Pair]) -> list[tuple[Pair, str]]:
    """The pairs with a wrong verdict of `answer`, and its reason."""
    claims = [
        Claim(
            trace=Trace(think="", answer=said, raw=said), example=Example(id=str(i), question="", answer=gold, **known)
        )
        for i, (_, gold, said, _, known) in enumerate(made)
    ]
    built = Registry.discover().build("verifier", "answer")
    with VerifierRunner({"answer": built}, format=Format(), workers=1) as runner:
        verdicts = [row["answer"] for row in runner.verdicts(claims)]
    return [
        (pair, f"{verdict.status}: {verdict.reason}")
        for pair, verdict in zip(made, verdicts, strict=True)
        if (verdict.status == "correct") != pair.right
    ]


def main(count: int, seed: int) -> int:
    made = pairs(count, seed)
    found = wrong(made)
    for pair, reason in found:
        what = "refused" if pair.right else "ACCEPTED"
        print(
            what, pair.family, json.dumps([pair.gold, pair.said, pair.known.get("choices")], ensure_ascii=False), reason
        )
    sizes = {want: Counter(pair.family for pair in made if pair.right is want) for want in (True, False)}
    errors = {want: Counter(pair.family for pair, _ in found if pair.right is want) for want in (True, False)}
    print(f"\n{'family':<20}{'right':>8}{'refused':>9}{'wrong':>8}{'accepted':>10}")
    for name in FAMILIES:
        print(
            f"{name:<20}{sizes[True][name]:>8}{errors[True][name]:>9}{sizes[False][name]:>8}{errors[False][name]:>10}"
        )
    refused, accepted = errors[True].total(), errors[False].total()
    print(f"{'all':<20}{sizes[True].total():>8}{refused:>9}{sizes[False].total():>8}{accepted:>10}")
    return int(accepted > 0 or refused > MOST_REFUSED * sizes[True].total())


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*(given + [5_000, 1][len(given) :])))
