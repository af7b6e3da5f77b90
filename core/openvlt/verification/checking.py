"""What a verifier returns is accepted, or refused as its own error: a score is paid, so it must be one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, get_args

from openvlt.interfaces import Verifier
from openvlt.records import Verdict
from openvlt.records.claim import Cause, Status
from openvlt.store import encode

_STATUSES, _CAUSES = get_args(Status), (None, *get_args(Cause))


def accepted(verifier: Verifier, found: Any, count: int) -> list[Verdict]:
    """The verdicts of one call.

    Args:
        verifier: returned them.
        found: what it returned.
        count: claims it was given.

    Raises:
        ValueError: these are not `count` verdicts, or one of them cannot be.
    """
    if not isinstance(found, Sequence) or len(found) != count:
        what = f"{len(found)} verdicts" if isinstance(found, Sequence) else type(found).__name__
        raise ValueError(f"it returned {what} for {count} claims")
    return [_accept(verifier.range, verdict) for verdict in found]


def failed(verifier: Verifier, error: Exception) -> Verdict:
    """The verdict where a verifier raised an exception: it has no score, and names the verifier."""
    said = encodable(str(error))
    return Verdict.error(f"{type(verifier).__name__} failed: {type(error).__name__}: {said}"[:500])


def _accept(allowed: tuple[float, float], verdict: Any) -> Verdict:
    if not isinstance(verdict, Verdict):
        raise ValueError(f"it returned {type(verdict).__name__} instead of a Verdict")
    if verdict.status not in _STATUSES or verdict.cause not in _CAUSES:
        raise ValueError(f"it returned the status {verdict.status!r} and the cause {verdict.cause!r}")
    score = verdict.score
    if score is not None and type(score) is not float:
        if not isinstance(score, Real):
            raise ValueError(f"it returned the score {score!r}")
        score = float(score)
    if score is not None and not (math.isfinite(score) and allowed[0] <= score <= allowed[1]):
        raise ValueError(f"it returned the score {score:g}, outside its range {allowed[0]:g} to {allowed[1]:g}")
    if score is not verdict.score or not _is_plain(verdict):
        verdict = replace(verdict, score=score, reason=encodable(verdict.reason), tier=encodable(verdict.tier))
        encode(verdict)  # its details cannot be stored if this fails
    found: Verdict = verdict
    return found


def _is_plain(verdict: Verdict) -> bool:
    reason, tier = verdict.reason, verdict.tier
    return not verdict.detail and isinstance(reason, str) and isinstance(tier, str) and (reason + tier).isascii()


def encodable(text: Any) -> str:
    """The text without lone surrogates, which UTF-8 cannot encode."""
    return str(text).encode("utf-8", "replace").decode()
