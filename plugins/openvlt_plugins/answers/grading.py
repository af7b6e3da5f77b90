"""Verdicts with partial credit."""

from __future__ import annotations

from openvlt import Verdict


def graded(score: float, reason: str, *, tier: str) -> Verdict:
    """Correct for a score of 1, incorrect for 0, else partial."""
    if score >= 1.0:
        return Verdict.correct(reason, tier=tier)
    return Verdict.partial(score, reason, tier=tier) if score > 0.0 else Verdict.incorrect(reason, tier=tier)
