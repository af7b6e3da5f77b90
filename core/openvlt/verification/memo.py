"""Remembers verdicts: the responses of a GRPO group repeat their answers, and a hostile answer must cost only once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import RLock

from openvlt import forks
from openvlt.records import Claim, Verdict


class Memo:
    """The verdicts used last; safe to share among threads.

    Args:
        size: number of verdicts kept.
    """

    def __init__(self, size: int = 200_000) -> None:
        self._size = size
        self._verdicts: OrderedDict[Hashable, Verdict] = OrderedDict()
        self._lock = forks.renewed_at_fork(RLock())

    def get(self, key: Hashable) -> Verdict | None:
        with self._lock:
            if key in self._verdicts:
                self._verdicts.move_to_end(key)
            return self._verdicts.get(key)

    def put(self, key: Hashable, verdict: Verdict) -> None:
        with self._lock:
            self._verdicts[key] = verdict
            if len(self._verdicts) > self._size:
                self._verdicts.popitem(last=False)


def memo_key(identity: str, claim: Claim, *, context_free: bool) -> Hashable:
    """All that the verdict on an answer may depend on: the verifier, the answer, and the gold with its properties.

    For a verifier that is not context-free that includes the example itself.
    """
    example = claim.example
    gold = (example.answer, example.choices, example.answer_type, example.precision, example.unit)
    return (identity, claim.answer, gold, None if context_free else (example.source, example.id, example.full_question))
