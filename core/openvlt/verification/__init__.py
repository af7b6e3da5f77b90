"""Claims go in, verdicts and rewards come out: the same for data, reward and benchmark."""

from openvlt.verification.reward import Reward, RewardRow
from openvlt.verification.runner import Tally, VerifierRunner

__all__ = ["Reward", "RewardRow", "Tally", "VerifierRunner"]
