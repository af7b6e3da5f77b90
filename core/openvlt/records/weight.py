"""The weight of a verifier in the reward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openvlt.records.claim import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The weight of a verifier in the reward, and the claims that it is run on.

    Attributes:
        weight: what its score is multiplied by.
        when: ``VERIFIER.STATUS``: the verifier is run where that one, which runs before it, has found this status, and
            adds nothing elsewhere; empty for all claims.
    """

    weight: float
    when: str = ""

    def applies(self, verdicts: Mapping[str, Verdict]) -> bool:
        """True if the verifier is run on a claim with these verdicts."""
        name, _, status = self.when.rpartition(".")
        return not self.when or verdicts[name].status == status
