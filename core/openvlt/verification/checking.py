"""What becomes of a claim on which a verifier fails: it has no score, since a score is paid."""

from __future__ import annotations

from typing import Any

from openvlt.errors import PASSING, Reject
from openvlt.interfaces import Verifier
from openvlt.records import Verdict
from openvlt.registry import Built
from openvlt.registry.guard import named, reason
from openvlt.results import encodable

FAULT = "fault"
"""The tier of a verdict that no verifier has reached: it failed."""


def failed(built: Built[Any], method: str, error: BaseException) -> Verdict:
    """The verdict where a verifier raised an exception, or returned what is no verdict; `Reject` is its decision."""
    if isinstance(error, PASSING):
        raise error
    if isinstance(error, Reject):
        return (Verdict.lost if error.transient else Verdict.not_applicable)(encodable(error.reason))
    return faulty(reason(built, method, error))


def unusable(built: Built[Verifier], problem: str) -> Verdict:
    """The verdict where a verifier gave none."""
    return faulty(f"{named(built.entry)} {problem}")


def faulty(said: str) -> Verdict:
    """The verdict that a verifier failed, for the reason that is said."""
    return Verdict(status="error", score=None, reason=encodable(said), cause="system", tier=FAULT)
